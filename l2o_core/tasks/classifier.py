"""Image classifiers as optimizees: the data they see, shared by every architecture."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from functools import cached_property
from math import prod
from typing import Any

import torch
from torch import Tensor

from .. import data
from ..arguments import find_device, finite, whole
from ..storage import digest
from .augmentation import shift_and_mirror
from .base import Task
from .cross_entropy import mean_cross_entropy
from .flat import unflatten

Batch = tuple[Tensor, Tensor]


class Classifier(Task):
    """Cross-entropy of a network on minibatches, I networks at once (SymL2O Eq. 4, P2 and P3).

    A seed draws the same numbers on every device.

    Args:
        name: Of the problem.
        dataset: Of the images, as `data.load` knows it.
        shapes: Of the parameters, by name and in order.
        batch: Images in a minibatch.
        part: Of the training images and of the seeds: "train", "choose" or "report"; None: all images.
        low: The value of a black pixel; a white one has `low + 1`.
        augment: Shift images at random by up to 4 pixels, and mirror half of them.
        init_std: Standard deviation of all initial parameters, biases included.
        device: Device of images and parameters.
        download: Download the data set if it is not found.

    Raises:
        ConfigError: For a batch below 1, numbers that are not finite, an unknown part, or a device that this
            machine lacks.
        DataError: Where the data set is not found.
    """

    def __init__(
        self,
        name: str,
        dataset: str,
        shapes: dict[str, tuple[int, ...]],
        *,
        batch: int = 128,
        part: str | None = None,
        low: float = -0.5,
        augment: bool = False,
        init_std: float = 0.01,
        device: str = "cpu",
        download: bool = False,
    ):
        self.batch, self.device = whole("batch", batch, 1), find_device(device)
        finite("low", low), finite("init_std", init_std)
        images = data.load(dataset, "train", download=download, part=part)
        self.images, self.labels = images.images.to(self.device), images.labels.to(self.device)
        self.name, self.dataset, self.shapes, self.part = name, images.name, shapes, part
        self.classes = images.classes
        self.layers = {layer: prod(shape) for layer, shape in shapes.items()}
        self.low, self.augment, self.init_std = low, augment, init_std

    @property
    def identity(self) -> dict[str, Any]:
        """Images, labels, and how they are fed."""
        options = {"batch": self.batch, "low": self.low, "augment": self.augment, "init_std": self.init_std}
        shapes = {name: list(shape) for name, shape in self.shapes.items()}
        return super().identity | options | {"shapes": shapes, "data": self._data}

    @cached_property
    def _data(self) -> str:
        return digest([self.images, self.labels])

    def init(self, generator: torch.Generator, instances: int = 1) -> Tensor:
        """Starting points `[I, n]` ~ N(0, init_std^2)."""
        return self.init_std * torch.randn(instances, self.n, generator=generator).to(self.device)

    def batches(self, generator: torch.Generator, instances: int = 1) -> Iterator[tuple[Tensor, ...]]:
        """Images `[I, B, C, H, W]` in [low, low + 1] and labels `[I, B]`, drawn for each instance."""
        while True:
            rows = torch.randint(len(self.labels), (instances, self.batch), generator=generator)
            rows = rows.to(self.device)
            images = self.images[rows]
            if self.augment:
                images = shift_and_mirror(images, generator)
            yield images.float().div_(255).add_(self.low), self.labels[rows]

    def loss(self, params: Tensor, batch: Batch) -> Tensor:
        """Mean cross-entropy `[I]` of the minibatch."""
        images, labels = batch
        logits = self.logits(self.unflatten(params), images)
        return mean_cross_entropy(logits, labels)

    def unflatten(self, params: Tensor) -> dict[str, Tensor]:
        """Parameters `[I, n]` as tensors `[I, *shape]` by name."""
        return unflatten(params, self.shapes)

    @abstractmethod
    def logits(self, weights: dict[str, Tensor], images: Tensor) -> Tensor:
        """Class scores `[I, B, classes]` of images `[I, B, C, H, W]`."""
