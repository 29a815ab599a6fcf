"""Linear maps that can lose their weights one by one (Louizos et al. 2018)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

TEMPERATURE = 2 / 3
LOW, HIGH = -0.1, 1.1  # the gate's range before it is cut to [0, 1]: both ends are reached


class GatedLinear(nn.Module):
    """x [D, N] -> W x + B k [O, N], every entry of (W, B) times a gate between 0 and 1.

    `constants` k [C] are fixed numbers that enter beside x; (1,) makes B an ordinary bias. Once sampled
    (`sample_gates`), each gate is a hard-concrete random number, so that a weight can be missing; otherwise
    it is what `log_alpha` maps to. `std`: standard deviation of the initial weights.
    """

    def __init__(self, inputs: int, outputs: int, constants: Sequence[float], std: float):
        super().__init__()
        self.constants = tuple(constants)
        shape = (outputs, inputs + len(self.constants))
        self.weight = nn.Parameter(std * torch.randn(shape))
        self.log_alpha = nn.Parameter(torch.zeros(shape))  # 0: as likely open as shut, before the cut
        self.noise: Tensor | None = None

    def sample_gates(self, generator: torch.Generator | None) -> None:
        """Sample the gates and hold them until the next call; None selects their expected value."""
        if generator is None:
            self.noise = None
            return
        uniform = torch.rand(self.weight.shape, generator=generator).clamp(1e-6, 1 - 1e-6)
        self.noise = uniform.logit().to(self.weight)

    @property
    def gated(self) -> Tensor:
        """The weights as they act now, [O, D + C]."""
        if self.noise is None:
            gate = self.log_alpha.sigmoid()
        else:
            gate = ((self.noise + self.log_alpha) / TEMPERATURE).sigmoid()
        return self.weight * (gate * (HIGH - LOW) + LOW).clamp(0, 1)

    @property
    def open_probability(self) -> Tensor:
        """The probability that a sampled gate is not 0, [O, D + C]."""
        return (self.log_alpha - TEMPERATURE * math.log(-LOW / HIGH)).sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """[D, N] to [O, N]."""
        weights, fixed = self.gated.split([len(x), len(self.constants)], dim=1)
        return torch.addmm(fixed @ fixed.new_tensor(self.constants)[:, None], weights, x)

    @torch.no_grad()
    def prune(self, x: Tensor, fraction: float) -> None:
        """Set weights to 0 that carry little of x [D, N].

        The weight `w[i, j]` is one of them if `abs(w[i, j]) * RMS(x[j])` is below `fraction` of the largest
        such product in row i.
        """
        fixed = x.new_tensor(self.constants)[:, None].expand(-1, x.shape[1])
        carried = self.gated.abs() * torch.cat([x, fixed]).square().mean(1).sqrt()
        self.weight[carried < fraction * carried.amax(1, keepdim=True)] = 0
