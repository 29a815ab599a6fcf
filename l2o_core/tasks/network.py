"""Any torch module as an optimizee."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from .classifier import Classifier
from .flat import initial


class Network(Classifier):
    """Cross-entropy of a module, its parameters as one vector; instances take turns.

    Normalisation layers stay in training mode.

    Args:
        name: Of the problem.
        dataset: Of the images, as `data.load` knows it.
        build: Makes the module, images `[B, C, H, W]` to scores `[B, classes]`, with its own initialisation.
        batch: Images in a minibatch.
        part: Of the training images and of the seeds: "train", "choose" or "report"; None: all images.
        low: The value of a black pixel; a white one has `low + 1`.
        augment: Shift images at random by up to 4 pixels, and mirror half of them.
        device: Device of images and parameters.
        download: Download the data set if it is not found.

    Raises:
        L2OError: As `Classifier` does.

    Example:
        >>> task = Network("linear", "digits", lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 10)))
        >>> task.layers
        {'1.weight': 640, '1.bias': 10}
    """

    def __init__(
        self,
        name: str,
        dataset: str,
        build: Callable[[], nn.Module],
        *,
        batch: int = 128,
        part: str | None = None,
        low: float = -0.5,
        augment: bool = False,
        device: str = "cpu",
        download: bool = False,
    ):
        self.build, self.module = build, build().train()
        super().__init__(
            name,
            dataset,
            {key: tuple(parameter.shape) for key, parameter in self.module.named_parameters()},
            batch=batch,
            part=part,
            low=low,
            augment=augment,
            device=device,
            download=download,
        )
        self.module.to(self.device)

    @property
    def identity(self) -> dict[str, Any]:
        """That of every classifier, and the module."""
        return super().identity | {"module": repr(self.module)}

    def init(self, generator: torch.Generator, instances: int = 1) -> Tensor:
        """Starting points `[I, n]`, as the module initialises itself."""
        return initial(self.build, generator, instances).to(self.device)

    def logits(self, weights: dict[str, Tensor], images: Tensor) -> Tensor:
        """Class scores `[I, B, classes]`."""
        scores = [
            functional_call(self.module, {key: part[i] for key, part in weights.items()}, (batch,))
            for i, batch in enumerate(images)
        ]
        return torch.stack(scores)
