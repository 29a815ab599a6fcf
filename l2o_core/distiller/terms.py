"""Columns derived from the raw ones, which a search may use as building blocks.

An optimizer's memory is a sum over lags inside something non-linear. Trees of twenty leaves are slow to
evolve one leaf at a time, so sums over lags with geometric weights are offered whole; what is found is
written out in the raw lags again, counted in full, and every weight is fitted anew.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..expressions import Expression, Variable, call, var

DECAYS = (0.5, 0.8, 0.9, 1.0)
WINDOWS = (5, 10, 20)
NEGLIGIBLE = 0.02  # a weight below this is left out of a sum


def derived(variables: Sequence[Variable]) -> list[Expression]:
    """asinh of every column, and geometric sums over the lags of each feature, of x, x^2 and asinh x.

    asinh stands for SymL2O's operator of that name: linear near 0, logarithmic far out, which suits the
    heavy tails of gradients.
    """
    single = [call("asinh", var(v.name, v.lag)) for v in variables]
    features: dict[str, list[int]] = {}
    for v in variables:
        if v.lag is not None:
            features.setdefault(v.name, []).append(v.lag)
    shapes = (lambda x: x, lambda x: call("square", x), lambda x: call("asinh", x))
    sums = {
        _geometric(name, sorted(lags)[:window], decay, shape): None
        for name, lags in features.items()
        if len(lags) > 2
        for shape in shapes
        for window in WINDOWS
        for decay in DECAYS
    }
    return single + list(sums)


def _geometric(name: str, lags: list[int], decay: float, shape) -> Expression:
    """Sum of decay^i shape(x[i]); equal sums (a short memory in a long window) come out equal."""
    total = None
    for lag in lags:
        weight = decay**lag
        if weight < NEGLIGIBLE:
            break
        term = weight * shape(var(name, lag))
        total = term if total is None else total + term
    return total
