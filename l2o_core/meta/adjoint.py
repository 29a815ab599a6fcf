"""The meta-gradient of an unrolled optimization, without a graph through the optimizee.

Updates u_s(phi) move x_{s+1} = x_s + u_s. With gradients entering the optimizer detached, the gradient of
the meta-loss (SymL2O Eq. 1) is that of a function linear in the updates:

    d/dphi sum_{t=1..T} w_t f(x_t) = sum_{s=0..T-1} < G_s , du_s/dphi >,    G_s = sum_{t>s} w_t g_t

So an unroll is played forward first (`play`), only collecting gradients, and then differentiated through the
optimizer alone (`backward`). The sum runs over coordinates too, so a random sample of them is enough.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..features import State
from ..models.base import LearnedOptimizer, detach, select
from .rollout import Run
from .sampling import Sample

BLOCK = 4096  # coordinates differentiated together: bounds memory, still fills the cores


@dataclass
class Unroll:
    """What a played unroll of T steps leaves behind for the K coordinates of `sample`.

    `gradients` [T + 1, K], the last one taken after the last update; `updates` [T, K]; `losses` [T + 1, I];
    `state`: before the first step.
    """

    sample: Sample
    gradients: Tensor
    updates: Tensor
    losses: Tensor
    state: State


def play(optimizer: LearnedOptimizer, run: Run, steps: int, sample: Sample) -> Unroll:
    """Optimize for some steps without a graph; `run` moves on, ready for the next unroll."""
    chosen = sample.coordinates
    state, losses = select(run.state, chosen, run.gradient.dtype), [run.loss]
    gradients, updates = [run.gradient[chosen]], []
    for _ in range(steps):
        updates.append(run.move(optimizer)[chosen])
        gradients.append(run.gradient[chosen])
        losses.append(run.loss)
    return Unroll(sample, torch.stack(gradients), torch.stack(updates), torch.stack(losses), state)


def suffix_sums(gradients: Tensor, weights: Tensor) -> Tensor:
    """G_s = sum of w_t g_t over t > s, [T, K], from gradients [T + 1, K] and weights w_1..w_T [T]."""
    return (weights[:, None] * gradients[1:]).flip(0).cumsum(0).flip(0)


def backward(optimizer: LearnedOptimizer, unroll: Unroll, weights: Tensor) -> None:
    """Add d/dphi of sum_t w_t f(x_t), `weights` [T] = w_1..w_T, to the `.grad` of the optimizer's parameters.

    Exact where the sample holds every coordinate; else unbiased, by the weights of the sample.
    """
    G = suffix_sums(unroll.gradients, weights) * unroll.sample.weights
    replay(optimizer, unroll, unroll.state, lambda s, block, update: (G[s, block] * update).sum())


def replay(
    optimizer: LearnedOptimizer,
    unroll: Unroll,
    state: State,
    cost: Callable[[int, slice, Tensor], Tensor],
) -> State:
    """Let the optimizer see the gradients again, now with a graph, and back-propagate what its updates cost.

    `cost(step, block, update)` is a scalar; costs are summed. Starts from `state` and returns the last one.
    """
    ends = []
    for first in range(0, unroll.gradients.shape[1], BLOCK):
        block = slice(first, first + BLOCK)
        now, total = detach(select(state, block, unroll.gradients.dtype)), 0.0
        for step, g in enumerate(unroll.gradients[:-1, block]):
            update, now = optimizer(g, now)
            total = total + cost(step, block, update)
        total.backward()
        ends.append(detach(now))
    return tuple(parts[0] if parts[0].dim() == 0 else torch.cat(parts) for parts in zip(*ends, strict=True))
