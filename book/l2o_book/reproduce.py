"""`l2o reproduce`: run the book's notebooks at the scale of a profile, side by side, here or on a cluster.

A notebook whose source, parameters, library, pinned versions and recorded inputs are the same as at its last
successful run, and whose record is still the one of that run, is not run again. One that fails does not stop
the others.
"""

from __future__ import annotations

import argparse
import queue
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from l2o_core.errors import ConfigError, L2OError
from l2o_core.processors import processors

from . import plan, profiles, progress, runs
from .checkout import book_root
from .jobs import Job, Outcome, first_line
from .runs import Run

REASONS = {"KilledWorker": "its worker died, and so did those it was given to then; out of memory, perhaps"}


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command to `l2o`."""
    parser = commands.add_parser("reproduce", help="run the book's notebooks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="notebooks to run (default: all)")
    parser.add_argument(
        "--seeds", nargs="+", type=int, default=[], metavar="N", help="run each notebook once for each seed"
    )
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="K=V",
        help="set one parameter of the notebooks, over the profile (repeatable)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="where executed notebooks go (book/_build/executed/PROFILE)"
    )
    add_options(parser)
    parser.set_defaults(run=run)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that a build of the book takes, too."""
    parser.add_argument("--profile", default="quick", help="quick (default), standard or paper")
    parser.add_argument("--force", action="store_true", help="run even what has not changed")
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="run N notebooks at a time, one thread each (one a core)"
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="run on this Dask cluster, such as tcp://10.0.0.1:8786; local: on one that is started here",
    )


def run(options: argparse.Namespace) -> int:
    """Execute and summarise; exit status 1 if a notebook failed."""
    done = execute(
        options.names,
        options.profile,
        parameters=dict(profiles.assignment(text) for text in options.parameter),
        seeds=options.seeds,
        jobs=options.jobs,
        scheduler=options.scheduler,
        force=options.force,
        folder=options.out,
        show=progress.choose(),
    )
    print(runs.summary(done))
    return 1 if any(run.failure for run in done) else 0


def execute(
    names: Sequence[str],
    profile: str,
    *,
    parameters: Mapping[str, Any] | None = None,
    seeds: Sequence[int] = (),
    jobs: int | None = None,
    scheduler: str | None = None,
    force: bool = False,
    folder: Path | None = None,
    show: progress.Quiet | None = None,
) -> list[Run]:
    """Run notebooks (all, if none is named) with a profile's parameters, `parameters` going over them.

    `jobs` of them run at a time on this machine (default: one a core), or as many as the Dask cluster at
    `scheduler` has workers for. Raises ConfigError for input that makes no sense, before anything runs.
    """
    if jobs is not None and jobs < 1:
        raise ConfigError(f"--jobs must be at least 1, not {jobs}")
    if jobs is not None and scheduler not in (None, "local"):
        raise ConfigError(f"--jobs is for this machine; the cluster at {scheduler} has workers of its own")
    root, show = book_root(), show or progress.Quiet()
    planned = plan.plan(names, profile, parameters, seeds)
    paths = {
        job.label: folder / f"{job.label}.ipynb" if folder else plan.executed_path(root, job)
        for job in planned
    }
    done = {}
    for job in planned:
        if not force and (run := runs.earlier(root, job, paths[job.label])):
            done[job.label] = run
            show.line(f"{job.label}: unchanged")
    left = [job for job in planned if job.label not in done]
    left.sort(key=lambda job: -plan.expected_seconds(root, job))  # so that the last ones end together
    if left:
        for run in _run_all(root, left, paths, jobs or processors(), scheduler, show):
            done[run.label] = run
    return [done[job.label] for job in planned]


def _run_all(
    root: Path,
    planned: Sequence[Job],
    paths: Mapping[str, Path],
    count: int,
    scheduler: str | None,
    show: progress.Quiet,
) -> Iterator[Run]:
    """Run jobs, and store each as soon as it ends. Whatever happens elsewhere arrives here as an event."""
    from . import workers

    events: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    count = min(count, len(planned))
    place: AbstractContextManager[workers.Cores | workers.Cluster]
    if scheduler:
        place = workers.cluster(scheduler, root, count, planned, events.put)
    else:
        place = workers.cores(root, count, events.put)
    with (
        place as crew,
        progress.Reporter(show, {job.label: plan.log_path(root, job) for job in planned}) as tell,
    ):
        noun = "notebook" if len(planned) == 1 else "notebooks"
        show.begin(len(planned), f"{len(planned)} {noun} to run ({planned[0].profile}), {crew.about}")
        try:
            waiting = {}
            for job in planned:
                waiting[job.label] = job, (future := crew.submit(job))
                ended = {"job": job.label, "event": "ended"}
                future.add_done_callback(lambda _, ended=ended: events.put(ended))
            while waiting:
                try:
                    event = events.get(timeout=1)
                except queue.Empty:
                    show.beat()
                    continue
                if event["event"] == "ended":
                    job, future = waiting.pop(event["job"])
                    run = runs.store(root, job, _outcome(future), paths[job.label])
                    tell.ended(run.label, run.seconds, run.failure)
                    yield run
                else:
                    tell.hear(event)
        except BaseException:
            crew.stop()
            raise


def _outcome(future: Any) -> Outcome:
    """What a future holds; of a job that could not even run, an outcome that says why."""
    try:
        return future.result()
    except CancelledError:
        failure = "the scheduler went away"
    except L2OError as error:
        failure = str(error)
    except Exception as error:  # Dask's own, or of a worker's installation
        failure = REASONS.get(type(error).__name__, f"{type(error).__name__}: {first_line(str(error))}")
    return Outcome(notebook="", records={}, seconds=0.0, host="", failure=failure)
