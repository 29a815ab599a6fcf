"""The learnable third feature of RPSmallExtra, n_hat (SymL2O 4.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..features import Features, State, power_sums, root


class ExtraFeatures(nn.Module):
    """m_hat, g_hat (SymL2O Eq. 5) and n_hat, in the manner of `Features`.

    n_hat is m_hat with `k1 g^(1+a1) + k2 g^(1-a1)` in place of g in m, and `l1 g^(2+a2) + l2 g^(2-a2)` in
    place of g^2 in v; powers keep the sign in m and drop it in v. k, l and alpha are trained, [2] each. The
    paper gives no starting values: with ours, n_hat begins near m_hat, and alpha = 0 would be a saddle.
    """

    names = ("m_hat", "g_hat", "n_hat")
    buffers = ("m", "v", "t", "n_m", "n_v")

    def __init__(self, beta1: float = 0.95, beta2: float = 0.95):
        super().__init__()
        self.beta1, self.beta2 = beta1, beta2
        self.plain = Features(("m_hat", "g_hat"), beta1=beta1, beta2=beta2)
        self.k = nn.Parameter(torch.tensor([0.5, 0.5]))
        self.l = nn.Parameter(torch.tensor([0.5, 0.5]))
        self.alpha = nn.Parameter(torch.tensor([0.2, 0.2]))

    def init(self, like: Tensor) -> State:
        """The state before the first gradient, for coordinates shaped like `like` [N]."""
        return (*self.plain.init(like), torch.zeros_like(like), torch.zeros_like(like))

    def step(self, g: Tensor, state: State) -> tuple[Tensor, State]:
        """Take one gradient `g` [N]; return features [N, 3] and the next state."""
        values, state = self.step_dict(g, state)
        return torch.stack([values[name] for name in self.names], dim=-1), state

    def step_dict(self, g: Tensor, state: State) -> tuple[dict[str, Tensor], State]:
        """Like `step`, but features by name, each [N]."""
        values, (m, v, t) = self.plain.step_dict(g, state[:3])
        first, second = power_sums(g, self.k, self.l, self.alpha)
        n_m, n_v = torch.lerp(first, state[3], self.beta1), torch.lerp(second, state[4], self.beta2)
        n_hat = n_m / (1 - self.beta1**t) / root(n_v / (1 - self.beta2**t))
        return values | {"n_hat": n_hat}, (m, v, t, n_m, n_v)
