"""Rows that an equation is measured on, and how their errors count."""

from __future__ import annotations

import math
from typing import NamedTuple

from torch import Tensor

from ..expressions import Expression


class Rows(NamedTuple):
    """Columns [n] by name, targets [n], and the size of an error from which on it counts linearly.

    With a finite `huber` (in units of the targets), an error e counts e^2 up to it and
    2 huber |e| - huber^2 beyond (twice Huber's loss), so single rows cannot drown all others.
    """

    inputs: dict[str, Tensor]
    y: Tensor
    huber: float = math.inf

    def residual(self, prediction: Tensor) -> Tensor:
        """Errors [n], those beyond `huber` drawn in so that their squares are what they count."""
        error = prediction - self.y
        if math.isinf(self.huber):
            return error
        size = error.abs()
        beyond = (self.huber * (2 * size - self.huber).clamp_min(self.huber)).sqrt()
        return error.where(size <= self.huber, error.sign() * beyond)


def loss(equation: Expression, rows: Rows) -> float:
    """Mean squared error on rows, or what replaces it (`Rows`); infinite where the equation has no value."""
    error = rows.residual(equation.evaluate(rows.inputs)).square().mean().item()
    return error if math.isfinite(error) else math.inf
