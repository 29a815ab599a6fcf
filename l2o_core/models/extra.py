"""The third feature of RPSmallExtra, n_hat, with numbers that are trained (SymL2O 4.3)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..features import Features, State


class ExtraFeatures(nn.Module):
    """m_hat, g_hat (SymL2O Eq. 5) and n_hat, in the manner of `Features`, with n_hat's six numbers trained.

    They are `k`, `l` and `alpha`, [2] each (see `features.power_sums`). The paper gives no starting values:
    with ours, n_hat begins near m_hat, and alpha = 0 would be a saddle.
    """

    names = ("m_hat", "g_hat", "n_hat")
    state_names = Features(names).state_names

    def __init__(self, beta1: float = 0.95, beta2: float = 0.95):
        super().__init__()
        self.beta1, self.beta2 = beta1, beta2
        self.k = nn.Parameter(torch.tensor([0.5, 0.5]))
        self.l = nn.Parameter(torch.tensor([0.5, 0.5]))
        self.alpha = nn.Parameter(torch.tensor([0.2, 0.2]))

    @property
    def features(self) -> Features:
        """The features with the numbers as they are now."""
        powers = torch.cat([self.k, self.l, self.alpha])
        return Features(self.names, beta1=self.beta1, beta2=self.beta2, powers=powers)

    @torch.no_grad()
    def hyperparameters(self) -> dict[str, Any]:
        """See `Features.hyperparameters`."""
        return self.features.hyperparameters()

    def init(self, like: Tensor) -> State:
        """See `Features.init`."""
        return self.features.init(like)

    def step(self, g: Tensor, state: State) -> tuple[Tensor, State]:
        """See `Features.step`."""
        return self.features.step(g, state)

    def step_dict(self, g: Tensor, state: State) -> tuple[dict[str, Tensor], State]:
        """See `Features.step_dict`."""
        return self.features.step_dict(g, state)
