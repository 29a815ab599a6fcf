"""SymL2O's Eq. 6: every lag of every feature through one soft threshold, then a weighted sum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from ..expressions import Expression, call, var
from .dataset import Dataset
from .problem import Problem, prepare
from .rows import Rows, r2

GAMMAS = tuple(10 ** (step / 4) for step in range(-8, 9))
"""Thresholds that are tried, in units of the inputs' median standard deviation."""


class Eq6Fit(NamedTuple):
    """`-gamma * sum of w_i tanh(z_i / gamma)` over all inputs z, fitted to a rule's updates.

    `equation` names its `coefficients` gamma, w0, w1, ...: what `models.Equation` can train. `r2` is measured
    on held-out trajectories.
    """

    equation: Expression
    coefficients: dict[str, float]
    r2: float


def fit_eq6(data: Dataset, gammas: Sequence[float] = GAMMAS, split_seed: int = 0) -> Eq6Fit:
    """Fit Eq. 6 to rows of a rule at work: weights by least squares, the threshold by what it explains.

    The rows are split as `distill` splits them. Raises DataError for data that cannot be used.
    """
    problem = prepare(data.inputs, data.targets, data.names, data.groups, split_seed)
    unit = float(np.median(list(problem.scales.values())))
    fits = [_fitted(problem, gamma * unit) for gamma in gammas]
    gamma, weights, _ = max(fits, key=lambda fit: fit[2])
    coefficients = {"gamma": float(gamma)} | {f"w{i}": -float(w) for i, w in enumerate(weights)}
    terms = [
        var(f"w{i}") * call("tanh", Expression((variable,)) / var("gamma"))
        for i, variable in enumerate(problem.variables)
    ]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    equation = -var("gamma") * total
    test = problem.unscaled("test")
    return Eq6Fit(equation, coefficients, r2(test.y, _columns(test, gamma) @ weights))


def _fitted(problem: Problem, gamma: float) -> tuple[float, torch.Tensor, float]:
    """The threshold, the weights [d] and the R2 on the rows that thresholds are chosen on."""
    fit, select = problem.unscaled("fit"), problem.unscaled("select")
    weights = torch.linalg.lstsq(_columns(fit, gamma), fit.y[:, None], driver="gelsd").solution[:, 0]
    return gamma, weights, r2(select.y, _columns(select, gamma) @ weights)


def _columns(rows: Rows, gamma: float) -> torch.Tensor:
    """What the weights multiply, [n, d]."""
    return gamma * torch.tanh(torch.stack([*rows.inputs.values()], dim=-1) / gamma)
