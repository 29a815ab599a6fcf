"""The operators as functions of tensors; see `operators` for what each of them means."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from .operators import DENOMINATOR_CUT, LOG_CUT

Operand = Any  # a tensor; in a compiled rule one of two may be a float


def constant_value(name: str, *values: float) -> float:
    """Apply an operator to numbers, in float64; the result may be infinite."""
    tensors = (torch.tensor(value, dtype=torch.float64) for value in values)
    return TENSOR_FUNCTIONS[name](*tensors).item()


def _divide(x: Operand, y: Operand) -> Tensor:
    if isinstance(y, float):
        return torch.zeros_like(x) if abs(y) < DENOMINATOR_CUT else x * (1 / y)
    vanishing = y.abs() < DENOMINATOR_CUT
    return torch.where(vanishing, 0.0, x / torch.where(vanishing, 1.0, y))


def _magnitude(x: Tensor) -> Tensor:
    """|x|, but 1 where x = 0: the sign, which is 0 there, decides, and no derivative is infinite."""
    return torch.where(x == 0, 1.0, x.abs())


def _sign(x: Tensor) -> Tensor:
    """The sign of x; undefined where x is: torch.sign would make a 0 of it, and nobody would notice."""
    return torch.where(x.isnan(), x, x.sign())


def _sqrt(x: Tensor) -> Tensor:
    return x.sign() * _magnitude(x).sqrt()


def _pow(x: Operand, y: Operand) -> Tensor:
    if isinstance(x, float):
        return math.copysign(1.0, x) * abs(x) ** y if x else torch.zeros_like(y)
    return _sign(x) * _magnitude(x) ** y


def _log(x: Tensor) -> Tensor:
    return x.abs().clamp_min(LOG_CUT).log()


def _min(x: Operand, y: Operand) -> Tensor:
    if isinstance(x, float):
        x, y = y, x
    return x.clamp_max(y) if isinstance(y, float) else torch.minimum(x, y)


def _max(x: Operand, y: Operand) -> Tensor:
    if isinstance(x, float):
        x, y = y, x
    return x.clamp_min(y) if isinstance(y, float) else torch.maximum(x, y)


TENSOR_FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": _divide,
    "pow": _pow,
    "min": _min,
    "max": _max,
    "neg": torch.neg,
    "square": torch.square,
    "sqrt": _sqrt,
    "exp": torch.exp,
    "tanh": torch.tanh,
    "asinh": torch.asinh,
    "sinh": torch.sinh,
    "relu": torch.relu,
    "erfc": torch.erfc,
    "sign": _sign,
    "log": _log,
    "abs": torch.abs,
    "cos": torch.cos,
    "sin": torch.sin,
}


def _divide_forward(x: Operand, y: Operand) -> Tensor:
    return torch.where(y.abs() < DENOMINATOR_CUT, 0.0, x / y)


FORWARD_FUNCTIONS = TENSOR_FUNCTIONS | {
    "/": _divide_forward,
    "sqrt": lambda x: x.abs().sqrt().copysign(x),
}
"""The same operators without derivatives, with fewer passes over memory."""
