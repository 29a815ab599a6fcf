"""Attacks as optimizees, so that optimizers can be meta-trained on them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from math import prod
from typing import Any

import torch
from torch import Tensor

from ... import data
from ...arguments import positive
from ...errors import ConfigError, did_you_mean
from ...storage import digest
from ..base import Task
from .defences import Defence
from .losses import LOSSES
from .target import Target


class Attack(Task):
    """The perturbation of an image against a defence; an instance is an image, drawn at random (SOL 5.3).

    The gradient is that of the loss that an attack minimises, so a rule descends as on any other problem.
    After each step the perturbation is projected onto ball and box. Work is done where the defence is.

    Args:
        defence: The classifier.
        part: Of the training images and of the seeds: "train", "choose" or "report"; None: all images.
        epsilon: Radius of the ball, in units of the pixels, which lie in [0, 1].
        loss: "cross_entropy" or "dlr".
        random_start: Whether to start anywhere in the ball, not at the image.

    Raises:
        ConfigError: For an epsilon that is not positive, an unknown loss or part.
        DataError: Where the data set is not found.

    Example:
        >>> from l2o_core.tasks.attack.hardening import harden
        >>> defence = harden("plain", "digits", epochs=1, width=2, augment=False)
        >>> task = Attack(defence, epsilon=0.2)
        >>> task.layers
        {'perturbation': 64}
    """

    def __init__(
        self,
        defence: Defence,
        *,
        part: str | None = None,
        epsilon: float = 8 / 255,
        loss: str = "cross_entropy",
        random_start: bool = False,
    ):
        self.epsilon = positive("epsilon", epsilon, "pixel values: there is nothing to attack at 0")
        if loss not in LOSSES:
            raise ConfigError(f"unknown loss {loss!r}; {did_you_mean(str(loss), LOSSES)}")
        images = data.load(defence.dataset, "train", part=part)
        self.name, self.dataset, self.part = f"attack on {defence.name}", images.name, part
        self.defence, self.objective, self.random_start = defence, loss, random_start
        self.device = defence.device
        self.images, self.labels = images.images, images.labels
        self.layers = {"perturbation": prod(defence.shape)}

    @property
    def identity(self) -> dict[str, Any]:
        """Defence, images and ball."""
        options = {"epsilon": self.epsilon, "loss": self.objective, "random_start": self.random_start}
        return super().identity | self.defence.identity | options | {"data": self._data}

    @cached_property
    def _data(self) -> str:
        return digest([self.images, self.labels])

    def init(self, generator: torch.Generator, instances: int = 1) -> Tensor:
        """Perturbations `[I, n]` in units of epsilon: 0, or uniform in the ball."""
        if not self.random_start:
            return torch.zeros(instances, self.n, device=self.device)
        return 2 * torch.rand(instances, self.n, generator=generator).to(self.device) - 1

    def batches(self, generator: torch.Generator, instances: int = 1) -> Iterator[Target]:
        """The images of the instances, the same at every step."""
        rows = torch.randint(len(self.labels), (instances,), generator=generator)
        images = self.images[rows].to(self.device).float() / 255
        labels = self.labels[rows].to(self.device)
        target = Target(self.defence, images, labels, self.epsilon, self.objective)
        while True:
            yield target

    def loss(self, params: Tensor, batch: Target) -> Tensor:
        """Minus cross-entropy, or minus DLR, `[I]` of each image."""
        return batch.losses(params)

    def share(self, batch: Target, instance: int, count: int) -> Target:
        """The image of one instance, `count` times."""
        image = batch.images[instance].expand(count, *batch.images.shape[1:])
        return Target(batch.defence, image, batch.labels[instance].expand(count), batch.epsilon, batch.loss)

    def project(self, params: Tensor, batch: Target) -> Tensor:
        """The nearest perturbations in ball and box."""
        return batch.project(params)
