"""Who runs jobs: this machine's cores, or the workers of a Dask cluster. Both give back futures."""

from __future__ import annotations

import gc
import logging
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

from l2o_core.errors import ConfigError

from . import jobs, plan, provenance
from .checkout import ROOT, book_root
from .jobs import Job, Outcome, Report

CONNECT_SECONDS = 10
CHECKOUT = "the book's checkout"


class Workers(Protocol):
    """Jobs are given to `submit`, which returns a future of an `Outcome`; `stop` ends those that run."""

    about: str

    def submit(self, job: Job) -> Any:
        """Queue a job."""

    def stop(self) -> None:
        """Forget queued jobs and end running ones."""


class Cores:
    """The cores of this machine: threads that wait, each for the kernel's process of one job."""

    def __init__(self, root: Path, count: int, report: Report):
        self.root, self.report, self.group = root, report, uuid.uuid4().hex
        self.about = f"{count} at a time"
        self.pool = ThreadPoolExecutor(count)

    def submit(self, job: Job) -> Any:
        """Queue a job."""
        return self.pool.submit(jobs.run, job, self.root, self.report, self.group)

    def stop(self) -> None:
        """Forget queued jobs and end running ones."""
        self.pool.shutdown(wait=False, cancel_futures=True)
        jobs.stop(self.group)


class Cluster:
    """The workers of a Dask cluster, which reruns a job whose worker died."""

    def __init__(self, client: Any, profile: str, report: Report):
        self.client, self.group = client, f"l2o-{uuid.uuid4().hex}"
        self.futures: list[Any] = []
        self.expected = environment(profile)
        self.profile, self.about = profile, f"on {client.scheduler.address}"
        client.subscribe_topic(self.group, lambda event: report(event[1]))

    def submit(self, job: Job) -> Any:
        """Queue a job."""
        future = self.client.submit(
            run_on_worker,
            job,
            self.group,
            self.expected,
            key=f"{job.label}-{self.group}",
            resources=dict(job.resources),
            pure=False,
        )
        self.futures.append(future)
        return future

    def stop(self) -> None:
        """Forget queued jobs and end running ones."""
        self.client.cancel(self.futures)
        self.client.run(jobs.stop, self.group, on_error="ignore")


@contextmanager
def cores(root: Path, count: int, report: Report) -> Iterator[Cores]:
    """The cores of this machine, running `count` jobs at a time."""
    workers = Cores(root, count, report)
    try:
        yield workers
    finally:
        workers.pool.shutdown()


@contextmanager
def cluster(
    address: str, root: Path, count: int, planned: Sequence[Job], report: Report
) -> Iterator[Cluster]:
    """The Dask cluster at `address`; with "local", one of `count` workers that is started on this machine.

    Raises ConfigError if no scheduler answers, or if a worker could not run the jobs as they would run here.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise ConfigError("--scheduler needs Dask: pip install 'l2o_core[dask]'") from None
    with ExitStack() as stack:
        target: Any = address
        patience: float = CONNECT_SECONDS
        if address == "local":
            target = stack.enter_context(
                LocalCluster(
                    n_workers=count,
                    threads_per_worker=1,
                    host="127.0.0.1",
                    dashboard_address=None,
                    silence_logs=logging.ERROR,
                    memory_limit=None,  # a worker only waits for a kernel, which needs the memory
                    resources=_largest(planned),
                    env={ROOT: str(root)},
                )
            )
            patience = 300  # it is there, but the machine may be busy
        reason = ""
        try:
            client = Client(target, timeout=patience, set_as_default=False)
        except (OSError, ValueError) as error:
            reason = jobs.first_line(str(error)) or type(error).__name__
        if reason:
            gc.collect()  # half a client is left, which must not close itself while another starts
            raise ConfigError(f"no Dask scheduler answers at {address} ({reason})")
        stack.enter_context(client)
        workers = Cluster(client, planned[0].profile, report)
        check(client, workers.expected, planned)
        yield workers


def environment(profile: str) -> dict[str, str | None]:
    """Everything a run depends on beside its job: versions of packages, and a digest of the checkout."""
    versions = {
        name: version and version.partition("+")[0] for name, version in provenance.versions().items()
    }
    return versions | {CHECKOUT: plan.library_key(book_root(), profile, with_runner=True)}


def run_on_worker(job: Job, group: str, expected: Mapping[str, str | None]) -> Outcome:
    """Run a job in a Dask worker's checkout; events go to the topic `group`."""
    from distributed import get_worker

    worker = get_worker()
    if problem := difference(environment(job.profile), expected):
        raise ConfigError(f"worker {worker.address} {problem}")
    return jobs.run(job, book_root(), lambda event: worker.log_event(group, event), group)


def difference(found: Mapping[str, str | None], expected: Mapping[str, str | None]) -> str:
    """How an environment differs from the one expected, as the end of a sentence; empty if it does not."""
    for name, version in expected.items():
        if found.get(name) != version:
            if name == CHECKOUT:
                return (
                    "has another version of the book (code, constraints or recorded numbers); update it there"
                )
            return f"has {name} {found.get(name)}, and here it is {version}; install the same there"
    return ""


def check(client: Any, expected: Mapping[str, str | None], planned: Sequence[Job]) -> None:
    """ConfigError for a worker that would not run the jobs as they would run here, or not at all.

    A cluster that has no workers yet passes: the jobs wait, and whoever takes one is checked then.
    """
    profile = planned[0].profile

    def look(dask_worker: Any) -> tuple[str, dict[str, float]]:
        # Defined in here, it travels as code, so that it also runs where the package is not installed.
        try:
            from l2o_book.workers import difference, environment

            problem = difference(environment(profile), expected)
        except ImportError as error:
            problem = (
                f"cannot import {error.name}; install this checkout there (make book, or pip install -e)"
            )
        except ValueError as error:  # no checkout
            problem = f"is not in a checkout of the book: {error}"
        return problem, dict(dask_worker.state.total_resources)

    found = client.run(look)
    for address, (problem, _) in found.items():
        if problem:
            raise ConfigError(f"worker {address} {problem}")
    for job in planned:
        for name, amount in job.resources.items():
            if found and not any(offered.get(name, 0) >= amount for _, offered in found.values()):
                raise ConfigError(
                    f"{job.name} needs {name}: {amount:g}, which no worker offers; "
                    f"start one with: dask worker ADDRESS --resources {name}={amount:g}"
                )


def _largest(planned: Sequence[Job]) -> dict[str, float]:
    """Resources that are enough for each of the jobs."""
    found: dict[str, float] = {}
    for job in planned:
        for name, amount in job.resources.items():
            found[name] = max(amount, found.get(name, 0))
    return found
