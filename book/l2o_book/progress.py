"""What is told while jobs run: bars on a terminal, lines elsewhere; and a log of each job."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

HEARTBEAT_SECONDS = 30


class Quiet:
    """Progress that is not shown, and the base of progress that is."""

    def begin(self, jobs: int, about: str) -> None:
        """Announce so many jobs; `about` says which and where."""

    def line(self, text: str) -> None:
        """Show a line of text."""

    def cells(self, label: str, done: int, total: int) -> None:
        """Show how many of its cells a running job has done."""

    def ended(self, label: str, text: str) -> None:
        """Show how a job has ended."""

    def beat(self) -> None:
        """Show that time passes; called about once a second."""

    def close(self) -> None:
        """Put away what was shown."""


class Lines(Quiet):
    """A line when a job begins or ends, and at least every `every` seconds one on all that run."""

    def __init__(self, say: Callable[[str], None], every: float = HEARTBEAT_SECONDS):
        self.say, self.every = say, every
        self.running: dict[str, str] = {}
        self.jobs = self.done = 0
        self.started = self.told = time.monotonic()

    def begin(self, jobs: int, about: str) -> None:
        """Say it in a line."""
        self.jobs = jobs
        self.say(about)

    def line(self, text: str) -> None:
        """Say it."""
        self.say(text)

    def cells(self, label: str, done: int, total: int) -> None:
        """Say that a job has begun; for the rest, wait for the next line on all."""
        if label not in self.running:
            self.say(f"{label}: started")
        self.running[label] = f"{label} {done}/{total} cells"
        self.beat()

    def ended(self, label: str, text: str) -> None:
        """Say it, with the number of jobs that have ended."""
        self.running.pop(label, None)
        self.done += 1
        self.say(f"[{self.done}/{self.jobs}] {label}: {text}")

    def beat(self) -> None:
        """Say where all running jobs are, if it is time to."""
        now = time.monotonic()
        if now - self.told >= self.every:
            self.told = now
            seconds = f"{now - self.started:.0f} s"
            self.say(" · ".join([*self.running.values(), f"{self.done} of {self.jobs} jobs done", seconds]))


class Bars(Quiet):
    """A bar for each job that runs, and one for all."""

    def __init__(self) -> None:
        self.bars: dict[str, Any] = {}

    def begin(self, jobs: int, about: str) -> None:
        """Draw the bar for all."""
        self.line(about)
        self._bar("", jobs, unit="job", desc="all")

    def line(self, text: str) -> None:
        """Write above the bars."""
        from tqdm import tqdm

        tqdm.write(text)

    def cells(self, label: str, done: int, total: int) -> None:
        """Move the bar of a job, or draw it."""
        bar = self.bars.get(label) or self._bar(label, total, unit="cell", desc=label, leave=False)
        bar.update(done - bar.n)

    def ended(self, label: str, text: str) -> None:
        """Take away the bar of a job, and move the one for all."""
        if bar := self.bars.pop(label, None):
            bar.close()
        self.line(f"{label}: {text}")
        self.bars[""].update()

    def beat(self) -> None:
        """Draw anew, for the clocks."""
        for bar in self.bars.values():
            bar.refresh()

    def close(self) -> None:
        """Take away all bars."""
        for bar in self.bars.values():
            bar.close()

    def _bar(self, label: str, total: int, **options: Any) -> Any:
        from tqdm import tqdm

        return self.bars.setdefault(label, tqdm(total=total, dynamic_ncols=True, **options))


class Log:
    """A job's log: what happened to it, and when, and what its notebook printed."""

    def __init__(self, path: Path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = path.open("w", encoding="utf-8", buffering=1)
        self.at_margin = True

    def note(self, text: str) -> None:
        """A line of ours."""
        self.copy(f"{'' if self.at_margin else chr(10)}--- {time.strftime('%H:%M:%S')} {text}\n")

    def copy(self, text: str) -> None:
        """What the notebook printed."""
        self.file.write(text)
        self.at_margin = text.endswith("\n")


class Reporter:
    """Turns the events of jobs into progress and logs."""

    def __init__(self, show: Quiet, paths: Mapping[str, Path]):
        self.show = show
        self.logs = {label: Log(path) for label, path in paths.items()}
        self.attempts: dict[str, int] = {}
        self.over: set[str] = set()

    def __enter__(self) -> Reporter:
        return self

    def __exit__(self, *reason: object) -> None:
        self.show.close()
        for log in self.logs.values():
            log.file.close()

    def hear(self, event: Mapping[str, Any]) -> None:
        """An event of a running job; from a cluster, it may come after the job's end."""
        label, log = event["job"], self.logs[event["job"]]
        match event:
            case {"event": "output", "text": text}:
                log.copy(text)
            case {"event": "started", "attempt": attempt, "cells": cells, "host": host}:
                log.note(f"started on {host}: {cells} cells")
                if attempt <= self.attempts.get(label, 0):
                    self.show.line(f"{label}: started again on {host}; its worker died")
                self.attempts[label] = attempt
                self._cells(label, 0, cells)
            case {"event": "cell", "cell": cell, "cells": cells, "place": place}:
                log.note(f"cell {cell} of {cells} done ({place})")
                self._cells(label, cell, cells)
            case {"event": "again", "reason": reason}:
                log.note(f"{reason}; once more")
                self.show.line(f"{label}: {reason}; once more")

    def ended(self, label: str, seconds: float, failure: str | None) -> None:
        """A job has ended."""
        text = f"FAILED {failure}" if failure else f"done in {seconds:.0f} s"
        self.over.add(label)
        self.logs[label].note(text)
        self.show.ended(label, text)

    def _cells(self, label: str, done: int, total: int) -> None:
        if label not in self.over:
            self.show.cells(label, done, total)


def choose(stream: Any = None) -> Quiet:
    """Bars if standard error is a terminal, else lines."""
    return Bars() if (stream or sys.stderr).isatty() else Lines(lambda text: print(text, flush=True))
