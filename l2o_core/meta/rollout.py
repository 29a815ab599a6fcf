"""Optimizees in the middle of being optimized."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..features import State
from ..models.base import LearnedOptimizer
from ..tasks.base import Task


@dataclass
class Run:
    """I instances of a task, and everything their next step needs.

    `loss` [I] and `gradient` [N] are those at `params` [I, n] on the latest batch. With random scaling the
    optimizer works on y = x / scale, so it sees `scale` times the gradient.
    """

    task: Task
    params: Tensor
    scale: Tensor | None
    state: State
    batches: Iterator[Any]
    loss: Tensor
    gradient: Tensor

    @classmethod
    def start(
        cls,
        optimizer: LearnedOptimizer,
        task: Task,
        seed: int,
        instances: int,
        scaling: float = 0.0,
        compact: bool = False,
    ) -> Run:
        """Fresh instances; everything random about them follows from `seed`.

        `scaling`: every coordinate is scaled by exp(U(-scaling, scaling)) (random scaling, Lv et al. 2017).
        `compact`: between steps, the optimizer's memory is kept in float16.
        """
        generator = torch.Generator().manual_seed(seed)
        params = task.init(generator, instances).clone()
        flat = params.view(-1)
        batches = task.batches(generator, instances)
        state = optimizer.init_compact(flat) if compact else optimizer.init_state(flat)
        run = cls(task, params, None, state, batches, flat, flat)
        run.look()
        if scaling:
            powers = scaling * (2 * torch.rand(params.shape, generator=generator) - 1)
            run.scale = powers.exp().to(params)
            run.gradient = run.gradient * run.scale.view(-1)
        return run

    def look(self) -> None:
        """Loss and gradient on the next batch, without moving."""
        self.loss, gradient = self.task.loss_and_gradient(self.params, next(self.batches))
        self.gradient = (gradient if self.scale is None else self.scale * gradient).view(-1)

    def move(self, optimizer: LearnedOptimizer) -> Tensor:
        """One step of the optimizer, and a look at where it led; the update [N]."""
        update, self.state = optimizer.advance(self.gradient, self.state)
        step = update.view_as(self.params)
        self.params += step if self.scale is None else self.scale * step
        self.look()
        return update
