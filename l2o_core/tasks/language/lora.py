"""LoRA (Hu et al. 2022): a frozen matrix W becomes W + alpha/rank B A, and A and B are trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ...arguments import positive, whole
from ...errors import ConfigError, optional_import


@dataclass(frozen=True)
class LoRA:
    r"""Low-rank changes of some layers: $W + \frac{\alpha}{r} B A$, of which only A and B are trained.

    Args:
        rank: r, the rows of A and the columns of B.
        alpha: The change is multiplied by alpha / rank.
        targets: The last part of the names of the layers; by default queries and values of attention.
    """

    rank: int = 8
    alpha: float = 16.0
    targets: tuple[str, ...] = ("q_proj", "v_proj")

    def apply(self, network: nn.Module, seed: int = 0) -> None:
        """Freeze a network and give it the matrices A, random, and B, zero: it computes what it did before.

        Args:
            network: Changed in place.
            seed: Of A.

        Raises:
            ConfigError: For a rank or alpha that makes no sense, targets that the network lacks, or where
                the package peft is not installed.
        """
        whole("rank", self.rank, 1), positive("alpha", self.alpha, "any unit")
        with optional_import("LoRA", extra="language"):
            import peft
        parts = network.named_modules()
        layers = sorted({name.rpartition(".")[2] for name, part in parts if isinstance(part, nn.Linear)})
        strangers = sorted({*self.targets} - {*layers}) if self.targets else ["(none)"]
        if strangers:
            raise ConfigError(
                f"LoRA cannot change {strangers[0]!r}; the linear layers are {', '.join(layers)}"
            )
        chosen: dict[str, Any] = {"r": self.rank, "lora_alpha": self.alpha}  # which peft calls an integer
        options = peft.LoraConfig(**chosen, target_modules=list(self.targets))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            peft.inject_adapter_in_model(options, network)
