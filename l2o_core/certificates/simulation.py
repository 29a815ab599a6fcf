"""A rule at work on quadratics of many curvatures at once, step by step."""

from __future__ import annotations

import numpy as np
import torch

from .. import arguments
from .recurrence import Recurrence, Rule, recurrence


def descend(
    rule: Rule,
    lr: np.ndarray | float,
    curvature: np.ndarray | float,
    *,
    steps: int = 200,
    start: float = 1.0,
    **hyperparameters: float | bool,
) -> np.ndarray:
    r"""A rule at work on :math:`f = c\, \theta^2 / 2`, for many learning rates and curvatures.

    Args:
        rule: A name from the zoo, text, an `Expression` or a `System`.
        lr: Learning rates, `[...]`.
        curvature: Second derivatives c, which broadcast with them.
        steps: How many steps.
        start: Where the parameter begins.
        **hyperparameters: Those of `optim.SymbolicOptimizer`, and coefficients. The decay of weights that the
            zoo gives a rule beside its equation is left out.

    Returns:
        The parameter, `[steps + 1, ...]`; where it overflows, infinity or NaN.

    Raises:
        ConfigError: If steps is not a positive whole number, a coefficient has no value, or a weight decay is
            given that the rule does not name.

    Example:
        >>> descend("sgd", 0.5, np.array([1.0, 2.0]), steps=2).tolist()
        [[1.0, 1.0], [0.5, 0.0], [0.25, 0.0]]
    """
    steps, start = arguments.whole("steps", steps, 1), arguments.finite("start", start)
    return followed(recurrence(rule, hyperparameters), lr, curvature, steps, start)


def followed(
    whole: Recurrence, lr: np.ndarray | float, curvature: np.ndarray | float, steps: int, start: float
) -> np.ndarray:
    """See `descend`."""
    rates, curvatures = np.broadcast_arrays(np.asarray(lr, dtype=float), np.asarray(curvature, dtype=float))
    rate, c = (torch.tensor(values.ravel()) for values in (rates, curvatures))
    theta = torch.full_like(rate, start)
    past = theta.new_zeros(len(whole.slots), len(theta))
    way = [theta]
    for t in range(1, steps + 1):
        values, past = whole.step(past, c * theta, float(t), theta)
        theta = theta + rate * values["u"]
        way.append(theta)
    return torch.stack(way).numpy().reshape(steps + 1, *rates.shape)
