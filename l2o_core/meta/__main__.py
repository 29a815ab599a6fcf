"""Train teachers: `python -m l2o_core.meta rp/p2 dm/p2 --seeds 0 1 2 --folder checkpoints`."""

from __future__ import annotations

import argparse
import sys

from ..errors import L2OError
from . import recipes
from .batch import train_teachers


def main() -> int:
    """Train the named teachers, continuing where an earlier run was stopped."""
    parser = argparse.ArgumentParser(prog="python -m l2o_core.meta", description=__doc__)
    parser.add_argument("names", nargs="+", choices=recipes.names(), metavar="NAME")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--folder", default="checkpoints", help="where checkpoints and weights go")
    parser.add_argument("--workers", type=int, default=2, help="teachers trained at once (default 2)")
    options = parser.parse_args()
    wanted = [recipes.load(name) for name in options.names]
    try:
        trained = train_teachers(wanted, options.seeds, options.folder, options.workers)
    except L2OError as error:
        print(error, file=sys.stderr)
        return 1
    for name, runs in trained.items():
        for seed, (_, history) in zip(options.seeds, runs, strict=True):
            epoch, loss = history.best
            print(f"{name} seed {seed}: best {loss:.4f} after {epoch} epochs, {history.seconds:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
