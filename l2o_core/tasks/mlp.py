"""Multi-layer perceptrons on images: P2, P3 and P4."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from ..arguments import whole
from ..errors import ConfigError, did_you_mean
from .classifier import Classifier

PIXELS = {"mnist": 784, "cifar10": 3072, "cifar100": 3072, "digits": 64}
CLASSES = {"cifar100": 100}  # ten in all others
ACTIVATIONS = {"relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh}


class MLP(Classifier):
    """Fully connected layers between the pixels and the classes, ten or the data set's number (SymL2O 4.2).

    Args:
        name: Of the problem.
        dataset: Of the images, as `data.load` knows it.
        hidden: Widths of the hidden layers.
        activation: "relu", "sigmoid" or "tanh".
        batch: Images in a minibatch.
        part: Of the training images and of the seeds: "train", "choose" or "report"; None: all images.
        low: The value of a black pixel; a white one has `low + 1`.
        augment: Shift images at random by up to 4 pixels, and mirror half of them.
        init_std: Standard deviation of all initial parameters, biases included.
        device: Device of images and parameters.
        download: Download the data set if it is not found.

    Raises:
        ConfigError: For an unknown data set or activation, and layers without a unit.
        L2OError: As `Classifier` does.

    Example:
        >>> MLP("small", "digits", (8,), batch=16).layers
        {'w1': 512, 'b1': 8, 'w2': 80, 'b2': 10}
    """

    def __init__(
        self,
        name: str = "mlp",
        dataset: str = "mnist",
        hidden: Sequence[int] = (50, 20),
        activation: str = "relu",
        *,
        batch: int = 128,
        part: str | None = None,
        low: float = -0.5,
        augment: bool = False,
        init_std: float = 0.01,
        device: str = "cpu",
        download: bool = False,
    ):
        if activation not in ACTIVATIONS:
            raise ConfigError(f"unknown activation {activation!r}; known: {', '.join(ACTIVATIONS)}")
        if dataset not in PIXELS:
            raise ConfigError(f"unknown data set {dataset!r}; {did_you_mean(dataset, PIXELS)}")
        shapes: dict[str, tuple[int, ...]] = {}
        hidden = [whole("hidden", width, 1) for width in hidden]
        widths = (PIXELS[dataset], *hidden, CLASSES.get(dataset, 10))
        for layer, (width, following) in enumerate(pairwise(widths), start=1):
            shapes |= {f"w{layer}": (width, following), f"b{layer}": (1, following)}
        super().__init__(
            name,
            dataset,
            shapes,
            batch=batch,
            part=part,
            low=low,
            augment=augment,
            init_std=init_std,
            device=device,
            download=download,
        )
        self.activation = ACTIVATIONS[activation]

    @property
    def identity(self) -> dict[str, Any]:
        """That of every classifier, and the activation."""
        return super().identity | {"activation": self.activation.__name__}

    def logits(self, weights: dict[str, Tensor], images: Tensor) -> Tensor:
        """Class scores `[I, B, classes]`."""
        signal, depth = images.flatten(2), len(weights) // 2
        for layer in range(1, depth + 1):
            signal = torch.baddbmm(weights[f"b{layer}"], signal, weights[f"w{layer}"])
            if layer < depth:
                signal = self.activation(signal)
        return signal
