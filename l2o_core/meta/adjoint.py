r"""The meta-gradient of an unrolled optimization, without a graph through the optimizee.

Updates u_s(phi) move x_{s+1} = x_s + u_s. With gradients entering the optimizer detached, the gradient of
the meta-loss (SymL2O Eq. 1) is that of a function linear in the updates:

    d/dphi sum_{t=1..T} w_t f(x_t) = sum_{s=0..T-1} < G_s , du_s/dphi >,    G_s = sum_{t>s} w_t g_t

Where a task projects its parameters, x_{s+1} = P(x_s + u_s) on a box, a coordinate that is moved back forgets
what came before: with free_s = 1 where it is not moved and 0 where it is,

    G_s = free_s * (w_{s+1} g_{s+1} + G_{s+1})

So the optimization is first run forward (`unroll`), only collecting gradients, and then differentiated
through the optimizer alone (`backward`). The sum runs over coordinates too, so a random sample of them is
enough. Where all coordinates carry the gradient and are not too many, the forward pass is kept for the
backward pass; else the optimizer runs on the sample once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..features import State
from ..models.base import LearnedOptimizer, blocks, detach, select
from .rollout import Advancing, Rollout
from .sampling import Sample

BLOCK = 4096  # coordinates differentiated together on a CPU: bounds memory, still fills the cores
LARGE_BLOCK = 1 << 18  # elsewhere: a graph of 20 steps of an LSTM takes about 4 GB
KEPT = 1 << 20  # coordinates x steps of a forward pass that is kept: two LSTM cells of width 20 take 1 GB


@dataclass
class Unroll:
    """T steps of a rollout with I instances, for the K coordinates of a sample.

    Args:
        sample: The coordinates.
        gradients: `[T + 1, K]`, the last one taken after the last update.
        updates: `[T, K]`.
        losses: `[T + 1, I]`.
        state: The optimizer's state before the first step.
        free: Whether a coordinate moved freely in each step, `[T, K]`; None where nothing is projected.
    """

    sample: Sample
    gradients: Tensor
    updates: Tensor
    losses: Tensor
    state: State
    free: Tensor | None = None


class Forward:
    """The forward pass of an optimizer over all coordinates, kept for its backward pass.

    It takes the optimizer's place in `Rollout.step`, and hands the next state over at the end only.

    Args:
        optimizer: What takes the steps.
        state: Its state before the first.
        like: A gradient `[N]`.
    """

    def __init__(self, optimizer: LearnedOptimizer, state: State, like: Tensor):
        self.optimizer = optimizer
        self.blocks = list(_blocks(like))
        self.states = [detach(select(state, block, like.dtype)) for block in self.blocks]
        self.updates: list[list[Tensor]] = [[] for _ in self.blocks]

    @torch.enable_grad()
    def advance(self, g: Tensor, state: State) -> tuple[Tensor, State]:
        """One step: the update `[N]`, and the state as it was given."""
        for i, block in enumerate(self.blocks):
            update, self.states[i] = self.optimizer(g[block], self.states[i])
            self.updates[i].append(update)
        return torch.cat([updates[-1].detach() for updates in self.updates]), state

    def place(self, state: State, params: Tensor) -> State:
        """The state as it was given: `estimators` refuse an optimizer whose own would change."""
        return state

    def backward(self, G: Tensor) -> State:
        """Back-propagate from the updates, weighted by G `[T, N]`; returns the state after the last step."""
        for block, updates in zip(self.blocks, self.updates, strict=True):
            torch.autograd.backward(updates, list(G[:, block]))
            updates.clear()
        return _joined([detach(state) for state in self.states])


def exact(optimizer: LearnedOptimizer, rollout: Rollout, steps: int, weights: Tensor) -> Tensor:
    """Take some steps and add d/dphi of sum_t w_t f(x_t) over all coordinates, in one forward pass.

    Returns:
        The losses, `[T + 1, I]`. They, the gradient and the rollout are those of `unroll` and `backward`.
    """
    forward = Forward(optimizer, rollout.state, rollout.gradient)
    seen = _seen(forward, rollout, steps, slice(None))
    rollout.state = forward.backward(suffix_sums(seen["gradients"], weights, seen["free"]))
    return seen["losses"]


def unroll(optimizer: LearnedOptimizer, rollout: Rollout, steps: int, sample: Sample) -> Unroll:
    """Take some steps without a graph; the rollout moves on, ready for the next unroll."""
    state = select(rollout.state, sample.coordinates, rollout.gradient.dtype)
    return Unroll(sample, state=state, **_seen(optimizer, rollout, steps, sample.coordinates))


def _seen(optimizer: Advancing, rollout: Rollout, steps: int, chosen: Tensor | slice) -> dict[str, Any]:
    """Take some steps; the fields of `Unroll` along the way, of the chosen coordinates."""
    gradients, updates, losses, free = [rollout.gradient[chosen]], [], [rollout.loss], []
    for _ in range(steps):
        updates.append(rollout.step(optimizer)[chosen])
        gradients.append(rollout.gradient[chosen])
        losses.append(rollout.loss)
        if rollout.free is not None:
            free.append(rollout.free[chosen])
    found = {"gradients": gradients, "updates": updates, "losses": losses, "free": free}
    return {name: torch.stack(values) if values else None for name, values in found.items()}


def suffix_sums(gradients: Tensor, weights: Tensor, free: Tensor | None = None) -> Tensor:
    """G_s = sum of w_t g_t over t > s, [T, K], from gradients [T + 1, K] and weights w_1..w_T [T].

    With `free` [T, K], sums begin anew where a coordinate was projected.
    """
    weighted = weights[:, None] * gradients[1:]
    if free is None:
        return weighted.flip(0).cumsum(0).flip(0)
    sums, ahead = torch.empty_like(weighted), torch.zeros_like(weighted[0])
    for step in reversed(range(len(weighted))):
        ahead = free[step] * (weighted[step] + ahead)
        sums[step] = ahead
    return sums


def backward(optimizer: LearnedOptimizer, unrolled: Unroll, weights: Tensor) -> None:
    """Add d/dphi of sum_t w_t f(x_t), `weights` [T] = w_1..w_T, to the `.grad` of the optimizer's parameters.

    Exact where the sample holds every coordinate; else unbiased, by the weights of the sample.
    """
    G = suffix_sums(unrolled.gradients, weights, unrolled.free) * unrolled.sample.weights
    backprop_through_optimizer(
        optimizer, unrolled.gradients, unrolled.state, lambda s, block, update: (G[s, block] * update).sum()
    )


def backprop_through_optimizer(
    optimizer: LearnedOptimizer,
    gradients: Tensor,
    state: State,
    cost: Callable[[int, slice, Tensor], Tensor],
) -> State:
    """Run the optimizer on recorded gradients [T + 1, K] again, with a graph, and back-propagate its costs.

    `cost(step, block, update)` is a scalar; costs are summed. Starts from `state` and returns the last one.
    """
    ends = []
    for block in _blocks(gradients[0]):
        now, total = detach(select(state, block, gradients.dtype)), gradients.new_zeros(())
        for step, g in enumerate(gradients[:-1, block]):
            update, now = optimizer(g, now)
            total = total + cost(step, block, update)
        total.backward()
        ends.append(detach(now))
    return _joined(ends)


def _blocks(like: Tensor) -> Iterator[slice]:
    return blocks(len(like), BLOCK if like.device.type == "cpu" else LARGE_BLOCK)


def _joined(states: Sequence[State]) -> State:
    """The state of all coordinates, from those of the blocks."""
    return tuple(parts[0] if parts[0].dim() == 0 else torch.cat(parts) for parts in zip(*states, strict=True))
