"""Equations that were found elsewhere, measured like our own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .distill import measured
from .front import ParetoFront
from .hall_of_fame import read_hall_of_fame
from .problem import prepare


def import_pysr(
    path: str | Path,
    X: np.ndarray,
    y: np.ndarray,
    names: Sequence[str] | None = None,
    *,
    groups: np.ndarray | None = None,
    max_complexity: int = 200,
    split_seed: int = 0,
) -> ParetoFront:
    """A hall of fame as a front, measured on rows of your own: inputs `X` [n, d], targets `y` [n].

    Complexity is counted by us. Raises what `read_hall_of_fame` and `distill` raise.
    """
    problem = prepare(X, y, names, groups, split_seed)
    scaled = [problem.in_scaled_units(equation) for equation in read_hall_of_fame(path, names)]
    entries = measured(scaled, problem, max_complexity)
    return ParetoFront.of(entries, "pysr", 0.0, problem.notes, problem.fingerprint)
