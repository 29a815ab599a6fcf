"""A run: a job that has ended, what it left on disk, and whether that is good still."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from l2o_core.storage import replacing

from . import percent, plan
from .jobs import Job, Outcome


@dataclass(frozen=True)
class Run:
    """A job that has ended: its executed notebook, its seconds, and what failed.

    `cached` is a run of earlier, which nothing has changed since. `changes` are the parameters that are not
    the profile's.
    """

    name: str
    path: Path
    seconds: float
    cached: bool = False
    failure: str | None = None
    label: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)
    attempts: int = 1
    log: Path | None = None


def store(root: Path, job: Job, outcome: Outcome, path: Path) -> Run:
    """Write a job's records, if it succeeded, and its executed notebook; a failure's stands beside `path`."""
    folder, records = plan.record_folder(root, job), {}
    if not outcome.failure:
        for name, text in outcome.records.items():
            _write(folder / name, text)
            records[name] = plan.digest(text)
    notebook = json.loads(outcome.notebook or _not_run(job))
    notebook["metadata"]["l2o"] = {
        "digest": _content(notebook),
        "key": job.key,
        "seconds": outcome.seconds,
        "profile": job.profile,
        "parameters": dict(job.parameters),
        "records": records,
        "host": outcome.host,
        "failure": outcome.failure,
    }
    failed = path.with_suffix(".failed.ipynb")
    failed.unlink(missing_ok=True)
    path = failed if outcome.failure else path
    _write(path, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")
    return Run(
        name=job.name,
        path=path,
        seconds=outcome.seconds,
        failure=outcome.failure,
        label=job.label,
        changes=job.changes,
        attempts=outcome.attempts,
        log=plan.log_path(root, job),
    )


def earlier(root: Path, job: Job, path: Path) -> Run | None:
    """The last successful run, if it was of the very same job and what it left is as it was left."""
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        left = notebook["metadata"].pop("l2o")
        folder = plan.record_folder(root, job)
        records = {name: plan.digest((folder / name).read_bytes()) for name in left["records"]}
        same = left["key"] == job.key and not left["failure"] and left["records"] == records
        same &= left["digest"] == _content(notebook)
        seconds = float(left["seconds"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return Run(job.name, path, seconds, cached=True, label=job.label, changes=job.changes) if same else None


def summary(runs: Sequence[Run]) -> str:
    """One line per run: seconds, state, and where and why it failed."""
    width = max(map(len, ["notebook", *(run.label for run in runs)]))
    lines = [f"{'notebook':<{width}}  seconds  state"]
    for run in runs:
        state = f"FAILED {run.failure}" if run.failure else "unchanged" if run.cached else "run"
        state += f", at attempt {run.attempts}" if run.attempts > 1 else ""
        state += (
            f" ({', '.join(f'{key}={value}' for key, value in run.changes.items())})" if run.changes else ""
        )
        lines.append(f"{run.label:<{width}}  {run.seconds:7.1f}  {state}")
    failed = [run for run in runs if run.failure]
    lines += [f"log: {run.log}" for run in failed]
    lines.append(
        f"{len(runs) - len(failed)} of {len(runs)} notebooks are fine" if failed else "all notebooks are fine"
    )
    return "\n".join(lines)


def _content(notebook: Mapping[str, Any]) -> str:
    return plan.digest(json.dumps(notebook, sort_keys=True))


def _write(path: Path, text: str) -> None:
    with replacing(path) as draft:
        draft.write_text(text, encoding="utf-8")


def _not_run(job: Job) -> str:
    """The notebook of a job that did not even begin, as JSON."""
    import jupytext

    return jupytext.writes(percent.reads(job.source), fmt="ipynb")
