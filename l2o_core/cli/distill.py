"""`l2o distill`: find equations for data of your own.

DATA is a table (.csv or .parquet, one column of which is the target), or a .npz file of numpy.savez with
`inputs` [n, d] and `targets` [n], and optionally `names` [d] (such as "g[0]") and `groups` [n] (the
trajectory each row is from; whole trajectories are then held out). Rows with a missing value are dropped.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import warnings
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, DataError, did_you_mean, optional_import

if TYPE_CHECKING:
    from ..distiller import Entry, ParetoFront

WRITERS = {
    ".json": lambda front: front.to_json(),
    ".csv": lambda front: front.table.to_csv(index=False),
    ".tex": lambda front: front.to_latex(),
}
TABLES = (".csv", ".parquet")
TARGETS = ("target", "targets", "y")
"""Names of the target's column where none is given."""
PICTURES = (".png", ".svg", ".pdf")
WIDTH = 100


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to `l2o`."""
    parser = commands.add_parser(
        "distill",
        help="find equations for the rows of a table or of a .npz file",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", metavar="DATA", type=Path)
    parser.add_argument(
        "--target", metavar="COLUMN", help=f"the target's column of a table ({', '.join(TARGETS)})"
    )
    parser.add_argument(
        "--groups", metavar="COLUMN", help="the column of a table that names the trajectory of each row"
    )
    parser.add_argument(
        "--engine", default="operon", help="operon (default), sol, pysr (needs Julia) or linear"
    )
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
    parser.add_argument("--overwrite", action="store_true", help="replace FILE where it exists")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the front to FILE.png, .svg or .pdf")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the front, a suggested equation, the best one and a linear rule; write and draw it if asked."""
    check(options)
    from .. import distiller

    shared = read(options) | {"seed": options.seed, "huber": options.huber}
    shared |= {"max_complexity": options.max_complexity}
    engine = distiller.engines.get(options.engine)
    start = distiller.ParetoFront.load(options.start) if options.start else ()
    linear = distiller.distill(**shared, engine="linear")  # first: nothing comes between a front and its file
    front = distiller.distill(
        **shared,
        engine=engine,
        time_limit=options.time_limit,
        start=start,
        progress=sys.stderr.isatty(),
    )
    unwritten = attempt(options.out, lambda path: write(path, front))
    print(report(front, linear))
    drawn = {front.engine: front, "linear": linear}
    unwritten = attempt(options.plot, lambda path: draw(path, drawn)) or unwritten
    if unwritten:
        raise unwritten  # after the report, so that the search was not for nothing
    for path, verb in ((options.out, "written"), (options.plot, "drawn")):
        if path:
            print(f"{verb} to {path}")
    return 0


def attempt(path: Path | None, save: Callable[[Path], object]) -> ConfigError | None:
    """Save to a path, if there is one; the error if that fails."""
    try:
        if path:
            save(path)
    except OSError as error:
        return ConfigError(f"{path} cannot be written: {error.strerror or error}")
    return None


def write(path: Path, front: ParetoFront) -> None:
    """The front as a file of the kind that its name ends in."""
    from ..storage import replacing

    with replacing(path) as draft:
        draft.write_text(WRITERS[path.suffix](front), encoding="utf-8")


def check(options: argparse.Namespace) -> None:
    """Refuse, before anything is loaded or searched, what could only fail at the end."""
    for path, known in ((options.out, WRITERS), (options.plot, PICTURES)):
        check_output(path, known, options.overwrite)
    if options.plot:
        with optional_import("--plot", extra="distill"):
            import matplotlib  # noqa: F401
    if not 0 < options.time_limit < math.inf:
        raise ConfigError(f"--time-limit must be a positive number of seconds, not {options.time_limit:g}")
    if options.max_complexity < 1:
        raise ConfigError(f"--max-complexity must be 1 node or more, not {options.max_complexity}")
    if options.seed < 0:
        raise ConfigError(f"--seed must be 0 or more, not {options.seed}")
    if options.huber is not None and not options.huber > 0:
        raise ConfigError(f"--huber must be a positive number of standard deviations, not {options.huber:g}")


def check_output(path: Path | None, known: Collection[str], overwrite: bool) -> None:
    """ConfigError for a path that cannot be written at the end, or whose name ends in none of `known`."""
    if path is None:
        return
    if path.suffix not in known:
        raise ConfigError(f"{path}: the name must end in one of {', '.join(known)}")
    if not path.parent.is_dir():
        raise ConfigError(f"{path}: there is no folder {path.parent}; make it first")
    if path.is_dir():
        raise ConfigError(f"{path} is a folder; give the name of a file")
    if path.exists() and not overwrite:
        raise ConfigError(f"{path} exists; choose another name, or say --overwrite")
    if not os.access(path.parent, os.W_OK):
        raise ConfigError(f"{path} cannot be written: permission denied")


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
    from ..storage import replacing

    with replacing(path) as draft:
        figure.savefig(draft, dpi=200)


def read(options: argparse.Namespace) -> dict[str, Any]:
    """The data as `distill` takes it, by argument; DataError for a file that is of no such kind."""
    path: Path = options.data
    if path.suffix.lower() in TABLES:
        return read_table(path, options.target, options.groups)
    if options.target or options.groups:
        raise ConfigError(
            f"--target and --groups name columns of a table ({', '.join(TABLES)}); {path} is none"
        )
    if path.exists() and path.suffix.lower() != ".npz":
        raise ConfigError(
            f"{path}: the name of a table ends in {' or '.join(TABLES)}, that of arrays in .npz"
        )
    from ..distiller.dataset import read_arrays

    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        data = read_arrays(path, ("inputs", "targets"), optional=("names",))
    for note in notes:
        print(f"l2o: {note.message}", file=sys.stderr)
    return {
        "X": data["inputs"],
        "y": data["targets"],
        "names": data.get("names"),
        "groups": data.get("groups"),
    }


def read_table(path: Path, target: str | None, groups: str | None) -> dict[str, Any]:
    """A .csv or .parquet file, its target in the column `target`."""
    with optional_import(f"reading {path.suffix}", extra="distill"):
        import pandas as pd

    is_csv = path.suffix.lower() == ".csv"
    try:
        table = pd.read_csv(path) if is_csv else pd.read_parquet(path)
        head = pd.read_csv(path, header=None, nrows=1, dtype=str).iloc[0] if is_csv else table.columns
    except FileNotFoundError:
        raise DataError(f"no file {path}") from None
    except ImportError:
        raise ConfigError(f"reading {path} needs pyarrow: pip install pyarrow, or write it as .csv") from None
    except (OSError, ValueError, MemoryError) as error:  # pandas' and pyarrow's own are ValueErrors
        reason = " ".join(str(error).split())
        raise DataError(f"{path} is not a {path.suffix} file that pandas reads ({reason})") from None
    known = [str(column) for column in table.columns]
    table.columns = pd.Index(known)
    target = target or next((name for name in TARGETS if name in known), None)
    if target is None:
        raise ConfigError(f"{path}: which column is the target? Say --target; columns: {', '.join(known)}")
    written = [str(column) for column in head]  # pandas gives those that repeat names of their own
    for name in filter(None, (target, groups)):
        if name not in known:
            raise ConfigError(f"{path} has 0 columns {name!r}; {did_you_mean(name, known)}")
        if written.count(name) > 1:
            raise ConfigError(
                f"{path} has {written.count(name)} columns {name!r}; rename all but one of them"
            )
    if target == groups:
        raise ConfigError(f"{path}: {target!r} cannot be both the target and the trajectory of a row")
    others = [name for name in known if name not in (target, groups)]
    return {"X": table[others], "y": table[target], "groups": table[groups] if groups else None}
