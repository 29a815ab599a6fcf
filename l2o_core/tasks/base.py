"""What every optimizee is: functions of a flat parameter vector, many instances at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor


class Task(ABC):
    """An optimizee (SymL2O 3.1): how it starts, what it sees at each step, and its loss.

    I instances of a task with n parameters each are one tensor `params [I, n]`; an optimizer sees
    them as N = I * n coordinates.
    """

    name: str
    dataset: str
    layers: dict[str, int]  # coordinates of one instance, by layer, in order

    @property
    def n(self) -> int:
        """Coordinates of one instance."""
        return sum(self.layers.values())

    @abstractmethod
    def init(self, generator: torch.Generator, instances: int = 1) -> Tensor:
        """Starting points [I, n]."""

    @abstractmethod
    def batches(self, generator: torch.Generator, instances: int = 1) -> Iterator[Any]:
        """What the loss sees at each step, without end: minibatches, or the fixed data of an instance."""

    @abstractmethod
    def loss(self, params: Tensor, batch: Any) -> Tensor:
        """Loss [I] of each instance at `params` [I, n]."""

    def loss_and_gradient(self, params: Tensor, batch: Any) -> tuple[Tensor, Tensor]:
        """Loss [I] and its gradient [I, n], both detached: no graph leaves the optimizee."""
        with torch.enable_grad():
            leaf = params.detach().requires_grad_()
            loss = self.loss(leaf, batch)
            (gradient,) = torch.autograd.grad(loss.sum(), leaf)
        return loss.detach(), gradient
