"""SymL2O's Eq. 6: every lag of every feature, clipped softly at one threshold, then a weighted sum."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch

from .. import arguments
from ..errors import DataError
from ..expressions import Expression, call, var
from .dataset import Dataset
from .problem import Problem, prepare
from .rows import Rows, r2

GAMMAS = tuple(10 ** (step / 4) for step in range(-8, 9))
"""Thresholds that are tried, in units of the median standard deviation of the inputs."""
RIDGES = (0.0, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
"""Penalties on squared weights that are tried, in units of the columns' mean square.

Lags are much alike; without a penalty other rows give other weights, with large ones of both signs.
"""


class Eq6Fit(NamedTuple):
    r"""A rule of the form of SymL2O Eq. 6, fitted to the updates of an optimizer.

    .. math:: \psi = -\gamma \sum_i w_i \tanh(z_i / \gamma)

    Attributes:
        equation: The rule, with its coefficients by name: gamma, w0, w1, ..., as `models.Equation` trains
            them.
        coefficients: Their values.
        r2: Coefficient of determination on held-out trajectories.
    """

    equation: Expression
    coefficients: dict[str, float]
    r2: float


def fit_eq6(data: Dataset, gammas: Sequence[float] = GAMMAS, split_seed: int = 0) -> Eq6Fit:
    """Fit SymL2O Eq. 6 to rows: the weights by ridge regression, threshold and penalty by trying several.

    The rows are split as `distill` splits them: weights are fitted on the first part, threshold and penalty
    are those that fit the second best, and `r2` is measured on the third.

    Args:
        data: The rows.
        gammas: Thresholds to try, in units of the median standard deviation of the inputs.
        split_seed: Seed of the split.

    Raises:
        ConfigError: For a negative seed.
        DataError: If the data cannot be used, see `distill`, or a column is called like a coefficient.

    Example:
        >>> X = np.random.default_rng(0).normal(size=(300, 2))
        >>> fit = fit_eq6(Dataset(X, -np.tanh(X[:, 0]), ["g[0]", "g[1]"], np.arange(300) // 10))
        >>> str(fit.equation), round(fit.coefficients["gamma"], 1), fit.r2 > 0.999
        ('-gamma * (w0 * tanh(g[0] / gamma) + w1 * tanh(g[1] / gamma))', 1.0, True)
    """
    problem = prepare(data, seed=arguments.seed("split_seed", split_seed))
    if taken := {"gamma", *(f"w{i}" for i in range(len(problem.variables)))} & {*problem.names}:
        raise DataError(f"{min(taken)} is a coefficient of Eq. 6: call this column otherwise")
    unit = float(np.median(list(problem.scales.values())))
    fits = [fit for gamma in gammas for fit in _fits(problem, gamma * unit)]
    gamma, weights, _ = min(fits, key=lambda fit: fit[2])
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


def _fits(problem: Problem, gamma: float) -> Iterator[tuple[float, torch.Tensor, float]]:
    """For each penalty the threshold, its best weights [d], and their loss on the rows for this choice."""
    fit, select = problem.unscaled("fit"), problem.unscaled("select")
    columns, others = _columns(fit, gamma), _columns(select, gamma)
    penalty = columns.square().sum(0).mean().sqrt() * torch.eye(columns.shape[1], dtype=columns.dtype)
    target = torch.cat([fit.y, fit.y.new_zeros(len(penalty))])[:, None]
    for ridge in RIDGES:
        rows = torch.cat([columns, ridge**0.5 * penalty])
        weights = torch.linalg.lstsq(rows, target, driver="gelsd").solution[:, 0]
        yield gamma, weights, select.cost(others @ weights - select.y).item()


def _columns(rows: Rows, gamma: float) -> torch.Tensor:
    """The clipped inputs, which the weights multiply, [n, d]."""
    return gamma * torch.tanh(torch.stack([*rows.inputs.values()], dim=-1) / gamma)
