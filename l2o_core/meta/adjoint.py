"""The meta-gradient of an unrolled optimization, without a graph through the optimizee.

Updates u_s(phi) move x_{s+1} = x_s + u_s. With gradients entering the optimizer detached, the gradient of
the meta-loss (SymL2O Eq. 1) is that of a function linear in the updates:

    d/dphi sum_{t=1..T} w_t f(x_t) = sum_{s=0..T-1} < G_s , du_s/dphi >,    G_s = sum_{t>s} w_t g_t

So an unroll is played forward first, only collecting gradients, and then differentiated through the
optimizer alone, on all coordinates or on a random sample of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..features import State
from ..models.base import CoordinateOptimizer, detach, select
from ..tasks.base import Task

BLOCK = 8192  # coordinates differentiated together: bounds memory, still fills the cores


@dataclass
class Run:
    """Optimizees in the middle of being optimized: everything the next step needs.

    `gradient` [I, n] and `loss` [I] are those at `params` [I, n] on the latest batch.
    """

    params: Tensor
    loss: Tensor
    gradient: Tensor
    state: State
    batches: Iterator[Any]

    @classmethod
    def start(cls, optimizer: CoordinateOptimizer, task: Task, seed: int, instances: int) -> Run:
        """Fresh instances; everything random about them follows from `seed`."""
        generator = torch.Generator().manual_seed(seed)
        params = task.init(generator, instances)
        batches = task.batches(generator, instances)
        loss, gradient = task.loss_and_gradient(params, next(batches))
        return cls(params, loss, gradient, optimizer.init_state(params.reshape(-1)), batches)


@dataclass
class Unroll:
    """What a played unroll of T steps leaves behind.

    `gradients` [T + 1, N], the last one taken after the last update; `losses` [T + 1, I]; `state` before the
    first step.
    """

    gradients: Tensor
    losses: Tensor
    state: State


def play(optimizer: CoordinateOptimizer, task: Task, run: Run, steps: int) -> Unroll:
    """Optimize for some steps without a graph; `run` moves on, ready for the next unroll."""
    start, gradients, losses = run.state, [run.gradient.reshape(-1)], [run.loss]
    with torch.no_grad():
        for _ in range(steps):
            update, run.state = optimizer(run.gradient.reshape(-1), run.state)
            run.params = run.params + update.view_as(run.params)
            run.loss, run.gradient = task.loss_and_gradient(run.params, next(run.batches))
            gradients.append(run.gradient.reshape(-1))
            losses.append(run.loss)
    return Unroll(torch.stack(gradients), torch.stack(losses), start)


def suffix_sums(gradients: Tensor, weights: Tensor) -> Tensor:
    """G_s = sum of w_t g_t over t > s, [T, N], from gradients [T + 1, N] and weights w_1..w_T [T]."""
    return (weights[:, None] * gradients[1:]).flip(0).cumsum(0).flip(0)


def backward(
    optimizer: CoordinateOptimizer, unroll: Unroll, weights: Tensor, coordinates: Tensor | None = None
) -> None:
    """Add d/dphi of sum_t w_t f(x_t) to the `.grad` of the optimizer's parameters.

    `weights` [T]: w_1..w_T. `coordinates` [K]: differentiate through these only and scale by N / K: unbiased
    when they are drawn uniformly.
    """
    N = unroll.gradients.shape[1]
    adjoint = suffix_sums(unroll.gradients, weights)
    chosen = torch.arange(N, device=adjoint.device) if coordinates is None else coordinates
    for block in chosen.split(BLOCK):
        state, objective = detach(select(unroll.state, block)), adjoint.new_zeros(())
        for g, G in zip(unroll.gradients[:-1, block], adjoint[:, block], strict=True):
            update, state = optimizer(g, state)
            objective = objective + (G * update).sum()
        (objective * (N / len(chosen))).backward()
