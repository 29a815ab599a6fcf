"""The operators of update rules, each defined and differentiable on the whole real line (SymL2O 3.3).

==========================  ====================================================================
operator                    where it departs from school mathematics
==========================  ====================================================================
``x / y``                   0 where ``|y| < 2^-63``, a pseudo-inverse: no update rather than an
                            infinite one for a coordinate whose denominator vanishes
``sqrt(x)``                 ``sign(x) sqrt|x|``
``pow(x, y)``               ``sign(x) |x|^y``; so ``pow(0, y) = 0`` for every y
``log(x)``                  ``log max(|x|, 2^-126)``
``+ - * neg square``        nowhere; nor do ``exp tanh asinh sinh relu erfc sign abs cos sin min max``
==========================  ====================================================================

The two cuts are where the derivative (``1/y^2``, ``1/x``) would leave float32's range. Where a derivative
is infinite or undefined (at 0 for sqrt, abs and pow; inside the cuts) it is taken as 0, so that one zero
gradient cannot turn the others into NaN. ``exp``, ``sinh`` and ``pow`` overflow to infinity as usual.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

DENOMINATOR_CUT = 2.0**-63
LOG_CUT = 2.0**-126

Operand = Any  # a tensor; in a compiled rule one of two may be a float


class Operator(NamedTuple):
    """An operator: how many arguments, and the function of tensors (or, second hand, floats)."""

    arity: int
    function: Callable[..., Tensor]


def constant_value(name: str, *values: float) -> float:
    """Apply an operator to numbers, in float64; the result may be infinite."""
    tensors = (torch.tensor(value, dtype=torch.float64) for value in values)
    return OPERATORS[name].function(*tensors).item()


def _divide(x: Operand, y: Operand) -> Tensor:
    if isinstance(y, float):
        return x * (1 / y) if abs(y) >= DENOMINATOR_CUT else torch.zeros_like(x)
    vanishing = y.abs() < DENOMINATOR_CUT
    return torch.where(vanishing, 0.0, x / torch.where(vanishing, 1.0, y))


def _magnitude(x: Tensor) -> Tensor:
    """|x|, but 1 where x = 0: the sign, which is 0 there, decides, and no derivative is infinite."""
    return torch.where(x == 0, 1.0, x.abs())


def _sqrt(x: Tensor) -> Tensor:
    return x.sign() * _magnitude(x).sqrt()


def _pow(x: Operand, y: Operand) -> Tensor:
    if isinstance(x, float):
        return math.copysign(1.0, x) * abs(x) ** y if x else torch.zeros_like(y)
    return x.sign() * _magnitude(x) ** y


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


OPERATORS: dict[str, Operator] = {
    "+": Operator(2, lambda x, y: x + y),
    "-": Operator(2, lambda x, y: x - y),
    "*": Operator(2, lambda x, y: x * y),
    "/": Operator(2, _divide),
    "pow": Operator(2, _pow),
    "min": Operator(2, _min),
    "max": Operator(2, _max),
    "neg": Operator(1, torch.neg),
    "square": Operator(1, torch.square),
    "sqrt": Operator(1, _sqrt),
    "exp": Operator(1, torch.exp),
    "tanh": Operator(1, torch.tanh),
    "asinh": Operator(1, torch.asinh),
    "sinh": Operator(1, torch.sinh),
    "relu": Operator(1, torch.relu),
    "erfc": Operator(1, torch.erfc),
    "sign": Operator(1, torch.sign),
    "log": Operator(1, _log),
    "abs": Operator(1, torch.abs),
    "cos": Operator(1, torch.cos),
    "sin": Operator(1, torch.sin),
}
FUNCTIONS: tuple[str, ...] = tuple(name for name in OPERATORS if name.isidentifier())
