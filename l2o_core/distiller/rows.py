"""Rows that an equation is measured on, and how their errors count."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from torch import Tensor

from ..errors import DataError
from ..expressions import Expression


class Rows(NamedTuple):
    """Columns [n] by name, targets [n], and the size of an error from which on it counts linearly.

    With a finite `huber` (in units of the targets), an error e counts e^2 up to it and
    2 huber |e| - huber^2 beyond (twice Huber's loss), so single rows cannot drown all others.
    """

    inputs: dict[str, Tensor]
    y: Tensor
    huber: float = math.inf

    def cost(self, error: Tensor) -> Tensor:
        """What errors [n] count on average."""
        if math.isinf(self.huber):
            return error.square().mean()
        size = error.abs()
        return error.square().where(size <= self.huber, self.huber * (2 * size - self.huber)).mean()

    def weights(self, error: Tensor) -> Tensor | float:
        """Weights [n] under which squared errors have the slope of what they count (for least squares)."""
        return 1.0 if math.isinf(self.huber) else (self.huber / error.abs()).clamp_max(1)


def loss(equation: Expression, rows: Rows) -> float:
    """Mean squared error on rows, or what replaces it (`Rows`); infinite where the equation has no value."""
    error = rows.cost(equation.evaluate(rows.inputs) - rows.y).item()
    return error if math.isfinite(error) else math.inf


def r2(y: np.ndarray | Tensor, prediction: np.ndarray | Tensor) -> float:
    """Coefficient of determination of predictions [n] for y [n]: 1 is perfect, 0 as good as y's mean.

    Minus infinity where a prediction is not finite. Raises DataError where y does not vary.
    """
    from sklearn.metrics import r2_score

    y, prediction = np.asarray(y, dtype=float), np.asarray(prediction, dtype=float)
    if y.shape != prediction.shape or y.var() == 0:
        raise DataError(f"R2 needs values that vary and one prediction for each, not {prediction.shape}")
    if not np.isfinite(prediction).all():
        return -np.inf
    return float(r2_score(y, prediction))
