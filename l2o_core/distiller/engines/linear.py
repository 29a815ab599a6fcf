"""Least squares on the columns: the honest baseline that any other equation must beat."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...errors import optional_import
from ...expressions import Expression, const
from ...expressions.canonical import assemble
from ...expressions.linear import ONE
from ..polish import polish
from ..problem import Problem


@dataclass(frozen=True)
class Linear:
    """Linear rules of one term, two, and so on to all, by orthogonal matching pursuit (Pati et al. 1993).

    At each turn the column that correlates most with the residual joins, and all coefficients are fitted
    anew; once with an intercept among the columns, and once with one beside columns that are centred.

    Args:
        name: Name of the engine on fronts.
    """

    name: str = "linear"

    def search(
        self, problem: Problem, *, max_complexity: int, time_limit: float, seed: int
    ) -> Iterator[list[Expression]]:
        """Yield the whole path at once; it takes milliseconds, and nothing in it is random."""
        rows = problem.parts["fit"]
        parts = [*(Expression((v,)) for v in problem.variables), ONE]
        X, y, terms = problem.X[rows], problem.y[rows], 1 + max_complexity // 4
        path = [*_pursuit(np.column_stack([X, np.ones(len(rows))]), y, terms)]
        centre = X.mean(0)  # of columns whose mean is large against their spread, little else than it is seen
        centred = _pursuit(X - centre, y - y.mean(), terms)
        path += [np.append(weights, y.mean() - centre @ weights) for weights in centred]
        found = [const(float(y.mean()))]
        for weights in path:
            found.append(assemble({part: float(w) for part, w in zip(parts, weights, strict=True) if w}))
        if math.isfinite(problem.huber):
            found = [polish(equation, problem.rows("fit")) for equation in found]
        yield found


def _pursuit(A: np.ndarray, y: np.ndarray, terms: int) -> np.ndarray:
    """Weights [k, d] of the best 1, 2, ..., `terms` columns of A [n, d]; fewer once the fit is exact."""
    with optional_import("the engine linear", extra="distill"):
        from sklearn.linear_model import orthogonal_mp

    norms = np.linalg.norm(A, axis=0)
    norms[norms == 0] = np.inf  # a column that is 0 on these rows never joins
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # said where the path ends before `terms`
        path = orthogonal_mp(A / norms, y, n_nonzero_coefs=min(terms, len(norms)), return_path=True)
    return path.reshape(len(norms), -1).T / norms
