"""Least squares on the columns: the honest baseline that any other equation must beat."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...expressions import Expression, const
from ...expressions.canonical import assemble
from ..polish import polish
from ..problem import Problem


@dataclass(frozen=True)
class Linear:
    """Linear rules of one term, two, and so on to all, by orthogonal matching pursuit.

    At each turn the column that correlates most with the residual joins, and all coefficients are fitted
    anew; an intercept is one of the columns.
    """

    name: str = "linear"

    def search(
        self, problem: Problem, *, max_complexity: int, time_limit: float, seed: int
    ) -> Iterator[list[Expression]]:
        """The whole path; it takes milliseconds, and nothing in it is random."""
        rows = problem.parts["fit"]
        parts = [*(Expression((v,)) for v in problem.variables), None]
        A = np.column_stack([problem.X[rows], np.ones(len(rows))])
        y, size = problem.y[rows], np.linalg.norm(A, axis=0)
        size[size == 0] = np.inf  # a column that is 0 on these rows never joins
        chosen, residual, found = [], y, [const(float(y.mean()))]
        while len(chosen) < len(parts) and 4 * len(chosen) <= max_complexity:
            match = np.abs(A.T @ residual) / np.where(size > 0, size, np.inf)  # 0: constant on these rows
            match[chosen] = -1
            chosen.append(int(match.argmax()))
            weights, *_ = np.linalg.lstsq(A[:, chosen], y, rcond=None)
            residual = y - A[:, chosen] @ weights
            terms = zip(chosen, weights, strict=True)
            found.append(assemble({parts[i]: float(weight) for i, weight in terms if weight}))
            if residual.var() < 1e-24:
                break
        if math.isfinite(problem.huber):
            found = [polish(equation, problem.rows("fit")) for equation in found]
        yield found
