"""Refit every constant of an equation, by Levenberg-Marquardt on exact derivatives."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from scipy.optimize import least_squares
from torch import Tensor

from ..expressions import Expression

EVALUATIONS = 30


def polish(equation: Expression, inputs: Mapping[str, Tensor], targets: Tensor) -> Expression:
    """The same equation with constants of least squared error on `targets` [n]; itself if none is better."""
    start = np.array(equation.constants)
    if not 0 < len(start) < len(targets):
        return equation
    function = equation.compile()

    def residual(constants: np.ndarray) -> np.ndarray:
        value = function(inputs, torch.from_numpy(constants)).expand_as(targets)
        return torch.nan_to_num(value - targets, nan=1e6, posinf=1e6, neginf=-1e6).numpy()

    def jacobian(constants: np.ndarray) -> np.ndarray:
        leaf = torch.from_numpy(constants)
        columns = torch.func.jacfwd(lambda c: function(inputs, c).expand_as(targets))(leaf)
        return torch.nan_to_num(columns, nan=0.0, posinf=0.0, neginf=0.0).numpy()

    before = np.square(residual(start)).mean()
    fitted = least_squares(residual, start, jacobian, method="lm", max_nfev=EVALUATIONS, x_scale="jac")
    better = np.isfinite(fitted.x).all() and np.square(fitted.fun).mean() < before
    return equation.with_constants(fitted.x.tolist()) if better else equation
