"""Which jobs there are to run: notebooks x seeds at a profile, and what an earlier run of each has left.

A run with exactly the parameters of its profile writes `results/<profile>/`; one with any other parameters
writes `results/<profile>/runs/<label>/`, so that it never replaces a recorded run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import l2o_core
from l2o_core import plain_yaml
from l2o_core.errors import ConfigError, did_you_mean
from l2o_core.storage import is_draft

from . import profiles
from .checkout import book_root
from .jobs import Job

OWN, RUNS = "own", "runs"
"""Folders in results/ and results/<profile>/ whose records nothing else depends on."""
SEEDS = ("seed", "seeds")
"""Parameters that hold one seed or a list of them; a notebook has one of the two."""
SHOW = "show"
"""The parameter that says which run a page shows; what is computed and recorded does not depend on it."""
RUNNER = {
    "build",
    "claims",
    "directives",
    "findings",
    "first_cell",
    "jobs",
    "kernel",
    "plan",
    "progress",
    "record_pages",
    "rendering",
    "reproduce",
    "runs",
    "staging",
    "sync",
    "workers",
}
"""Modules of this package that no notebook imports: they run notebooks and build pages."""


def plan(
    names: Sequence[str],
    profile: str,
    changes: Mapping[str, Any] | None = None,
    seeds: Sequence[int] = (),
) -> list[Job]:
    """The jobs of these notebooks (all, if none is named), one for each seed if seeds are given.

    Raises ConfigError for an unknown notebook, profile or parameter, and for a value of the wrong type.
    """
    root, changes = book_root(), dict(changes or {})
    known = notebooks(root)
    if unknown := [name for name in names if name not in known]:
        raise ConfigError(
            f"no notebook {unknown[0]!r} in {root / 'notebooks'}; {did_you_mean(unknown[0], known)}"
        )
    chosen = list(dict.fromkeys(names)) or known
    accepted = list(dict.fromkeys(key for name in chosen for key in profiles.parameters(root, name)))
    if strays := set(changes) - set(accepted):
        stray = min(strays)
        raise ConfigError(f"no parameter {stray!r} in {', '.join(chosen)}; {did_you_mean(stray, accepted)}")
    library = library_key(root, profile)
    return [
        _job(root, name, profile, changes | seeding, library)
        for name in chosen
        for seeding in _seedings(root, name, changes, seeds)
    ]


def notebooks(root: Path) -> list[str]:
    """Names of the book's notebooks, in the order of its table of contents (those not in it come last)."""
    names = sorted(path.stem for path in (root / "notebooks").glob("*.py") if not is_draft(path))
    contents = plain_yaml.read(root / "_toc.yml")
    order = [Path(page).name for page in pages(contents) if page.startswith("notebooks/")]
    return sorted(names, key=lambda name: order.index(name) if name in order else len(order))


def pages(contents: Any) -> list[str]:
    """Every page that a table of contents names, in reading order."""
    if isinstance(contents, list):
        return [page for part in contents for page in pages(part)]
    if not isinstance(contents, dict):
        return []
    own = [contents[key] for key in ("root", "file") if isinstance(contents.get(key), str)]
    return own + [page for key in ("parts", "chapters", "sections") for page in pages(contents.get(key))]


def executed_path(root: Path, job: Job) -> Path:
    """The executed notebook of a job."""
    return root / "book" / "_build" / "executed" / job.profile / f"{job.label}.ipynb"


def log_path(root: Path, job: Job) -> Path:
    """The log of a job."""
    return root / "book" / "_build" / "logs" / job.profile / f"{job.label}.log"


def record_folder(root: Path, job: Job) -> Path:
    """The folder of a job's records."""
    folder = root / "results" / job.profile
    return folder / RUNS / job.label if job.changes else folder


def expected_seconds(root: Path, job: Job) -> float:
    """Wall time of the notebook's last run at this profile, or of its recorded one; infinite if unknown."""
    try:
        executed = root / "book" / "_build" / "executed" / job.profile / f"{job.name}.ipynb"
        return float(json.loads(executed.read_text(encoding="utf-8"))["metadata"]["l2o"]["seconds"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    for folder in (job.profile, "standard"):
        try:
            record = json.loads((root / "results" / folder / f"{job.name}.json").read_text(encoding="utf-8"))
            return float(record["wall_time_s"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass
    return float("inf")


def library_key(root: Path, profile: str, *, with_runner: bool = False) -> str:
    """Digest of what every notebook depends on: library, pinned versions, published and recorded numbers.

    Records of the profile itself are left out: the notebooks write them. So are the modules of `RUNNER`,
    unless `with_runner` asks for them.
    """
    book, runner = Path(__file__).parent, set() if with_runner else RUNNER
    folders = [(Path(l2o_core.__file__).parent, "**/*"), (book, "**/*")]
    folders += [(root / "results", "*/*.json"), (root, "constraints.txt"), (root, "book/published.yml")]
    parts: list[str | bytes] = []
    for folder, pattern in folders:
        for path in sorted(path for path in folder.glob(pattern) if path.is_file() and not is_draft(path)):
            within = path.relative_to(folder)
            of_runner = folder == book and within.stem in runner
            if not of_runner and not {"__pycache__", "cli", profile, OWN} & {*within.parts[:-1]}:
                parts += [within.as_posix(), path.read_bytes()]
    return digest(*parts)


def digest(*parts: str | bytes) -> str:
    """A name for content."""
    total = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        total.update(len(data).to_bytes(8, "big") + data)
    return total.hexdigest()


def _seedings(
    root: Path, name: str, changes: Mapping[str, Any], seeds: Sequence[int]
) -> list[dict[str, Any]]:
    """The change of parameters for each seed: of `seed`, or of the list `seeds`, whichever there is."""
    if not seeds:
        return [{}]
    known = profiles.parameters(root, name)
    found = next((key for key in SEEDS if key in known), None)
    if found is None:
        raise ConfigError(f"{name} has no parameter seed or seeds, so it cannot be run with --seeds")
    if found in changes:
        raise ConfigError(f"--seeds and --parameter {found}=... both set the seeds of {name}; give one")
    return [{found: seed if found == "seed" else [seed]} for seed in dict.fromkeys(seeds)]


def _job(root: Path, name: str, profile: str, changes: Mapping[str, Any], library: str) -> Job:
    source = (root / "notebooks" / f"{name}.py").read_text(encoding="utf-8")
    defaults = profiles.defaults(source)
    usual = defaults | profiles.settings(root, name, profile, {})
    values = profiles.settings(root, name, profile, changes)
    changed = {
        key: value for key, value in (defaults | values).items() if value != usual[key] and key != SHOW
    }
    if changed and SHOW in values and SHOW not in changes:
        values[SHOW] = "own"  # the recorded run is not of these parameters
    return Job(
        name=name,
        label=_label(name, changed),
        profile=profile,
        parameters=values,
        changes=changed,
        source=source,
        key=digest(library, source, json.dumps(values, sort_keys=True, default=str)),
        resources=profiles.resources(root, name, profile),
    )


def _label(name: str, changes: Mapping[str, Any]) -> str:
    """The notebook's name, and behind it what is changed: one seed, a digest of the rest."""
    parts, rest = [name], dict(changes)
    match changes:
        case {"seed": int(seed)} | {"seeds": [int(seed)]}:
            parts.append(f"seed{seed}")
            rest = {key: value for key, value in changes.items() if key not in SEEDS}
    if rest:
        parts.append(digest(json.dumps(rest, sort_keys=True, default=str))[:8])
    return "-".join(parts)
