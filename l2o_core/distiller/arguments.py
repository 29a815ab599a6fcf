"""Options of a search as plain Python numbers, whatever number type they come in."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np

from ..errors import ConfigError

LARGEST_SEED = 2**31 - 1  # of all engines


def whole(name: str, value: Any, least: int) -> int:
    """A whole number of at least `least`. ConfigError for anything else, True and 3.0 among it."""
    if isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) >= least:
        return int(value)
    raise ConfigError(f"{name} must be a whole number, {least} or more, not {value!r}")


def positive(name: str, value: Any, unit: str, infinite: bool = False) -> float:
    """A positive number. ConfigError for anything else."""
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        number = float(value)
        if 0 < number < math.inf or (infinite and number == math.inf):
            return number
    raise ConfigError(f"{name} must be a positive number of {unit}, not {value!r}")


def seed(name: str, value: Any) -> int:
    """A seed from anything that scikit-learn takes as `random_state`: None and generators draw one."""
    if value is None:
        value = np.random.default_rng()
    if isinstance(value, np.random.Generator):
        return int(value.integers(LARGEST_SEED))
    if isinstance(value, np.random.RandomState):
        return int(value.randint(LARGEST_SEED))
    return whole(name, value, 0)
