"""Multi-layer perceptrons on images: P2, P3 and P4."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from ..errors import ConfigError
from .classifier import Classifier

PIXELS = {"mnist": 784, "cifar10": 3072, "cifar100": 3072, "digits": 64}
ACTIVATIONS = {"relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh}


class MLP(Classifier):
    """Fully connected layers of the given widths between the pixels and ten classes (SymL2O 4.2).

    `options` are those of `Classifier`: batch, half, low, spread, download.
    """

    def __init__(
        self,
        name: str = "mlp",
        dataset: str = "mnist",
        hidden: Sequence[int] = (50, 20),
        activation: str = "relu",
        **options: Any,
    ):
        if activation not in ACTIVATIONS:
            raise ConfigError(f"unknown activation {activation!r}; known: {', '.join(ACTIVATIONS)}")
        shapes: dict[str, tuple[int, ...]] = {}
        for layer, (width, following) in enumerate(pairwise((PIXELS[dataset], *hidden, 10)), start=1):
            shapes |= {f"w{layer}": (width, following), f"b{layer}": (1, following)}
        super().__init__(name, dataset, shapes, **options)
        self.activation = ACTIVATIONS[activation]

    def logits(self, weights: dict[str, Tensor], images: Tensor) -> Tensor:
        """Class scores [I, B, 10]."""
        signal, depth = images.flatten(2), len(weights) // 2
        for layer in range(1, depth + 1):
            signal = torch.baddbmm(weights[f"b{layer}"], signal, weights[f"w{layer}"])
            if layer < depth:
                signal = self.activation(signal)
        return signal
