"""LeNet-5 on MNIST, the optimizee of SymL2O 3.4."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d

from .classifier import Classifier

SHAPES = {
    "conv1": (6, 1, 5, 5),
    "bias1": (6,),
    "conv2": (16, 6, 5, 5),
    "bias2": (16,),
    **{"w3": (256, 120), "b3": (1, 120), "w4": (120, 84), "b4": (1, 84), "w5": (84, 10), "b5": (1, 10)},
}


class LeNet(Classifier):
    """Two 5x5 convolutions of 6 and 16 filters, then layers of 120, 84 and 10; ReLU, max-pooling.

    A spread of 0.1 is the default: with P2's 0.01 the signal is lost on the way through five layers.
    """

    def __init__(self, name: str = "lenet", spread: float = 0.1, **options: Any):
        super().__init__(name, "mnist", SHAPES, spread=spread, **options)

    def logits(self, weights: dict[str, Tensor], images: Tensor) -> Tensor:
        """Class scores [I, B, 10]; the instances are groups of one convolution."""
        signal = images.transpose(0, 1).flatten(1, 2)  # [B, I * C, H, W]
        for layer in (1, 2):
            kernel, bias = weights[f"conv{layer}"], weights[f"bias{layer}"]
            signal = conv2d(signal, kernel.flatten(0, 1), bias.flatten(), groups=len(kernel))
            signal = max_pool2d(signal.relu(), 2)
        signal = signal.unflatten(1, (len(images), 16)).flatten(2).transpose(0, 1)
        for layer in (3, 4, 5):
            signal = torch.baddbmm(weights[f"b{layer}"], signal, weights[f"w{layer}"])
            signal = signal.relu() if layer < 5 else signal
        return signal
