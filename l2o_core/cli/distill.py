"""`l2o distill`: find equations for data of your own.

DATA.npz holds `inputs` [n, d] and `targets` [n], and optionally `names` [d] (such as "g[0]") and `groups`
[n] (the trajectory each row is from; whole trajectories are then held out). numpy.savez writes such a file.
"""

from __future__ import annotations

import argparse
import zipfile
from pathlib import Path

import numpy as np

from l2o_core.errors import DataError


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to `l2o`."""
    parser = commands.add_parser(
        "distill",
        help="find equations for the rows of a .npz file",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", metavar="DATA.npz", type=Path)
    parser.add_argument("--engine", default="operon", help="operon (default) or linear")
    parser.add_argument("--time-limit", type=float, default=60, metavar="S", help="seconds of search (60)")
    parser.add_argument(
        "--max-complexity", type=int, default=100, metavar="N", help="largest equation (100 nodes)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--out", type=Path, metavar="FRONT.csv", help="also write the whole front to this file"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the front, write it if asked, and print its best equation."""
    data = read(options.data)
    from l2o_core import distiller

    front = distiller.distill(
        data["inputs"],
        data["targets"],
        names=data["names"],
        groups=data["groups"],
        engine=options.engine,
        max_complexity=options.max_complexity,
        time_limit=options.time_limit,
        seed=options.seed,
    )
    print(front.table.to_string(index=False))
    if options.out:
        front.table.to_csv(options.out, index=False)
        print(f"\nwritten to {options.out}")
    best = front.best
    print(f"\nbest: {best.equation}\nR2 on held-out rows {best.r2:.4f}, complexity {best.complexity}")
    return 0


def read(path: Path) -> dict:
    """The arrays of a .npz file as the distiller takes them; DataError if it is not such a file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            data = {key: file[key] for key in file.files}
    except FileNotFoundError:
        raise DataError(f"no file {path}") from None
    except (OSError, ValueError, AttributeError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is not a .npz file of plain arrays ({error})") from None
    missing = [key for key in ("inputs", "targets") if key not in data]
    if missing:
        raise DataError(f"{path} has no {' and no '.join(missing)}; it has: {', '.join(data) or 'nothing'}")
    inputs = data["inputs"]
    if inputs.ndim != 2:
        raise DataError(f"{path}: inputs must be [n, d], not of shape {list(inputs.shape)}")
    names = data.get("names", [f"x{i}" for i in range(inputs.shape[1])])
    return data | {"names": [str(name) for name in names], "groups": data.get("groups")}
