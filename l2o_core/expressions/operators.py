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

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

DENOMINATOR_CUT = 2.0**-63
LOG_CUT = 2.0**-126


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator of the language: its name, and the number of its arguments."""

    name: str
    arity: int

    @property
    def function(self) -> Callable[..., Tensor]:
        """The function of tensors."""
        from .tensors import TENSOR_FUNCTIONS  # the language itself needs no PyTorch

        return TENSOR_FUNCTIONS[self.name]


_UNARY = (
    *("neg", "square", "sqrt", "exp", "tanh", "asinh", "sinh", "relu", "erfc", "sign", "log", "abs"),
    *("cos", "sin"),
)
_BINARY = ("+", "-", "*", "/", "pow", "min", "max")

OPERATORS: dict[str, Operator] = {name: Operator(name, 2) for name in _BINARY}
OPERATORS |= {name: Operator(name, 1) for name in _UNARY}
FUNCTIONS: tuple[str, ...] = tuple(name for name in OPERATORS if name.isidentifier())
