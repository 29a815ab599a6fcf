"""Ever smaller rules with a memory, each fitted in closed loop.

`prune` removes the constant whose loss is smallest by a second-order estimate. In closed loop errors feed
themselves and the estimate is often far off; here every removal is tried, in one run of all of them side by
side, and the best few are fitted.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch
from torch import Tensor

from ..expressions import Expression, System, Variable
from ..expressions.canonical import canonical
from ..expressions.system import depended_on, rule_of
from .closed_loop import ClosedLoop
from .polish import polish, without

TRIED = 2
"""Removals that are fitted at each turn."""
MOVES = (0.0, 0.5, 1.0)
"""Parts of the move by which the other constants make up for the one that goes, to second order."""


def trim(
    rule: Expression | System, loop: ClosedLoop, deadline: float, steps: int = 5
) -> Iterator[Expression | System]:
    """Ever smaller rules: at each turn the constant goes whose removal, others refitted, costs least.

    Args:
        rule: The rule to begin with, in canonical form.
        loop: The trajectories that it is fitted to.
        deadline: When to stop, in `time.monotonic()`.
        steps: Of each fit.
    """
    while rule.constants and time.monotonic() < deadline:
        trials = _removals(rule, loop)
        smaller: list[tuple[float, int, Expression | System]] = []
        for constants, k in trials:
            moved = rule.with_constants(constants.tolist())
            if (shorter := without(moved, k, tidy)) is not None:
                fitted = polish(shorter, loop, steps)
                smaller.append((loop.loss(fitted), len(smaller), fitted))
            if len(smaller) == TRIED or time.monotonic() > deadline:
                break
        if not smaller:
            return
        rule = min(smaller)[2]
        yield rule


def tidy(rule: Expression | System) -> Expression | System:
    """The rule in canonical form, without states that the update does not depend on.

    A state without a past that is read once is written where it is read.
    """
    parts = dict(depended_on((name, canonical(value)) for name, value in rule.equations))
    for name in [*parts][:-1]:
        read = [reader for reader, part in parts.items() for x in part.program if x == Variable(name)]
        past = any(v.name == name and v.lag for part in parts.values() for v in part.variables)
        if len(read) == 1 and not past:
            value = parts.pop(name)
            parts[read[0]] = canonical(parts[read[0]].substitute({name: value}))
    return rule_of(parts.items())


def _removals(rule: Expression | System, loop: ClosedLoop) -> list[tuple[Tensor, int]]:
    """Constants `[K]` with the k-th 0, and k, from the least loss to the largest."""
    constants = torch.tensor(rule.constants, dtype=torch.float64)
    _, jacobian, _ = loop.linearise(rule, constants)
    curvature = (jacobian @ jacobian.T).nan_to_num()
    ridge = 1e-9 * curvature.diagonal().mean() + 1e-300
    inverse = torch.linalg.pinv(curvature + ridge * torch.eye(len(constants), dtype=torch.float64))
    moves = -constants * inverse / inverse.diagonal().clamp_min(1e-300)  # a column for each removal
    trials = torch.cat([constants[:, None] + part * moves for part in MOVES], dim=1)  # [K, 3 K]
    which = torch.arange(len(constants)).repeat(len(MOVES))
    trials[which, torch.arange(len(which))] = 0.0
    losses = loop.losses(rule, trials).view(len(MOVES), -1)
    best = losses.min(0)
    order = best.values.argsort()
    return [(trials[:, int(best.indices[k]) * len(constants) + int(k)], int(k)) for k in order]
