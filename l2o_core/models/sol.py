"""The Symbolic Optimizer Learner (SOL Sec. 3.3): its units are operators, so the network is an equation."""

from __future__ import annotations

import copy
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..arguments import check_types
from ..errors import ConfigError
from ..expressions import Expression, linear, var
from ..expressions.linear import LinearForm
from ..features import Features, State
from .base import LearnedOptimizer
from .gates import GatedLinear
from .operators import ARITY, SOL_OPERATORS, Units, mapped

INPUTS = ("g", "g2", "g3", "ag", "m", "v", "sg", "sm", "ad", "rs", "ld", "cd")
CONSTANTS = (1.0, 2.0)


class SOL(LearnedOptimizer):
    r"""Hidden layers of operators between SOL's inputs and a linear read-out, shared by all coordinates.

    A layer maps h to h', and the update is read out of the last one (SOL Eq. 3 and Eq. 1):

    .. math::
        c = W h + b, \quad h' = (f_1(c_1), f_2(c_2), \ldots, f_n(c_{k-1}, c_k)), \qquad
        u = -\mathrm{scale} \cdot (W h + b)

    h is at first the inputs and the constants 1 and 2 (SOL Sec. 4). Every weight has a gate (Louizos et al.
    2018), sampled anew for each unroll of meta-training. Moments are those of `torch.optim.Adam`.

    Args:
        total_steps: The T of the decays `ld` and `cd`.
        hidden: Layers of operators.
        copies: Units of each operator in a layer.
        scale: Factor of the read-out, in units of the parameters.
        sparsity: Penalty for all gates being open, in units of the loss.

    Raises:
        ConfigError: For counts below 1 and a negative penalty.

    Example:
        >>> optimizer = SOL(total_steps=100)
        >>> sorted(str(variable) for variable in optimizer.equation.variables)[:3]
        ['ad', 'ag', 'cd']
    """

    inputs = INPUTS
    """The features that the first layer reads (see `l2o_core.features`)."""
    constants = CONSTANTS
    """The numbers that it reads beside them."""
    operators: ClassVar[dict[str, int]] = {name: ARITY[name] for name in SOL_OPERATORS}
    """The operators of a hidden layer, each with the number of components that it takes."""

    def __init__(
        self,
        total_steps: int = 100,
        hidden: int = 1,
        copies: int = 1,
        scale: float = 0.01,
        sparsity: float = 0.0,
    ):
        options = check_types(SOL, locals())
        for name, value in {"total_steps": total_steps, "hidden": hidden, "copies": copies}.items():
            if value < 1:
                raise ConfigError(f"{name} must be at least 1, not {value}")
        if sparsity < 0:
            raise ConfigError(f"sparsity must be at least 0, not {sparsity}")
        super().__init__(
            Features(INPUTS, beta1=0.9, beta2=0.999, eps=1e-8, total_steps=options["total_steps"])
        )
        self.units, self.options = Units(SOL_OPERATORS, copies), options
        self.scale, self.sparsity = options["scale"], options["sparsity"]
        units = self.units.count
        widths = [len(INPUTS)] + [units] * (hidden - 1)
        self.layers = nn.ModuleList(
            GatedLinear(width, self.units.components, (1.0,) if number else CONSTANTS, std=width**-0.5)
            for number, width in enumerate(widths)
        )
        self.readout = GatedLinear(units, 1, (1.0,), std=0.1 * units**-0.5)  # small steps at first

    @property
    def _maps(self) -> list[GatedLinear]:
        return [*self.layers, self.readout]

    def init_memory(self, like: Tensor) -> State:
        """An empty tuple: all memory is in the features."""
        return ()

    def update(self, inputs: Tensor, memory: State) -> tuple[Tensor, State]:
        """Features `[N, 12]` through the layers to the update `[N]`."""
        h = inputs.T
        for layer in self.layers:
            h = self.units.values(layer(h))
        return -self.scale * self.readout(h)[0], ()

    def sample_gates(self, generator: torch.Generator | None) -> None:
        """Sample the gates of all layers; see `LearnedOptimizer.sample_gates`."""
        for layer in self._maps:
            layer.sample_gates(generator)

    def penalty(self) -> Tensor:
        """`sparsity` times the expected fraction of open gates."""
        probabilities = [layer.open_probability.flatten() for layer in self._maps]
        return self.sparsity * torch.cat(probabilities).mean()

    @property
    def equation(self) -> Expression:
        """The update written out over the inputs, with the gates as they are (the end of SOL's Alg. 1).

        Raises:
            ExpressionError: Where that would be too long: several layers of many units, not yet sparse.
        """
        signals: list[LinearForm] = [{var(name): 1.0} for name in self.features.names]
        *layers, readout = self._maps
        for layer in layers:
            signals = self.units.written(mapped(layer, signals))
        (y,) = mapped(readout, signals)
        return linear.expression(linear.nonzero(linear.total([(-self.scale, y)])))

    @torch.no_grad()
    def pruned(self, inputs: Tensor, fraction: float) -> SOL:
        """A copy without the weights that hardly matter.

        The weight `w[i, j]` is set to 0 if `abs(w[i, j]) * RMS(h[j])` is below `fraction` of the largest such
        product in row i, where h enters the layer.

        Args:
            inputs: Features over which the root mean squares are taken, `[n, 12]`.
            fraction: The threshold, in [0, 1).

        Raises:
            ConfigError: For a fraction outside [0, 1).
        """
        if not 0 <= fraction < 1:
            raise ConfigError(f"fraction must lie in [0, 1), not {fraction}")
        small, h = copy.deepcopy(self), inputs.T
        for layer in small._maps:
            layer.prune(h, fraction)
            h = small.units.values(layer(h)) if layer is not small.readout else h
        return small
