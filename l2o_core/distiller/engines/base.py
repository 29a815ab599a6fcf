"""What every engine is given and gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...expressions import Expression


@dataclass(frozen=True)
class Search:
    """A regression problem in scaled units.

    `columns` [n, d] of unit variance; `targets` [n] of unit variance; `terms`: what each column is, as an
    expression of the variables; `max_complexity` in nodes; `time_limit` in seconds.
    """

    columns: NDArray[np.float64]
    targets: NDArray[np.float64]
    terms: list[Expression]
    max_complexity: int
    time_limit: float
    seed: int


Engine = Callable[[Search], list[Expression]]
