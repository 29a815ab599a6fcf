"""Any torch module as an optimizee."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from .classifier import Classifier


class Network(Classifier):
    """Cross-entropy of a module, its parameters as one vector; instances take turns.

    `build()` gives the module, images [B, C, H, W] to scores [B, classes], with its own initialisation.
    Normalisation layers stay in training mode. `options` are those of `Classifier`.
    """

    def __init__(self, name: str, dataset: str, build: Callable[[], nn.Module], **options: Any):
        self.build, self.module = build, build().train()
        shapes = {key: tuple(parameter.shape) for key, parameter in self.module.named_parameters()}
        super().__init__(name, dataset, shapes, **options)
        self.module.to(self.images.device)

    def init(self, generator: torch.Generator, instances: int = 1) -> Tensor:
        """Starting points [I, n], as the module initialises itself."""
        seeds = torch.randint(2**31, (instances,), generator=generator).tolist()
        return torch.stack([self._fresh(seed) for seed in seeds]).to(self.images.device)

    def logits(self, weights: dict[str, Tensor], images: Tensor) -> Tensor:
        """Class scores [I, B, classes]."""
        scores = [
            functional_call(self.module, {key: part[i] for key, part in weights.items()}, (batch,))
            for i, batch in enumerate(images)
        ]
        return torch.stack(scores)

    def _fresh(self, seed: int) -> Tensor:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return nn.utils.parameters_to_vector(self.build().parameters()).detach()
