"""The interface of every optimizee: functions of flat parameter vectors, many instances at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from .. import parts
from ..errors import ConfigError


class Task(ABC):
    """An optimizee (SymL2O 3.1): starting points, the data of each step, and a loss.

    I instances with n parameters each are one tensor `params [I, n]`; an optimizer sees them as N = I * n
    coordinates. `name` and `dataset` say which problem on which data, `layers` has the number of coordinates
    of each layer of one instance, in order, `part` the part of the data and seeds that it draws from, and
    `device` where its tensors are, and where optimizers work on it.

    Example:
        >>> from l2o_core import tasks
        >>> task, generator = tasks.load("p1"), torch.Generator().manual_seed(0)
        >>> params, batch = task.init(generator, instances=2), next(task.batches(generator, instances=2))
        >>> loss, gradient = task.loss_and_gradient(params, batch)
        >>> loss.shape, gradient.shape
        (torch.Size([2]), torch.Size([2, 10]))
    """

    name: str
    dataset: str
    layers: dict[str, int]
    part: str | None = None
    device: torch.device = torch.device("cpu")

    @property
    def n(self) -> int:
        """The number of coordinates of one instance."""
        return sum(self.layers.values())

    def generator(self, seed: int) -> torch.Generator:
        """Random numbers for instances and batches; tasks of different parts never share them."""
        return parts.generator(self.part, seed)

    @property
    def identity(self) -> dict[str, Any]:
        """What tells this problem from others, as a key for `storage.Cache`."""
        about = {"task": self.name, "dataset": self.dataset, "part": self.part, "layers": dict(self.layers)}
        kind = self.device.type
        return about if kind == "cpu" else about | {"device": kind}  # sums differ in their last digits

    @abstractmethod
    def init(self, generator: torch.Generator, instances: int = 1) -> Tensor:
        """Starting points `[I, n]`."""

    @abstractmethod
    def batches(self, generator: torch.Generator, instances: int = 1) -> Iterator[Any]:
        """The data of each step, without end: minibatches, or the fixed data of the instances."""

    @abstractmethod
    def loss(self, params: Tensor, batch: Any) -> Tensor:
        """Loss `[I]` of each instance at `params` `[I, n]`."""

    def project(self, params: Tensor, batch: Any) -> Tensor:
        """The nearest feasible parameters `[I, n]`; where a problem has no constraints, `params` itself."""
        return params

    def share(self, batch: Any, instance: int, count: int) -> Any:
        """The data of one instance for `count` parameter vectors, which run on it side by side.

        Args:
            batch: The data of a step, of I instances: a tuple of tensors `[I, ...]`.
            instance: The instance, below I.
            count: The number of parameter vectors.

        Raises:
            ConfigError: For data of another kind; such a task needs a `share` of its own.
        """
        if not isinstance(batch, tuple) or not all(isinstance(part, Tensor) and part.dim() for part in batch):
            raise ConfigError(
                f"the batches of {self.name} are not tuples of tensors [instances, ...], so rules cannot run "
                "on them side by side: give the task a method `share`"
            )
        return tuple(part[instance : instance + 1].expand(count, *part.shape[1:]) for part in batch)

    def loss_and_gradient(self, params: Tensor, batch: Any) -> tuple[Tensor, Tensor]:
        """Loss `[I]` and its gradient `[I, n]`, both detached: no graph leaves the optimizee."""
        with torch.enable_grad():
            leaf = params.detach().requires_grad_()
            loss = self.loss(leaf, batch)
            (gradient,) = torch.autograd.grad(loss.sum(), leaf)
        return loss.detach(), gradient
