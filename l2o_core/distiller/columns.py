"""Derived columns: what a search may use besides the raw inputs, each an equation of the inputs.

A search is offered the values; wherever it uses such a column, the column's equation is put in its place and
its nodes are counted. Two kinds:

- **Lag sums** over the lags of one feature f, for several decays rho: `sum_k rho^k f[k]`, the same of its
  asinh, and the root of the same of its square. Every buffer that an optimizer keeps is such a sum or close
  to a mixture of a few; finding twenty lags one by one takes a search so long that it settles for other
  shapes. Once substituted, each lag's weight is a constant of its own, fitted and pruned like any other: the
  decays only lead the search to the right place.
- **Transforms** `phi(f)` by functions that an engine lacks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
import torch

from ..expressions import Expression, call
from .problem import Problem

DECAYS = (0.5, 0.8, 0.9, 0.95)
MIN_LAGS = 3


@dataclass(frozen=True)
class Column:
    """An equation of the problem's variables, and its values [n] over all rows, of unit variance."""

    equation: Expression
    values: np.ndarray


def raw(problem: Problem) -> list[Column]:
    """The inputs themselves."""
    columns = zip(problem.variables, problem.X.T, strict=True)
    return [Column(Expression((variable,)), values) for variable, values in columns]


def lag_sums(problem: Problem) -> list[Column]:
    """Exponentially weighted sums over the lags of each feature: plain, of its asinh, and root of squares."""
    features: dict[str, dict[int, Expression]] = {}
    for variable in problem.variables:
        if variable.lag is not None:
            features.setdefault(variable.name, {})[variable.lag] = Expression((variable,))
    sums = []
    for lags in features.values():
        if len(lags) < MIN_LAGS:
            continue
        compress = _compressor(problem, list(lags.values()))
        for decay in DECAYS:
            weights = [(decay**lag, x) for lag, x in sorted(lags.items())]
            mean = reduce(add, (w * x for w, x in weights))
            compressed = reduce(add, (w * compress(x) for w, x in weights))
            size = call("sqrt", reduce(add, (w * call("square", x) for w, x in weights)))
            sums += [c for sum_ in (mean, compressed, size) for c in _column(problem, sum_)]
    return sums


def transforms(problem: Problem, functions: tuple[str, ...]) -> list[Column]:
    """`phi(c f)` of every input f, for unary operators phi; 1 / c is the median of |f|."""
    variables = [Expression((variable,)) for variable in problem.variables]
    scaled = [_median(problem, [x]) * x for x in variables]
    return [column for name in functions for x in scaled for column in _column(problem, call(name, x))]


def _compressor(problem: Problem, variables: list[Expression]) -> Callable[[Expression], Expression]:
    scale = _median(problem, variables)
    return lambda x: call("asinh", scale * x)


def _median(problem: Problem, variables: list[Expression]) -> float:
    """1 / the median size of some variables: where a compressing function should bend."""
    index = [problem.names.index(str(x)) for x in variables]
    sizes = np.abs(problem.X[:, index])
    return float(1 / max(np.median(sizes), 1e-3))


def _column(problem: Problem, equation: Expression) -> list[Column]:
    inputs = dict(zip(problem.names, torch.tensor(problem.X.T).unbind(), strict=True))
    values = equation.evaluate(inputs).numpy()
    deviation = values.std()
    if not np.isfinite(deviation) or deviation < 1e-12:
        return []
    return [Column((1 / deviation) * equation, values / deviation)]
