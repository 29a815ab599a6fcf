"""A job: one notebook with all its parameters, and running it, on this machine or on a cluster's worker."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from l2o_core.errors import ConfigError

from . import kernel, percent
from .checkout import RECORD_DIR, ROOT

ATTEMPTS = 2  # a kernel that dies, for want of memory perhaps, is given another chance
Report = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Job:
    """One notebook to run: all that whoever runs it needs to know.

    `changes` are the parameters that are not the profile's. `label` is the notebook's name, and behind it the
    seed and a digest of other changes. `key` is a digest of everything the run depends on.
    """

    name: str
    label: str
    profile: str
    parameters: Mapping[str, Any]
    changes: Mapping[str, Any]
    source: str
    key: str
    resources: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What became of a job: the executed notebook (JSON), its records by file name, seconds, what failed."""

    notebook: str
    records: Mapping[str, str]
    seconds: float
    host: str
    attempts: int = 1
    failure: str | None = None


def run(job: Job, root: Path, report: Report, group: str = "") -> Outcome:
    """Run a job in a kernel of its own, again if the kernel dies.

    `report` is called with events, small dictionaries (see `progress.Reporter.hear`). `group` names the jobs
    that `stop` ends together.
    """
    for attempt in range(1, ATTEMPTS + 1):
        outcome, died = _attempt(job, root, report, group, attempt)
        if not died or group in _stopped:
            break
        if attempt < ATTEMPTS:
            report({"job": job.label, "event": "again", "reason": outcome.failure})
    return outcome


def stop(group: str) -> None:
    """End the kernels of a group, with all their processes, and let no others of it begin."""
    _stopped.add(group)
    with _lock:
        for pid in _kernels[group]:
            _kill(pid)


def first_line(text: str) -> str:
    """The first line that is not empty."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


def _attempt(job: Job, root: Path, report: Report, group: str, attempt: int) -> tuple[Outcome, bool]:
    """The outcome of one run, and whether the kernel died."""
    try:
        import jupytext
        import papermill
        from jupyter_core.utils import ensure_event_loop
        from papermill.engines import papermill_engines
        from papermill.exceptions import PapermillExecutionError
    except ImportError as error:
        raise ConfigError(f"running notebooks needs {error.name}: pip install 'l2o_core[book]'") from None

    papermill_engines.register(kernel.ENGINE, kernel)  # also where the package is only on the path

    def tell(event: str, **facts: Any) -> None:
        report({"job": job.label, "event": event, **facts})

    notebook = percent.reads(job.source)
    cells = sum(cell.cell_type == "code" for cell in notebook.cells)
    here, done = "", 0

    def began(cell: Any, cell_index: int) -> None:
        nonlocal here
        here = cell.source

    def ended(cell: Any, **reply: Any) -> None:
        nonlocal done
        if cell.cell_type == "code" and "injected-parameters" not in cell.metadata.get("tags", []):
            done += 1
            tell("cell", cell=done, cells=cells, place=_place(job, cell.source))

    def launched(pid: int) -> None:
        kernels.append(pid)
        with _lock:
            _kernels[group].add(pid)
        if group in _stopped:
            _kill(pid)

    tell("started", attempt=attempt, cells=cells, host=socket.gethostname())
    kernels: list[int] = []
    failure, died, started = None, False, time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="l2o-") as folder:
        scratch = Path(folder)
        records, draft = scratch / "records", scratch / f"{job.name}.ipynb"
        jupytext.write(notebook, draft)
        with (scratch / "kernel").open("w+b") as told:
            try:
                papermill.execute_notebook(
                    draft,
                    draft,
                    parameters=dict(job.parameters),
                    engine_name=kernel.ENGINE,
                    kernel_name="python3",
                    language="python",
                    progress_bar=False,
                    stdout_file=(output := _Output(tell)),
                    stderr_file=output,
                    environment={ROOT: str(root), RECORD_DIR: str(records)},
                    process={"cwd": str(root / "notebooks"), "stdout": told, "stderr": told},
                    started=launched,
                    on_cell_start=began,
                    on_cell_executed=ended,
                )
            except PapermillExecutionError as error:
                failure = f"in {_place(job, error.source)}: {error.ename}: {first_line(error.evalue)}"
            except RuntimeError as error:  # nbclient: the kernel died, or never answered
                died = True
                failure = f"in {_place(job, here)}: {type(error).__name__}: {first_line(str(error))}"
            except Exception as error:  # one notebook must not stop the others
                failure = f"{type(error).__name__}: {first_line(str(error))}"
            finally:
                ensure_event_loop().close()  # of this thread, which nbclient has made
                with _lock:
                    _kernels[group].difference_update(kernels)
            told.seek(0)
            if text := told.read().decode(errors="replace"):
                tell("output", text=text)
        outcome = Outcome(
            notebook=draft.read_text(encoding="utf-8"),
            records={
                path.name: path.read_text(encoding="utf-8") for path in sorted(records.glob("[!.]*.json"))
            },
            seconds=time.perf_counter() - started,
            host=socket.gethostname(),
            attempts=attempt,
            failure=failure,
        )
    return outcome, died


class _Output:
    """A file for what a notebook prints, which reports it."""

    def __init__(self, tell: Callable[..., None]):
        self.tell = tell

    def write(self, text: str) -> None:
        self.tell("output", text=text)

    def flush(self) -> None:
        pass


_lock = threading.Lock()
_kernels: defaultdict[str, set[int]] = defaultdict(set)
_stopped: set[str] = set()


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _place(job: Job, cell: str) -> str:
    """File and line at which a cell begins."""
    start = job.source.find(cell) if cell else -1
    return f"{job.name}.py:{job.source.count(chr(10), 0, start) + 1}" if start >= 0 else f"{job.name}.py"
