"""Numerical optimizers: LSTMs that read a coordinate's features and propose its update."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..features import Features, State, log_and_sign
from .base import CoordinateOptimizer


class Recurrent(CoordinateOptimizer):
    """Stacked LSTM cells between an input map and a linear read-out, shared by all coordinates.

    `inputs`: width of what `encode` gives the first cell; `hidden`: width of the cells, `layers` of them;
    `scale`: the read-out is multiplied by it, in parameter units.
    """

    def __init__(self, features: Features, inputs: int, hidden: int, layers: int, scale: float):
        super().__init__(features)
        self.hidden, self.scale = hidden, scale
        widths = [inputs] + [hidden] * (layers - 1)
        self.cells = nn.ModuleList(nn.LSTMCell(width, hidden) for width in widths)
        self.readout = nn.Linear(hidden, 1)

    def init_memory(self, like: Tensor) -> State:
        """Hidden and cell state of every layer, (h, c, h, c, ...), each [N, hidden]."""
        return tuple(like.new_zeros(*like.shape, self.hidden) for _ in range(2 * len(self.cells)))

    def update(self, inputs: Tensor, memory: State) -> tuple[Tensor, State]:
        """Features [N, F] through the cells to the update [N]."""
        signal, kept = self.encode(inputs), []
        for cell, h, c in zip(self.cells, memory[::2], memory[1::2], strict=True):
            signal, c = cell(signal, (h, c))
            kept += [signal, c]
        return self.scale * self.decode(self.readout(signal).squeeze(-1)), tuple(kept)

    def encode(self, inputs: Tensor) -> Tensor:
        """Features [N, F] to what the first cell reads."""
        return inputs

    def decode(self, output: Tensor) -> Tensor:
        """The read-out's shape, before scaling."""
        return output


class DM(Recurrent):
    """The LSTM optimizer of Andrychowicz et al. (2016): two layers of 20 reading the gradient.

    `k` is the range of the log-and-sign preprocessing (their App. A): gradients below e^-k enter linearly.
    """

    def __init__(self, hidden: int = 20, layers: int = 2, k: float = 10.0, scale: float = 0.01):
        super().__init__(Features(("g",)), inputs=2, hidden=hidden, layers=layers, scale=scale)
        self.k = k
        self.options = {"hidden": hidden, "layers": layers, "k": k, "scale": scale}

    def encode(self, inputs: Tensor) -> Tensor:
        """Log magnitude and sign of the gradient, [N, 2]."""
        return log_and_sign(inputs[..., 0], self.k)


class RP(Recurrent):
    """RNNprop (Lv et al. 2017): m_hat and g_hat (SymL2O Eq. 5), projected, through LSTMs, squashed by tanh.

    `projection`: width of the ELU layer in front of the cells.
    """

    def __init__(
        self,
        hidden: int = 20,
        layers: int = 2,
        projection: int = 20,
        beta1: float = 0.95,
        beta2: float = 0.95,
        scale: float = 0.01,
    ):
        features = Features(("m_hat", "g_hat"), beta1=beta1, beta2=beta2)
        super().__init__(features, inputs=projection, hidden=hidden, layers=layers, scale=scale)
        self.projection = nn.Linear(len(features.names), projection)
        self.options = {"hidden": hidden, "layers": layers, "projection": projection}
        self.options |= {"beta1": beta1, "beta2": beta2, "scale": scale}

    def encode(self, inputs: Tensor) -> Tensor:
        """ELU of a linear map of the features, [N, projection]."""
        return nn.functional.elu(self.projection(inputs))

    def decode(self, output: Tensor) -> Tensor:
        """No coordinate moves by more than `scale` in one step."""
        return torch.tanh(output)


class RPSmall(RP):
    """RP with a projection of 6 in place of 20 and one LSTM layer in place of two (SymL2O 4.2).

    The cell is 7 wide, as in the published code; the paper does not say.
    """

    def __init__(self, hidden: int = 7, layers: int = 1, projection: int = 6, **options: float):
        super().__init__(hidden=hidden, layers=layers, projection=projection, **options)


class RPSmallExtra(RPSmall):
    """RPSmall with a third, learnable feature n_hat, see `ExtraMoments` (SymL2O 4.3)."""

    def __init__(self, hidden: int = 7, layers: int = 1, projection: int = 6, **options: float):
        super().__init__(hidden=hidden, layers=layers, projection=projection, **options)
        self.projection = nn.Linear(3, projection)
        self.extra = ExtraMoments(self.features.beta1, self.features.beta2)

    @property
    def observed(self) -> tuple[str, ...]:
        """m_hat, g_hat, n_hat."""
        return ("m_hat", "g_hat", "n_hat")

    def init_observer(self, like: Tensor) -> State:
        """The moments of m_hat and g_hat, then those of n_hat."""
        return super().init_observer(like) + self.extra.init(like)

    def observe(self, g: Tensor, state: State) -> tuple[Tensor, State]:
        """Gradient [N] to m_hat, g_hat, n_hat [N, 3]."""
        inputs, moments = super().observe(g, state)
        n_hat, powers = self.extra(g, state[len(moments) : len(moments) + 3])
        return torch.cat([inputs, n_hat.unsqueeze(-1)], dim=-1), moments + powers


class ExtraMoments(nn.Module):
    """n_hat = m / sqrt(v) with powers of the gradient in the place of g and g^2 (SymL2O 4.3).

    m averages k1 g^(1 + a1) + k2 g^(1 - a1), v averages l1 g^(2 + a2) + l2 g^(2 - a2); all six are learnt.
    Powers are of |g|, with g's sign in m. It starts at m_hat: k1 = k2 = l1 = l2 = 1/2, but a1 = a2 = 0.1,
    since at 0 the two terms of each sum could not be told apart.
    """

    def __init__(self, beta1: float, beta2: float, eps: float = 1e-12):
        super().__init__()
        self.beta1, self.beta2, self.eps = beta1, beta2, eps
        self.k = nn.Parameter(torch.tensor([0.5, 0.5]))
        self.l = nn.Parameter(torch.tensor([0.5, 0.5]))
        self.alpha = nn.Parameter(torch.tensor([0.1, 0.1]))

    def init(self, like: Tensor) -> State:
        """m [N], v [N] and the step count."""
        return torch.zeros_like(like), torch.zeros_like(like), like.new_zeros(())

    def forward(self, g: Tensor, state: State) -> tuple[Tensor, State]:
        """Gradient [N] to n_hat [N] and the next state."""
        m, v, t = state
        size = g.abs().clamp_min(1e-15)  # keeps the derivative by the exponent finite at 0
        a1, a2 = self.alpha
        m = torch.lerp(
            g.sign() * (self.k[0] * size ** (1 + a1) + self.k[1] * size ** (1 - a1)), m, self.beta1
        )
        v = torch.lerp(self.l[0] * size ** (2 + a2) + self.l[1] * size ** (2 - a2), v, self.beta2)
        t = t + 1
        scale = (v / (1 - self.beta2**t)).abs().sqrt() + self.eps
        return m / (1 - self.beta1**t) / scale, (m, v, t)
