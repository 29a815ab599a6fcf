"""What a run used: digests of its teachers, rows, fronts, losses and trainings, and what a cache gave it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from l2o_core.errors import DataError
from l2o_core.models import LearnedOptimizer
from l2o_core.storage import Cache, digest

_teachers: dict[str, dict[str, Any]] = {}
_results: dict[str, dict[str, bool]] = {}  # by kind and digest: whether it was there before


class TracedCache(Cache):
    """A cache whose results appear in the record of the run."""

    def path(self, kind: str, key: Mapping[str, Any], suffix: str) -> Path | None:
        """As of `Cache`; a result is noted at its first use."""
        found = super().path(kind, key, suffix)
        _results.setdefault(kind, {}).setdefault(self.name(key), bool(found and found.is_file()))
        return found


def teacher(name: str, model: LearnedOptimizer, training: Mapping[str, Any], *, cached: bool) -> None:
    """Note a teacher by name ("rp/p2, seed 1"), with what its file says of its training.

    Raises DataError where another seed of the recipe has the same weights.
    """
    weights, recipe = digest(model.identity), name.partition(",")[0]
    for other, known in _teachers.items():
        if known["digest"] == weights and other != name and other.startswith(f"{recipe},"):
            raise DataError(f"{name} and {other} are one model, not two: train one of them again")
    facts = {"digest": weights, "part": dict(training.get("task", {})).get("part"), "cached": cached}
    seconds = training.get("history", {}).get("seconds")
    _teachers.setdefault(name, facts | {"trained with seed": training.get("seed"), "seconds": seconds})


def used() -> dict[str, Any]:
    """All that was noted: teachers by name; of each kind of result its digests, and how many were cached."""
    results = {
        kind: {"digests": sorted(found), "from cache": sum(found.values())}
        for kind, found in sorted(_results.items())
    }
    return ({"teachers": dict(_teachers)} if _teachers else {}) | results


def forget() -> None:
    """Begin anew: called by a page as it starts."""
    _teachers.clear()
    _results.clear()
