"""Train one teacher: `python -m l2o_core.meta rp/p2 --seed 0 --folder checkpoints`."""

from __future__ import annotations

import argparse

import torch

from . import recipes


def main() -> None:
    """Train the named teacher, continuing where an earlier run was stopped."""
    parser = argparse.ArgumentParser(prog="python -m l2o_core.meta", description=__doc__)
    parser.add_argument("name", choices=recipes.names())
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", default="checkpoints", help="where checkpoints and weights go")
    parser.add_argument("--epochs", type=int, help="instead of the recipe's")
    parser.add_argument("--threads", type=int, default=1, help="cores to use (default 1)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    changes = {"epochs": options.epochs} if options.epochs else {}
    _, history = recipes.load(options.name).train(options.seed, options.folder, **changes)
    epoch, loss = history.best
    print(
        f"{options.name} seed {options.seed}: best {loss:.4f} after {epoch} epochs, {history.seconds:.0f} s"
    )


if __name__ == "__main__":
    main()
