"""Rows that an equation is measured on, and how their errors count."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..errors import DataError, optional_import
from ..expressions import Expression


class Rows(NamedTuple):
    """Columns [n] by name, targets [n], and the magnitude beyond which an error counts linearly.

    With a finite `huber`, an error e costs e^2 up to it and 2 huber |e| - huber^2 beyond (twice Huber's
    loss), so that single rows cannot drown all others. Errors and `huber` are multiples of `unit`.
    """

    inputs: dict[str, Tensor]
    y: Tensor
    huber: float = math.inf
    unit: float = 1.0

    def cost(self, error: Tensor) -> Tensor:
        """The mean cost of errors [n]: their mean square, or Huber's loss in its place."""
        if math.isinf(self.huber):
            return error.square().mean()
        magnitude = error.abs()
        linear = self.huber * (2 * magnitude - self.huber)
        return error.square().where(magnitude <= self.huber, linear).mean()

    def weights(self, error: Tensor) -> Tensor | float:
        """Weights [n] that give squared errors the slope of `cost`, for least squares."""
        return 1.0 if math.isinf(self.huber) else (self.huber / error.abs()).clamp_max(1)

    def linearise(self, equation: Expression, constants: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Weighted residuals [n], their derivatives by the constants [K, n], and the cost.

        Every row gets constants of its own, so one backward pass gives the whole Jacobian.
        """
        own = constants[:, None].expand(-1, len(self.y)).clone().requires_grad_()
        with torch.enable_grad():
            prediction = equation.compile()(self.inputs, own).expand_as(self.y)
            (jacobian,) = torch.autograd.grad(prediction.sum(), own) if len(constants) else (own,)
        residual = prediction.detach() - self.y
        root = self.weights(residual) ** 0.5
        return root * residual, root * jacobian, self.cost(residual)


def loss(equation: Expression, rows: Rows) -> float:
    """The cost of an equation's errors on rows; infinite if it has no finite value on one of them."""
    error = rows.cost((equation.evaluate(rows.inputs) - rows.y) / rows.unit).item()
    return error if math.isfinite(error) else math.inf


def r2(y: np.ndarray | Tensor, prediction: np.ndarray | Tensor) -> float:
    """Coefficient of determination: 1 is a perfect fit, 0 is as good as the mean of y.

    Args:
        y: Values, `[n]`.
        prediction: A prediction for each, `[n]`.

    Returns:
        The coefficient; NaN if it is undefined, because y does not vary or has one value; minus infinity if a
        prediction is not finite.

    Raises:
        DataError: If the shapes differ.

    Example:
        >>> r2(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 2.0]))
        0.5
    """
    with optional_import("R2", extra="distill"):
        from sklearn.metrics import r2_score

    y, prediction = np.asarray(y, dtype=float), np.asarray(prediction, dtype=float)
    if y.shape != prediction.shape:
        raise DataError(f"R2 needs a prediction for each value, not {prediction.shape} for {y.shape}")
    if y.size < 2 or y.var() == 0:
        return np.nan
    if not np.isfinite(prediction).all():
        return -np.inf
    return float(r2_score(y, prediction))
