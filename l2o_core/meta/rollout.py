"""The state of an optimization in progress: instances of a task, and an optimizer at work on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from ..features import State
from ..models.base import LearnedOptimizer
from ..tasks.base import Task


class Advancing(Protocol):
    """What takes steps."""

    def advance(self, g: Tensor, state: State) -> tuple[Tensor, State]:
        """Gradient `[N]` and state in, update `[N]` and next state out."""

    def place(self, state: State, params: Tensor) -> State:
        """The state at parameters `[N]` that constraints have moved."""


@dataclass
class Rollout:
    """I instances of a task with n parameters each, and all that their next step needs.

    With random scaling the optimizer works on y = x / scale, so it sees `scale` times the gradient.

    Args:
        task: The optimizee.
        params: The instances' parameters, `[I, n]`.
        scale: The factors of random scaling, `[I, n]`, or None.
        state: The optimizer's state, for N = I * n coordinates.
        batches: The data of the coming steps.
        loss: The loss at `params` on the latest batch, `[I]`.
        gradient: Its gradient, `[N]`.
        free: Whether a coordinate was feasible without projection, `[N]`; None where nothing is projected.
    """

    task: Task
    params: Tensor
    scale: Tensor | None
    state: State
    batches: Iterator[Any]
    loss: Tensor
    gradient: Tensor
    free: Tensor | None = None

    @classmethod
    def start(
        cls,
        optimizer: LearnedOptimizer,
        task: Task,
        seed: int,
        instances: int,
        scaling: float = 0.0,
        state_dtype: torch.dtype | None = None,
    ) -> Rollout:
        """Fresh instances with their first gradient; everything random about them follows from `seed`.

        Args:
            optimizer: The optimizer that will take the steps.
            task: The optimizee.
            seed: Of the starting points, batches and scales.
            instances: The number I of instances.
            scaling: Every coordinate is scaled by exp(U(-scaling, scaling)) (Lv et al. 2017).
            state_dtype: See `LearnedOptimizer.init_state`.
        """
        generator = task.generator(seed)
        params = fresh(task, generator, instances)
        rollout = cls.start_at(params, optimizer, task, task.batches(generator, instances), state_dtype)
        if scaling:
            powers = scaling * (2 * torch.rand(params.shape, generator=generator) - 1)
            rollout.scale = powers.exp().to(params)
            rollout.gradient = rollout.gradient * rollout.scale.view(-1)
            rollout.state = optimizer.init_state((params / rollout.scale).view(-1), state_dtype)
        return rollout

    @classmethod
    def start_at(
        cls,
        params: Tensor,
        optimizer: LearnedOptimizer,
        task: Task,
        batches: Iterator[Any],
        state_dtype: torch.dtype | None = None,
    ) -> Rollout:
        """Instances at `params` `[I, n]`, which steps overwrite, with their gradient on the first batch."""
        flat = params.view(-1)
        rollout = cls(task, params, None, optimizer.init_state(flat, state_dtype), batches, flat, flat)
        rollout.evaluate_gradient()
        rollout._settle(optimizer)
        return rollout

    def evaluate_gradient(self) -> None:
        """Evaluate loss and gradient on the next batch, where its constraints allow the parameters to be."""
        batch = next(self.batches)
        feasible = self.task.project(self.params, batch)
        if feasible is not self.params:
            self.free = (feasible == self.params).reshape(-1)
            self.params.copy_(feasible)
        self.loss, gradient = self.task.loss_and_gradient(self.params, batch)
        self.gradient = (gradient if self.scale is None else self.scale * gradient).reshape(-1)

    @property
    def position(self) -> Tensor:
        """The parameters `[N]` as the optimizer moves them: in units of its updates."""
        return (self.params if self.scale is None else self.params / self.scale).reshape(-1)

    def step(self, optimizer: Advancing) -> Tensor:
        """Apply one update, then evaluate the next batch; returns the update `[N]`."""
        update, self.state = optimizer.advance(self.gradient, self.state)
        change = update.view_as(self.params)
        self.params += change if self.scale is None else self.scale * change
        self.evaluate_gradient()
        self._settle(optimizer)
        return update

    def _settle(self, optimizer: Advancing) -> None:
        """Tell the optimizer where the constraints, if there are any, have put the parameters."""
        if self.free is not None:
            self.state = optimizer.place(self.state, self.position)


def fresh(task: Task, generator: torch.Generator, instances: int) -> Tensor:
    """Starting points `[I, n]` of a task that steps may overwrite, contiguous whatever the task gives."""
    return task.init(generator, instances).clone(memory_format=torch.contiguous_format)
