"""Skeletons of rules with a memory of their own, for their constants to be fitted in closed loop.

A *cell* is a state of the simplest kind that forgets, mixes and saturates,

    h = tanh(a h[1] + b k[1] + c m_hat + d g_hat)

and an LSTM, seen from outside, does little else. A rule of one to three of them, read out linearly, is an
equation of 20 to 100 nodes; pruned, of a third.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add

import numpy as np

from ..expressions import Expression, System, call, const, var

NAMES = ("p", "q", "r")
"""Names of the cells; with more of them a rule is no longer read."""


def random_rule(
    features: Sequence[str],
    cells: int,
    scale: float,
    rng: np.random.Generator,
    *,
    bound: float | None = None,
) -> System:
    """A rule of some cells with random constants.

    Args:
        features: Its inputs, by name.
        cells: The number of its states, from 1 to 3.
        scale: Standard deviation of the updates.
        rng: Where the constants come from.
        bound: The largest update: then the read-out is `bound * tanh(...)`.

    Example:
        >>> rule = random_rule(["g"], 1, 1.0, np.random.default_rng(0))
        >>> [name for name, _ in rule.states], [str(variable) for variable in rule.variables]
        (['p'], ['g'])
    """
    names = NAMES[:cells]
    inputs = [var(name) for name in features]

    def linear(parts: Sequence[Expression], weights: Sequence[float]) -> Expression:
        return reduce(add, (const(float(w)) * x for w, x in zip(weights, parts, strict=True)))

    states = []
    for own in names:
        decays = [rng.uniform(0.5, 1.0) if name == own else 0.2 * rng.normal() for name in names]
        weights = [*decays, *(0.3 * rng.normal(size=len(inputs)))]
        past = [var(name, 1) for name in names]
        states.append((own, call("tanh", linear([*past, *inputs], weights))))
    unit = scale / (bound or scale)
    weights = unit * np.array([*rng.normal(size=cells), *(0.3 * rng.normal(size=len(inputs)))])
    output = linear([*map(var, names), *inputs], weights)
    update = const(scale) * output if bound is None else const(bound) * call("tanh", output)
    return System(tuple(states), update)
