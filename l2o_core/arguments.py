"""Options as plain Python values of the right type, and devices that this machine has."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    import torch

LARGEST_SEED = 2**31 - 1
"""Of a search or of recorded rows, whatever draws from it."""


def whole(name: str, value: Any, least: int | None = None, most: int | None = None) -> int:
    """A whole number, from `least` to `most`. ConfigError for anything else, True and 3.0 among it."""
    if isinstance(value, Integral) and not isinstance(value, bool):
        number = int(value)
        if (least is None or number >= least) and (most is None or number <= most):
            return number
    bounds = [f"{least} or more"] if least is not None else []
    bounds += [f"{most} or less"] if most is not None else []
    allowed = f", {' and '.join(bounds)}" if bounds else ""
    raise ConfigError(f"{name} must be a whole number{allowed}, not {value!r:.60}")


def finite(name: str, value: Any) -> float:
    """A finite number. ConfigError for anything else."""
    if math.isfinite(number := _real(value)):
        return number
    raise ConfigError(f"{name} must be a finite number, not {value!r:.60}")


def positive(name: str, value: Any, unit: str, infinite: bool = False) -> float:
    """A positive number. ConfigError for anything else."""
    number = _real(value)
    if 0 < number < math.inf or (infinite and number == math.inf):
        return number
    raise ConfigError(f"{name} must be a positive number of {unit}, not {value!r:.60}")


def known_only(what: str, given: Iterable[str], known: Iterable[str]) -> None:
    """ConfigError for the first option of `what` that is not among the known ones."""
    known = tuple(known)
    if unknown := [name for name in given if name not in known]:
        raise ConfigError(f"{what} has no option {unknown[0]!r}; {did_you_mean(unknown[0], known)}")


def scalar(value: Any) -> Any:
    """The number in an array or a tensor without dimensions; anything else as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 else value


def seed(name: str, value: Any) -> int:
    """A seed from anything that scikit-learn takes as `random_state`: None and generators draw one."""
    if value is None:
        value = np.random.default_rng()
    if isinstance(value, np.random.Generator):
        return int(value.integers(LARGEST_SEED))
    if isinstance(value, np.random.RandomState):
        return int(value.randint(LARGEST_SEED))
    return whole(name, value, 0)


def plain(value: Any) -> Any:
    """NumPy's numbers, truths and text, and other real numbers, as Python's own; anything else as it is."""
    if isinstance(value, bool):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    return value.item() if isinstance(value, np.generic) else value


def check_types(function: Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The function's arguments by name, plain values all of them; those without a value have their default.

    Raises ConfigError for a value of another type than the function's annotation of that name. Annotations
    other than int, float, bool and str, each perhaps with None, take anything.
    """
    found = {}
    for name, parameter in inspect.signature(function).parameters.items():
        kind, *others = str(parameter.annotation).split(" | ")
        found[name] = value = plain(values.get(name, parameter.default))
        if kind in CHECKS and others in ([], ["None"]) and not (others and value is None):
            CHECKS[kind](name, value)
    return found


def find_device(name: str | torch.device) -> torch.device:
    """The device of a name such as "cuda", with its number; ConfigError where this machine has none."""
    import torch  # not with the module: whoever only checks types does without

    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError, TypeError):  # PyTorch's own, with and without CUDA compiled in
        raise ConfigError(f"no {str(name).upper():.20} device here; set device to cpu") from None


def _flag(name: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise ConfigError(f"{name} must be True or False, not {value!r:.60}")


def _text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    raise ConfigError(f"{name} must be text, not {value!r:.60}")


def _real(value: Any) -> float:
    """A real number as a float; nan for anything else, an integer that no float holds among it."""
    if isinstance(value, Real) and not isinstance(value, bool):
        with suppress(OverflowError):
            return float(value)
    return math.nan


CHECKS: Mapping[str, Callable[[str, Any], Any]] = {
    "int": whole,
    "float": finite,
    "bool": _flag,
    "str": _text,
}
