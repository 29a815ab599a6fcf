"""`l2o distill`: find equations for data of your own.

DATA.npz holds `inputs` [n, d] and `targets` [n], and optionally `names` [d] (such as "g[0]") and `groups`
[n] (the trajectory each row is from; whole trajectories are then held out). numpy.savez writes such a file.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..errors import ConfigError, DataError

WRITERS = {
    ".json": lambda front: front.to_json(),
    ".csv": lambda front: front.table.to_csv(index=False),
    ".tex": lambda front: front.to_latex(),
}
PICTURES = (".png", ".svg", ".pdf")


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to `l2o`."""
    parser = commands.add_parser(
        "distill",
        help="find equations for the rows of a .npz file",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", metavar="DATA.npz", type=Path)
    parser.add_argument("--engine", default="operon", help="operon (default), pysr (needs Julia) or linear")
    parser.add_argument("--time-limit", type=float, default=60, metavar="S", help="seconds of search (60)")
    parser.add_argument(
        "--max-complexity", type=int, default=100, metavar="N", help="largest equation (100 nodes)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--huber", type=float, metavar="D", help="count errors beyond D standard deviations linearly"
    )
    parser.add_argument(
        "--start", type=Path, metavar="FRONT.json", help="begin with the equations of an earlier front"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write the whole front to FILE.json, FILE.csv or FILE.tex"
    )
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the front to FILE.png, .svg or .pdf")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the front, write and draw it if asked, and print its best equation beside a linear rule."""
    data = read(options.data)
    for path, known in ((options.out, WRITERS), (options.plot, PICTURES)):
        if path and path.suffix not in known:
            raise ConfigError(f"{path}: the name must end in one of {', '.join(known)}")
    from .. import distiller

    shared = {"names": data["names"], "groups": data["groups"], "seed": options.seed, "huber": options.huber}
    shared |= {"max_complexity": options.max_complexity}
    front = distiller.distill(
        data["inputs"],
        data["targets"],
        engine=options.engine,
        time_limit=options.time_limit,
        start=distiller.ParetoFront.load(options.start) if options.start else (),
        progress=sys.stderr.isatty(),
        **shared,
    )
    linear = distiller.distill(data["inputs"], data["targets"], engine="linear", **shared)
    print("\n".join([*front.notes, front.table.to_string(index=False)]))
    if options.out:
        options.out.write_text(WRITERS[options.out.suffix](front), encoding="utf-8")
        print(f"\nwritten to {options.out}")
    if options.plot:
        draw(options.plot, {front.engine: front, "linear": linear})
        print(f"\ndrawn to {options.plot}")
    best = front.best
    print(f"\nbest: {best.equation}\nR2 on held-out rows {best.r2:.4f}, complexity {best.complexity}")
    print(
        f"for comparison, the best linear rule: R2 {linear.best.r2:.4f}, complexity {linear.best.complexity}"
    )
    return 0


def draw(path: Path, fronts: dict) -> None:
    """Accuracy against size, as a picture file."""
    from l2o_book import plots
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    plots.fronts(figure.subplots(), fronts)
    figure.savefig(path, dpi=200)


def read(path: Path) -> dict:
    """The arrays of a .npz file as the distiller takes them; DataError if it is not such a file."""
    from ..distiller.dataset import read_arrays

    data = read_arrays(path, ("inputs", "targets"))
    inputs = data["inputs"]
    if inputs.ndim != 2:
        raise DataError(f"{path}: inputs must be [n, d], not of shape {list(inputs.shape)}")
    names = data.get("names", [f"x{i}" for i in range(inputs.shape[1])])
    return data | {"names": [str(name) for name in names], "groups": data.get("groups")}
