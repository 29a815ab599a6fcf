"""Numerical optimizers: LSTMs that read a coordinate's features and propose its update."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..arguments import check_types
from ..errors import ConfigError
from ..features import Features, State, log_and_sign
from .base import LearnedOptimizer
from .cell import LSTMCell
from .extra import ExtraFeatures


class Recurrent(LearnedOptimizer):
    """Stacked LSTM cells between an input map and a linear read-out, shared by all coordinates.

    Args:
        features: Inputs of the input map.
        inputs: Width of what `encode` gives the first cell.
        hidden: Width of the cells.
        layers: Number of cells.
        scale: Factor of the read-out, in units of the parameters.
    """

    def __init__(
        self, features: Features | ExtraFeatures, inputs: int, hidden: int, layers: int, scale: float
    ):
        super().__init__(features)
        sizes = {"hidden": hidden, "layers": layers, "projection": inputs}
        for name, size in sizes.items():
            if size < 1:
                raise ConfigError(f"{name} must be at least 1, not {size}")
        self.hidden, self.scale = int(hidden), float(scale)
        widths = [inputs] + [hidden] * (layers - 1)
        self.cells = nn.ModuleList(LSTMCell(width, hidden) for width in widths)
        self.readout = nn.Linear(hidden, 1)
        for parameter in self.readout.parameters():
            parameter.data *= 0.1  # large steps, before it has learned, kill the optimizee's units for good

    def init_memory(self, like: Tensor) -> State:
        """Hidden and cell state of every layer, (h, c, h, c, ...), each `[N, hidden]`."""
        return tuple(like.new_zeros(self.hidden, len(like)).T for _ in range(2 * len(self.cells)))

    def update(self, inputs: Tensor, memory: State) -> tuple[Tensor, State]:
        """Features `[N, F]` through the cells to the update `[N]`."""
        signal, new = self.encode(inputs), []
        for cell, h, c in zip(self.cells, memory[::2], memory[1::2], strict=True):
            signal, c = cell(signal, h, c)
            new += [signal, c]
        return self.scale * self.decode(self.readout(signal).squeeze(-1)), tuple(new)

    def encode(self, inputs: Tensor) -> Tensor:
        """Features `[N, F]` to the inputs of the first cell."""
        return inputs

    def decode(self, output: Tensor) -> Tensor:
        """The read-out, reshaped before it is scaled."""
        return output


class DM(Recurrent):
    """The LSTM optimizer of Andrychowicz et al. (2016): two layers of 20 that read the gradient.

    Args:
        hidden: Width of the LSTM cells.
        layers: Number of LSTM cells.
        k: Range of the log-and-sign preprocessing (their App. A): gradients below e^-k enter linearly.
        scale: Factor of the read-out, in units of the parameters.

    Example:
        >>> DM(hidden=5, layers=1).features.names
        ('g',)
    """

    def __init__(self, hidden: int = 20, layers: int = 2, k: float = 10.0, scale: float = 0.01):
        options = check_types(DM, locals())
        super().__init__(Features(("g",)), inputs=2, hidden=hidden, layers=layers, scale=scale)
        self.k, self.options = options["k"], options

    def encode(self, inputs: Tensor) -> Tensor:
        """Log magnitude and sign of the gradient, `[N, 2]`."""
        return log_and_sign(inputs[..., 0], self.k)


class RP(Recurrent):
    """RNNprop (Lv et al. 2017): m_hat and g_hat (SymL2O Eq. 5), projected, through LSTMs, squashed by tanh.

    Args:
        hidden: Width of the LSTM cells.
        layers: Number of LSTM cells.
        projection: Width of the ELU layer in front of the cells.
        beta1: Decay rate of the first moment.
        beta2: Decay rate of the second moment.
        scale: Largest update, in units of the parameters.

    Example:
        >>> RP().features.names
        ('m_hat', 'g_hat')
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
        options = check_types(RP, locals())
        features = self.make_features(options["beta1"], options["beta2"])
        super().__init__(features, inputs=projection, hidden=hidden, layers=layers, scale=scale)
        self.projection = nn.Linear(len(features.names), projection)
        self.options, self.bound = options, options["scale"]

    @staticmethod
    def make_features(beta1: float, beta2: float) -> Features | ExtraFeatures:
        """The features that enter the projection."""
        return Features(("m_hat", "g_hat"), beta1=beta1, beta2=beta2)

    def encode(self, inputs: Tensor) -> Tensor:
        """ELU of a linear map of the features, `[N, projection]`."""
        linear = torch.addmm(self.projection.bias[:, None], self.projection.weight, inputs.T)
        return nn.functional.elu(linear).T

    def decode(self, output: Tensor) -> Tensor:
        """The hyperbolic tangent: no coordinate moves by more than `scale` in one step."""
        return torch.tanh(output)


class RPSmall(RP):
    """RP with a projection of 6 in place of 20 and one LSTM in place of two (SymL2O 4.2), of width 7.

    Args:
        hidden: Width of the LSTM cell.
        layers: Number of LSTM cells.
        projection: Width of the ELU layer in front of the cells.
        beta1: Decay rate of the first moment.
        beta2: Decay rate of the second moment.
        scale: Largest update, in units of the parameters.
    """

    def __init__(
        self,
        hidden: int = 7,
        layers: int = 1,
        projection: int = 6,
        beta1: float = 0.95,
        beta2: float = 0.95,
        scale: float = 0.01,
    ):
        super().__init__(hidden, layers, projection, beta1, beta2, scale)


class RPSmallExtra(RPSmall):
    """RPSmall that also sees n_hat, a feature with six learnable numbers of its own (SymL2O 4.3).

    Args:
        hidden: Width of the LSTM cell.
        layers: Number of LSTM cells.
        projection: Width of the ELU layer in front of them.
        beta1: Decay rate of the first moment.
        beta2: Decay rate of the second moment.
        scale: Largest update of a coordinate in one step, in parameter units.

    Example:
        >>> RPSmallExtra().features.names
        ('m_hat', 'g_hat', 'n_hat')
    """

    @staticmethod
    def make_features(beta1: float, beta2: float) -> ExtraFeatures:
        """m_hat, g_hat and n_hat."""
        return ExtraFeatures(beta1, beta2)
