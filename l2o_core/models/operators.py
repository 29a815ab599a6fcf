"""The units of a network of operators, with values and as equations (SOL Eq. 3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..expressions import linear
from ..expressions.linear import LinearForm
from .gates import GatedLinear

UNITS: dict[str, Callable[..., Tensor]] = {
    "identical": lambda c: c,
    "square": torch.square,
    "exp": torch.exp,
    "sign": torch.sign,
    "neg": torch.neg,
    "tanh": torch.tanh,
    "+": torch.add,
    "-": torch.sub,
    "*": torch.mul,
}
ARITY = {name: 2 if name in "+-*" else 1 for name in UNITS}
"""Components of c that a unit takes."""
SOL_OPERATORS = ("identical", "square", "exp", "sign", "neg", "+", "-", "*")
"""The operators of SOL Sec. 4."""


@dataclass(frozen=True)
class Units:
    """A layer of operators: `copies` units of each, in their order.

    Args:
        operators: Names in `UNITS`.
        copies: Units of each operator.
    """

    operators: tuple[str, ...] = SOL_OPERATORS
    copies: int = 1

    @property
    def count(self) -> int:
        """The number M of units."""
        return self.copies * len(self.operators)

    @property
    def components(self) -> int:
        """The number K of components that they take."""
        return self.copies * sum(ARITY[name] for name in self.operators)

    def values(self, c: Tensor) -> Tensor:
        """Components `[K, N]` to the values `[M, N]` of the units, operator by operator."""
        parts = zip(
            self.operators, c.split([self.copies * ARITY[name] for name in self.operators]), strict=True
        )
        return torch.cat([UNITS[name](*part.chunk(ARITY[name])) for name, part in parts])

    def written(self, components: Sequence[LinearForm]) -> list[LinearForm]:
        """The same on linear forms."""
        signals, start = [], 0
        for name in self.operators:
            arity = ARITY[name]
            for unit in range(start, start + self.copies):
                inputs = components[unit : unit + arity * self.copies : self.copies]
                signals.append(inputs[0] if name == "identical" else linear.apply(name, *inputs))
            start += arity * self.copies
        return signals


def mapped(layer: GatedLinear, signals: list[LinearForm]) -> list[LinearForm]:
    """`GatedLinear.forward` on linear forms, weights in float64."""
    signals = signals + [{linear.ONE: constant} for constant in layer.constants]
    rows = layer.gated.double().tolist()
    return [linear.nonzero(linear.total(zip(row, signals, strict=True))) for row in rows]
