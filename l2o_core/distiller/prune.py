"""Cut away what an equation does not need: parts whose removal hardly changes its error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from ..expressions import Expression, call

RELATIVE = 0.01  # a cut may raise the error by this fraction of itself ...
ABSOLUTE = 1e-7  # ... or by this fraction of the targets' variance
LARGE = 120  # nodes above which the many cuts would take too long to try


def prune(equation: Expression, inputs: Mapping[str, Tensor], targets: Tensor) -> Expression:
    """The equation after cut upon cut, each time the one that costs least; targets [n] of unit variance."""
    if equation.complexity > LARGE:
        return equation
    error = _error(equation, inputs, targets)
    while True:
        cuts = {cut.simplify() for cut in _cuts(equation)}
        shorter = [cut for cut in cuts if cut.complexity < equation.complexity]
        errors = [_error(cut, inputs, targets) for cut in shorter]
        limit = (1 + RELATIVE) * error + ABSOLUTE
        allowed = [(cut.complexity, e, cut) for cut, e in zip(shorter, errors, strict=True) if e <= limit]
        if not allowed:
            return equation
        _, _, equation = min(allowed, key=lambda item: item[:2])


def _cuts(equation: Expression) -> Iterator[Expression]:
    """Every equation in which one operation is replaced by one of its arguments."""
    arguments = equation.arguments
    yield from arguments
    for i, argument in enumerate(arguments):
        for smaller in _cuts(argument):
            yield call(equation.root, *arguments[:i], smaller, *arguments[i + 1 :])


def _error(equation: Expression, inputs: Mapping[str, Tensor], targets: Tensor) -> float:
    """Mean squared error; infinite where the equation is not finite."""
    error = (equation.evaluate(inputs) - targets).square().mean()
    return torch.nan_to_num(error, nan=torch.inf).item()
