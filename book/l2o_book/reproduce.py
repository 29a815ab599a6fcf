"""`l2o reproduce`: run the book's notebooks, at the scale of a profile.

A notebook whose source, parameters, library, pinned versions and recorded inputs are the same as at its last
successful run is not run again. One that fails does not stop the others.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import l2o_core
from l2o_core.errors import ConfigError

from . import profiles, records


@dataclass(frozen=True)
class Run:
    """One notebook's run: the executed notebook, its seconds, whether it was an earlier run, what failed."""

    name: str
    path: Path
    seconds: float
    cached: bool = False
    failure: str | None = None


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to `l2o`."""
    parser = commands.add_parser("reproduce", help="run the book's notebooks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="notebooks to run (default: all)")
    parser.add_argument("--profile", default="quick", help="quick (default), standard or paper")
    parser.add_argument("--force", action="store_true", help="run even what has not changed")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="where executed notebooks go (book/_build/executed)"
    )
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="K=V",
        help="set one parameter of the notebooks, over the profile (repeatable)",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Execute and summarise; exit status 1 if a notebook failed."""
    changes = dict(profiles.assignment(text) for text in options.parameter)
    runs = execute(
        options.names,
        options.profile,
        parameters=changes,
        force=options.force,
        folder=options.out,
        report=print,
    )
    print(summary(runs))
    return 1 if any(run.failure for run in runs) else 0


def execute(
    names: Sequence[str],
    profile: str,
    *,
    parameters: Mapping[str, Any] | None = None,
    force: bool = False,
    folder: Path | None = None,
    report=lambda line: None,
) -> list[Run]:
    """Run notebooks (all, if no names are given) with a profile's parameters, `parameters` going over them.

    Raises ConfigError for an unknown notebook, profile or parameter, before anything runs.
    """
    root = records.book_root()
    folder = folder or root / "book" / "_build" / "executed" / profile
    known = notebooks(root)
    if unknown := [name for name in names if name not in known]:
        raise ConfigError(
            f"no notebook {unknown[0]!r} in {root / 'notebooks'}; there are: {', '.join(known)}"
        )
    chosen = list(names) or known
    settings = {name: profiles.settings(root, name, profile, parameters or {}) for name in chosen}
    accepted = set().union(*settings.values())
    if strays := set(parameters or {}) - accepted:
        raise ConfigError(f"no parameter {min(strays)!r} in {', '.join(chosen)}")
    library = _library_key(root, profile)
    runs = []
    for position, name in enumerate(chosen, start=1):
        source = root / "notebooks" / f"{name}.py"
        path = Path(folder) / f"{name}.ipynb"
        key = _digest(library, source.read_bytes(), json.dumps(settings[name], sort_keys=True, default=str))
        earlier = None if force else _earlier(name, path, key)
        where = f"[{position}/{len(chosen)}] {name}"
        report(f"{where}: unchanged" if earlier else f"{where}: running ({profile}) ...")
        runs.append(earlier or _execute(source, path, settings[name], profile, key))
        if failure := runs[-1].failure:
            report(f"{where}: FAILED {failure}")
    return runs


def notebooks(root: Path) -> list[str]:
    """Names of the book's notebooks, in the order of its table of contents (those not in it come last)."""
    import yaml

    names = sorted(path.stem for path in (root / "notebooks").glob("*.py"))
    contents = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    order = [Path(page).name for page in pages(contents) if page.startswith("notebooks/")]
    return sorted(names, key=lambda name: order.index(name) if name in order else len(order))


def pages(contents: Any) -> list[str]:
    """Every page that a table of contents names, in reading order."""
    if isinstance(contents, list):
        return [page for part in contents for page in pages(part)]
    if not isinstance(contents, dict):
        return []
    own = [contents[key] for key in ("root", "file") if key in contents]
    return own + [page for key in ("parts", "chapters", "sections") for page in pages(contents.get(key))]


def summary(runs: Sequence[Run]) -> str:
    """One line per notebook: seconds, state, and where and why it failed."""
    width = max((len(run.name) for run in runs), default=0)
    lines = [f"{'notebook':<{width}}  seconds  state"]
    for run in runs:
        state = f"FAILED {run.failure}" if run.failure else "unchanged" if run.cached else "run"
        lines.append(f"{run.name:<{width}}  {run.seconds:7.1f}  {state}")
    failed = sum(run.failure is not None for run in runs)
    lines.append(
        f"{len(runs) - failed} of {len(runs)} notebooks are fine" if failed else "all notebooks are fine"
    )
    return "\n".join(lines)


def _execute(source: Path, path: Path, settings: dict[str, Any], profile: str, key: str) -> Run:
    """Run one notebook with papermill; a success is kept under `path`, a failure beside it."""
    try:
        import jupytext
        import papermill
        from papermill.exceptions import PapermillExecutionError
    except ImportError as error:
        raise ConfigError(f"running notebooks needs {error.name}: pip install 'l2o_core[book]'") from None
    path.parent.mkdir(parents=True, exist_ok=True)
    draft, failed = path.with_suffix(".running.ipynb"), path.with_suffix(".failed.ipynb")
    failed.unlink(missing_ok=True)
    jupytext.write(jupytext.read(source), draft)
    started, failure = time.perf_counter(), None
    try:
        papermill.execute_notebook(
            draft,
            draft,
            parameters=settings,
            cwd=source.parent,
            kernel_name="python3",
            language="python",
            extra_arguments=["--IPKernelApp.log_level=ERROR"],
            progress_bar=sys.stderr.isatty(),
        )
    except PapermillExecutionError as error:
        failure = f"in {_place(source, error.source)}: {error.ename}: {_first_line(error.evalue)}"
    except Exception as error:  # a kernel that died, a time-out: one notebook must not stop the others
        failure = f"{type(error).__name__}: {_first_line(str(error))}"
    seconds = time.perf_counter() - started
    finished = jupytext.read(draft)
    finished.metadata["l2o"] = {
        "key": key,
        "seconds": seconds,
        "profile": profile,
        "parameters": settings,
        "failure": failure,
    }
    jupytext.write(finished, draft)
    return Run(source.stem, draft.replace(failed if failure else path), seconds, failure=failure)


def _earlier(name: str, path: Path, key: str) -> Run | None:
    """The last successful run, if it was of the very same thing."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))["metadata"]["l2o"]
    except (OSError, ValueError, KeyError):
        return None
    return Run(name, path, record["seconds"], cached=True) if record["key"] == key else None


def _library_key(root: Path, profile: str) -> str:
    """Digest of what every notebook depends on: library, pinned versions, published and recorded numbers.

    Records of the profile itself are left out: the notebooks write them.
    """
    packages = (Path(l2o_core.__file__).parent, Path(__file__).parent)
    library = [path for package in packages for path in package.rglob("*") if path.is_file()]
    library = [path for path in library if not {"__pycache__", "cli"} & {*path.parts}]
    recorded = [path for path in (root / "results").rglob("*.json") if path.parent.name != profile]
    others = [path for path in (root / "constraints.txt", root / "book" / "published.yml") if path.is_file()]
    return _digest(
        *(part for path in sorted(library + recorded + others) for part in (path.name, path.read_bytes()))
    )


def _digest(*parts: str | bytes) -> str:
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "big") + data)
    return total.hexdigest()


def _place(source: Path, cell: str) -> str:
    """File and line at which a cell begins."""
    text = source.read_text(encoding="utf-8")
    start = text.find(cell)
    return f"{source.name}:{text.count(chr(10), 0, start) + 1}" if start >= 0 else f"{source.name} (a cell)"


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")
