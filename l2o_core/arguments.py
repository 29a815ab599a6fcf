"""Options: against the types that a signature names, and devices against what this machine has."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from .errors import ConfigError

if TYPE_CHECKING:
    import torch

KINDS: Mapping[str, tuple[type, str]] = {
    "int": (Integral, "a whole number"),
    "float": (Real, "a finite number"),
    "bool": (bool, "True or False"),
    "str": (str, "text"),
}


def check_types(function: Callable[..., Any], values: Mapping[str, Any]) -> None:
    """Raise ConfigError for a value of another type than the function's annotation of that name.

    Annotations other than int, float, bool and str, each perhaps with None, take anything.
    """
    for name, parameter in inspect.signature(function).parameters.items():
        kind, *others = str(parameter.annotation).split(" | ")
        value = values.get(name, parameter.default)
        if kind not in KINDS or others not in ([], ["None"]) or (others and value is None):
            continue
        wanted, words = KINDS[kind]
        fits = isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))
        if not fits or (wanted is Real and not _finite(value)):
            raise ConfigError(f"{name} must be {words}, not {value!r:.60}")


def find_device(name: str | torch.device) -> torch.device:
    """The device of a name such as "cuda", with its number; ConfigError where this machine has none."""
    import torch  # not with the module: whoever only checks types does without

    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError, TypeError):  # PyTorch's own, with and without CUDA compiled in
        raise ConfigError(f"no {str(name).upper():.20} device here; set device to cpu") from None


def _finite(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that no float holds
        return False
