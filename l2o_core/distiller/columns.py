"""Derived columns that a search may use besides the raw inputs; each is an equation of the inputs.

The search sees their values. Wherever it uses such a column, the column's equation takes its place and its
nodes are counted. There are two kinds:

- **Lag sums** over the lags of one feature f, for several decays rho: `sum_k rho^k f[k]`, the same with
  asinh(f), and the root of the same with f^2. Every buffer in the state of an optimizer is such a sum, or
  close to a mixture of a few; a search that must find twenty lags one by one takes so long that it settles
  for other shapes. Once substituted, the weight of each lag is a constant of its own, fitted and pruned like
  any other: the decays only lead the search to the right place.
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
MAX_LAGS = 1000
"""A sum over more would have more nodes than an expression may."""


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
        if not MIN_LAGS <= len(lags) <= MAX_LAGS:
            continue
        compress = _compressor(problem, list(lags.values()))
        for decay in DECAYS:
            weights = [(decay**lag, x) for lag, x in sorted(lags.items())]
            mean = reduce(add, (w * x for w, x in weights))
            compressed = reduce(add, (w * compress(x) for w, x in weights))
            magnitude = call("sqrt", reduce(add, (w * call("square", x) for w, x in weights)))
            sums += [c for sum_ in (mean, compressed, magnitude) for c in _column(problem, sum_)]
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
    """1 / the median magnitude of some variables: there a compressing function should bend."""
    index = [problem.names.index(str(x)) for x in variables]
    magnitudes = np.abs(problem.X[:, index])
    return float(1 / max(np.median(magnitudes), 1e-3))


def _column(problem: Problem, equation: Expression) -> list[Column]:
    inputs = dict(zip(problem.names, torch.tensor(problem.X.T).unbind(), strict=True))
    values = equation.evaluate(inputs).numpy()
    deviation = values.std()
    if not np.isfinite(deviation) or deviation < 1e-12:
        return []
    return [Column((1 / deviation) * equation, values / deviation)]
