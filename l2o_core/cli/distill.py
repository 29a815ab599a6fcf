"""`l2o distill`: find equations for data of your own.

DATA.npz holds `inputs` [n, d] and `targets` [n], and optionally `names` [d] (such as "g[0]") and `groups`
[n] (the trajectory each row is from; whole trajectories are then held out). numpy.savez writes such a file.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigError, DataError, optional_import

if TYPE_CHECKING:
    from ..distiller import Entry, ParetoFront

WRITERS = {
    ".json": lambda front: front.to_json(),
    ".csv": lambda front: front.table.to_csv(index=False),
    ".tex": lambda front: front.to_latex(),
}
PICTURES = (".png", ".svg", ".pdf")
WIDTH = 100


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
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the search and split (0)")
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
    """Print the front, a suggested equation, the best one and a linear rule; write and draw it if asked."""
    check(options)
    data = read(options.data)
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
    if options.out:
        options.out.write_text(WRITERS[options.out.suffix](front), encoding="utf-8")
    if options.plot:
        draw(options.plot, {front.engine: front, "linear": linear})
    print(report(front, linear))
    for path, verb in ((options.out, "written"), (options.plot, "drawn")):
        if path:
            print(f"{verb} to {path}")
    return 0


def check(options: argparse.Namespace) -> None:
    """Refuse, before anything is loaded or searched, what could only fail at the end."""
    for path, known in ((options.out, WRITERS), (options.plot, PICTURES)):
        if path and path.suffix not in known:
            raise ConfigError(f"{path}: the name must end in one of {', '.join(known)}")
        if path and not path.parent.is_dir():
            raise ConfigError(f"{path}: there is no folder {path.parent}; make it first")
        if path and not os.access(path if path.exists() else path.parent, os.W_OK):
            raise ConfigError(f"{path} cannot be written: permission denied")
    if not 0 < options.time_limit < math.inf:
        raise ConfigError(f"--time-limit must be a positive number of seconds, not {options.time_limit:g}")
    if options.max_complexity < 1:
        raise ConfigError(f"--max-complexity must be 1 node or more, not {options.max_complexity}")
    if options.seed < 0:
        raise ConfigError(f"--seed must be 0 or more, not {options.seed}")
    if options.huber is not None and not options.huber > 0:
        raise ConfigError(f"--huber must be a positive number of standard deviations, not {options.huber:g}")


def report(front: ParetoFront, linear: ParetoFront) -> str:
    """The front as a table, and below it the equations worth looking at, in full."""
    lines = [*front.notes, front.to_text(WIDTH)]
    if front.knee is not front.best:
        lines.append(f"suggested, the shortest that is nearly as accurate as the best: {front.knee.equation}")
        lines.append(_figures(front.knee))
    lines += [f"best: {front.best.equation}", _figures(front.best)]
    if front.engine != "linear":
        lines.append(f"for comparison, the best linear rule: {_figures(linear.best)}")
        lines.append("the search is limited by time: the same seed can find other equations on another run")
    return "\n".join(lines)


def _figures(entry: Entry) -> str:
    nodes = f"{entry.complexity} node{'s' * (entry.complexity != 1)}"
    return f"R2 on held-out rows {entry.r2:.4f}, {nodes}"


def draw(path: Path, fronts: dict[str, ParetoFront]) -> None:
    """Accuracy against complexity, as a picture file."""
    with optional_import("--plot", extra="distill"):
        from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    ax = figure.subplots()
    for (label, front), style in zip(fronts.items(), ("-", "--"), strict=False):
        front.plot(ax, label=label, linestyle=style)
    ax.legend()
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
