"""Fitting the constants of a rule, on rows or along trajectories, and pruning those that hardly matter."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from ..errors import ExpressionError
from ..expressions import Expression, System
from ..expressions.canonical import canonical
from .rows import Rows, loss

Rule = TypeVar("Rule", bound=Expression | System)


class Fit(Protocol):
    """What a rule is fitted to: `Rows`, or a `ClosedLoop`."""

    def linearise(self, equation: Any, constants: Tensor, /) -> tuple[Tensor, Tensor, Tensor]:
        """Residuals [n], their derivatives by the constants [K, n], and the cost."""


def polish(equation: Rule, rows: Fit, steps: int = 30) -> Rule:
    """The rule with its constants at a least-squares optimum, by Levenberg-Marquardt.

    Never worse on `rows` than before; returned as it is if it has no constants or no finite value. Fits as
    well as `scipy.optimize.least_squares` with the same derivatives, in about two thirds of the time.
    """
    constants = torch.tensor(equation.constants, dtype=torch.float64)
    residual, jacobian, error = rows.linearise(equation, constants)
    if not len(constants) or not residual.isfinite().all():
        return equation
    damping = 1e-3
    for _ in range(steps):
        curvature, slope = jacobian @ jacobian.T, jacobian @ residual
        scale = curvature.diagonal().clamp_min(1e-12 * curvature.diagonal().max() + 1e-300)
        improved = False
        while damping < 1e8 and not improved:
            step, failed = torch.linalg.solve_ex(curvature + damping * scale.diag(), slope)
            trial = constants - step
            if not failed and trial.isfinite().all():
                residual, trial_jacobian, trial_error = rows.linearise(equation, trial)
                improved = bool(trial_error < error)
            damping = damping / 10 if improved else damping * 10
        if not improved:
            break
        gain = 1 - trial_error / error
        constants, error, jacobian = trial, trial_error, trial_jacobian
        if gain < 1e-6 or error < 1e-28:
            break
    fitted: Any = equation.with_constants(constants.tolist())
    return fitted


def without_abs(equation: Expression, rows: Rows) -> Expression:
    """The equation without those `abs` whose argument is negative on none of the rows."""
    i = 0
    while i < equation.complexity:
        if equation.program[i] == "abs":
            shorter = Expression(equation.program[:i] + equation.program[i + 1 :])
            if loss(shorter, rows) == loss(equation, rows):
                equation = shorter
                continue
        i += 1
    return equation


def prune(equation: Expression, rows: Rows, deadline: float) -> Iterator[Expression]:
    """Ever smaller equations: at each turn the least important constant is set to 0, the rest is refitted.

    Importance is the "saliency" of optimal brain surgeon (Hassibi & Stork 1993): the loss added by removing a
    constant while all others move to the new optimum, to second order. `deadline` is in `time.monotonic()`.
    """
    while equation.constants and time.monotonic() < deadline:
        constants = torch.tensor(equation.constants, dtype=torch.float64)
        _, jacobian, _ = rows.linearise(equation, constants)
        if not jacobian.isfinite().all():
            return
        curvature = jacobian @ jacobian.T
        ridge = 1e-12 * curvature.diagonal().mean() + 1e-300
        damped = curvature + ridge * torch.eye(len(constants), dtype=torch.float64)
        inverse, failed = torch.linalg.inv_ex(damped)
        if failed:
            return
        saliency = constants.square() / inverse.diagonal().clamp_min(1e-300)
        smaller = next((e for k in saliency.argsort() if (e := without(equation, int(k), canonical))), None)
        if smaller is None:
            return
        equation = polish(smaller, rows, steps=5)
        yield equation


def without(equation: Rule, k: int, shape: Callable[[Any], Rule]) -> Rule | None:
    """The rule with its k-th constant 0, in the form that `shape` gives, if smaller; max(0, x) is not."""
    constants = [*equation.constants[:k], 0.0, *equation.constants[k + 1 :]]
    try:
        smaller = shape(equation.with_constants(constants))
    except ExpressionError:  # another constant overflowed
        return None
    return smaller if smaller.complexity < equation.complexity else None
