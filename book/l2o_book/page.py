"""A page of the book at work: its parameters, its clock, and the record that it shows."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from l2o_core.arguments import find_device
from l2o_core.errors import ConfigError

from . import mime, plots, profiles, records, sources
from .checkout import book_root, cache_dir
from .records import Record
from .threads import one_thread

SHOW = ("own", "recorded")
RECORDED = "standard"
"""The profile whose records are committed and can be shown in place of a page's own run."""


class Page:
    """The first line of a notebook after its parameters: `page = Page("sol", globals())`.

    It sets one thread and the book's look, starts the clock, and takes the notebook's parameters, the names
    of its tagged cell, from `scope`.
    """

    def __init__(self, name: str, scope: Mapping[str, Any]):
        self.name, self.started = name, time.perf_counter()
        source = book_root() / "notebooks" / f"{name}.py"
        known = profiles.defaults(source.read_text(encoding="utf-8"))
        self.parameters = {key: scope[key] for key in known}
        self.profile: str = self.parameters["profile"]
        self.show: str = self.parameters.get("show", "own")
        if self.show not in SHOW:
            raise ConfigError(f"show must be one of {', '.join(SHOW)}, not {self.show!r}")
        find_device(self.parameters.get("device", "cpu"))  # now, not after an hour
        sources.forget()
        one_thread()
        plots.use_style()

    @property
    def seconds(self) -> float:
        """Wall time since the page began."""
        return time.perf_counter() - self.started

    @property
    def cache(self) -> Path | None:
        """The cache folder of this profile, if the parameter `folder` names one."""
        return cache_dir(self.parameters.get("folder", ""), self.profile)

    def record(
        self,
        values: Mapping[str, Any],
        *,
        dataset: str,
        engine: str | None = None,
        part_of: str | None = None,
    ) -> Record:
        """Write the record of this run, and return the one that the page shows.

        That is this run's own, or, with the parameter `show="recorded"`, the committed one of profile
        `standard` where there is one. The page says which. `part_of` names the experiment whose committed
        record holds the values of this page among others, from when the two were one page.
        """
        own = records.save(
            self.name,
            values,
            profile=self.profile,
            seed=self.parameters.get("seeds", self.parameters.get("seed", 0)),
            dataset=dataset,
            engine=engine,
            wall_time=self.seconds,
            parameters=self.parameters,
        )
        committed = self.name
        if part_of and not records.exists(committed, RECORDED):
            committed = part_of
        recorded = self.show == "recorded" and records.exists(committed, RECORDED)
        shown = records.load(committed, RECORDED) if recorded else own
        self._announce(shown, recorded)
        return shown

    def _announce(self, record: Record, recorded: bool) -> None:
        """Say which run the page shows; the book puts this under the page's title."""
        kind = "the recorded run" if recorded else "this run"
        text = f"This page shows {kind}: {record.source}, {record.day}."
        mime.mark(
            "record",
            record.experiment,
            {"text/markdown": text, "text/plain": text},
            source=record.source,
            path=f"results/{record.profile}/{record.experiment}.json" if recorded else None,
            commit=record.sha,
            date=record.date,
            profile=record.profile,
            seconds=record.wall_time_s,
            hardware=record.hardware,
        )
