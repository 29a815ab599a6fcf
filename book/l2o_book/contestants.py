"""Equations in a race: each with the best of the rates and constants that it was tried with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from l2o_core.models import Equation

from . import records


@dataclass(frozen=True, eq=False)
class Contestant:
    """An equation, a factor of its own steps, and the constants that were tuned, for a table."""

    equation: Equation
    rate: float = 1.0
    constants: dict[str, float] = field(default_factory=dict)


def discovered_rule(place: int = 0) -> tuple[str, str]:
    """A rule that a search without a teacher found, from its committed record, and that record's name.

    `place` is that of one of its independent searches; after the last one follows the first.
    """
    found = records.load("rules_with_memory", "standard")
    searches = found.values["discovery"]
    return searches[place % len(searches)]["text"], found.source


def best_rate(scores: Sequence[float], rates: Sequence[float]) -> float:
    """The rate with the highest score; of several, the middle one, farthest from where it gets worse."""
    highest = max(scores)
    best = [rate for rate, found in sorted(zip(rates, scores, strict=True)) if found == highest]
    return best[len(best) // 2]
