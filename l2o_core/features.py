"""Features that an update rule may look at, computed coordinate by coordinate from the stream of gradients.

=========  ============================================================================  ==============
name       value at step t (t = 1 at the first gradient)                                 source
=========  ============================================================================  ==============
g          gradient                                                                      SymL2O 3.1
m, v       first and second moment, `(beta m + (1 - beta) g) / (1 - beta^t)`             SymL2O Eq. 5
m_hat      m / sqrt(v)                                                                   SymL2O Eq. 5
g_hat      g / sqrt(v)                                                                   SymL2O Eq. 5
b          heavy-ball buffer, `b = beta1 b + g`                                          Polyak 1964
s          sum of squared gradients                                                      Adagrad
sg, sm     sign of g, sign of m                                                          SOL Sec. 4
g2, g3     square and cube of g                                                          SOL Sec. 4
ag         log-preprocessed gradient                                                     SOL Sec. 4
ad, rs     directions of Adam and RMSprop: the same numbers as m_hat and g_hat           SOL Sec. 4
n_hat      m_hat with two sums of powers of g in place of g and g^2 (`powers`)           SymL2O 4.3
t          step count                                                                    SymL2O Eq. 2
ld, cd     linear and cosine decay from 1 to 0 over `total_steps`, then 0                SOL Sec. 4
=========  ============================================================================  ==============

All features live on one flat axis of N coordinates; a state is a tuple of tensors, so that it can be
carried, detached, saved and indexed without knowing what it holds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .arguments import finite, scalar
from .errors import ConfigError, did_you_mean

if TYPE_CHECKING:  # imported where tensors are made: the names of features are read without PyTorch
    from torch import Tensor

__all__ = [
    "NAMES",
    "OPTIONS",
    "POWERS",
    "Features",
    "State",
    "log_and_sign",
    "log_preprocess",
    "power_sums",
]

NAMES = (
    *("g", "m", "v", "m_hat", "g_hat", "b", "s", "sg", "sm", "g2", "g3", "ag"),
    *("ad", "rs", "n_hat", "t", "ld", "cd"),
)
"""Names of all features."""
OPTIONS = ("beta1", "beta2", "eps", "bias_correction", "total_steps")
"""Options that features are computed with."""
POWERS = ("k1", "k2", "l1", "l2", "alpha1", "alpha2")
"""Names of the six numbers in `n_hat`, in the order of `Features.powers`."""

_NEEDS_M = {"m", "m_hat", "sm", "ad"}
_NEEDS_V = {"v", "m_hat", "g_hat", "ad", "rs"}
_NEEDS_TIME = {"t", "ld", "cd"}

State = tuple["Tensor", ...]


@dataclass(frozen=True)
class Features:
    """Chosen features of a stream of gradients, as a function from gradient and state to features and state.

    Args:
        names: The features to compute, in order: any of `NAMES`.
        beta1: Decay rate of the first moment, in [0, 1).
        beta2: Decay rate of the second moment, in [0, 1).
        eps: Added to sqrt(v), in units of the gradient; 0 or larger.
        bias_correction: Whether moments are divided by `1 - beta^t`.
        total_steps: Steps over which `ld` and `cd` decay, 1 or more; required by these two.
        powers: k1, k2, l1, l2, alpha1, alpha2 of `n_hat` (see `power_sums`): six floats, or a tensor [6].

    Raises:
        ConfigError: For an unknown feature, a number that makes no sense, `ld` or `cd` without `total_steps`,
            or other than six powers.

    Example:
        >>> import torch
        >>> features = Features(("g", "m"), beta1=0.5)
        >>> state = features.init(torch.zeros(2))
        >>> values, state = features.step(torch.tensor([1.0, -2.0]), state)
        >>> values.tolist()
        [[1.0, 1.0], [-2.0, -2.0]]
    """

    names: tuple[str, ...]
    beta1: float = 0.95
    beta2: float = 0.95
    eps: float = 1e-12
    bias_correction: bool = True
    total_steps: int | None = None
    powers: Sequence[float] | Tensor = (0.5, 0.5, 0.5, 0.5, 0.2, 0.2)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))
        for name in self.names:
            if name not in NAMES:
                raise ConfigError(f"unknown feature {name!r}; {did_you_mean(name, NAMES)}")
        self._check_numbers()
        if {"ld", "cd"} & set(self.names) and self.total_steps is None:
            raise ConfigError("features ld and cd decay over total_steps: give total_steps, 1 or more")

    def _check_numbers(self) -> None:
        """Raise ConfigError for a number that makes no sense. Numbers may be tensors without dimensions."""
        for name in ("beta1", "beta2"):
            if not 0 <= finite(name, scalar(getattr(self, name))) < 1:
                raise ConfigError(f"{name} must lie in [0, 1), not {getattr(self, name)}")
        if finite("eps", scalar(self.eps)) < 0:
            raise ConfigError(f"eps must be 0 or larger, not {self.eps}")
        if self.total_steps is not None and finite("total_steps", scalar(self.total_steps)) < 1:
            raise ConfigError(f"total_steps must be 1 or more, not {self.total_steps}")
        if not hasattr(self.powers, "__len__") or len(self.powers) != len(POWERS):
            raise ConfigError(f"powers are {', '.join(POWERS)}: six numbers, not {self.powers}")
        if isinstance(self.powers, Sequence):  # those in a tensor are trained: to read them here costs time
            for name, value in zip(POWERS, self.powers, strict=True):
                finite(name, scalar(value))

    @classmethod
    def of(cls, names: Sequence[str], hyperparameters: Mapping[str, Any]) -> Features:
        """Features with options and the powers of `n_hat` by name, as `Features.hyperparameters` gives them.

        Raises:
            ConfigError: As `Features` does, and for a hyper-parameter of another name.
        """
        for name in hyperparameters:
            if name not in (*OPTIONS, *POWERS):
                raise ConfigError(f"no hyper-parameter {name!r}; {did_you_mean(name, (*OPTIONS, *POWERS))}")
        options = {name: value for name, value in hyperparameters.items() if name in OPTIONS}
        usual = dict(zip(POWERS, cls.powers, strict=True))
        return cls(tuple(names), **options, powers=[hyperparameters.get(n, usual[n]) for n in POWERS])

    @property
    def state_names(self) -> tuple[str, ...]:
        """Names of the tensors in the state, in order."""
        used = set(self.names)
        needs = {"m": used & _NEEDS_M, "v": used & _NEEDS_V, "b": used & {"b"}, "s": used & {"s"}}
        needs |= {"n_m": used & {"n_hat"}, "n_v": used & {"n_hat"}}
        moments = needs["m"] or needs["v"] or needs["n_m"]
        timed = used & _NEEDS_TIME or (self.bias_correction and moments)
        return (*(name for name, needed in needs.items() if needed), *(("t",) if timed else ()))

    def hyperparameters(self) -> dict[str, Any]:
        """Options by name, and with `n_hat` its six numbers: keywords of `optim.SymbolicOptimizer`."""
        values = {name: getattr(self, name) for name in OPTIONS}
        if "n_hat" in self.names:
            values |= zip(POWERS, map(float, self.powers), strict=True)
        return values

    def init(self, like: Tensor) -> State:
        """The state before the first gradient, for coordinates shaped like `like` [N]."""
        return tuple(like.new_zeros(() if name == "t" else like.shape) for name in self.state_names)

    def step(self, g: Tensor, state: State) -> tuple[Tensor, State]:
        """Take one gradient `g` [N]; return features [N, F] and the next state."""
        import torch

        values, state = self.step_dict(g, state)
        if not values:
            return g.new_empty(*g.shape, 0), state
        return torch.stack([values[name].expand_as(g) for name in self.names], dim=-1), state

    def step_dict(self, g: Tensor, state: State) -> tuple[dict[str, Tensor], State]:
        """Like `step`, but features by name, each [N] or a scalar (t, ld, cd)."""
        old = dict(zip(self.state_names, state, strict=True))
        now = {"t": old.pop("t") + 1} if "t" in old else {}
        values, new = self.advance(g, old, self.step_scalars(now["t"]) if now else {})
        new |= now
        return values, tuple(new[name] for name in self.state_names)

    def step_scalars(self, t: Tensor | float) -> dict[str, Tensor | float]:
        """Numbers of step `t` (1 is the first) that all coordinates share: t, bias corrections, decays."""
        # in Python's floats: in float32, 1 - beta loses its digits where beta is close to 1
        scalars = {"t": t, "rest1": 1 - self.beta1, "rest2": 1 - self.beta2}
        if self.bias_correction:
            bias1, bias2 = _one_minus_power(self.beta1, t), _one_minus_power(self.beta2, t)
            scalars |= {"correction1": 1 / bias1, "correction2": 1 / bias2}
            if "n_hat" in self.names:
                scalars |= {"bias1": bias1, "bias2": bias2}
        if self.total_steps:
            done = t / self.total_steps
            done = min(done, 1.0) if isinstance(done, float) else done.clamp_max(1.0)
            cosine = math.cos(math.pi * done) if isinstance(done, float) else (math.pi * done).cos()
            scalars |= {"ld": 1 - done, "cd": 0.5 * (1 + cosine)}
        return scalars

    def advance(
        self, g: Tensor, old: Mapping[str, Tensor], scalars: Mapping[str, Tensor | float]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Features and new moments by name, from the gradient, the old moments and `step_scalars`.

        `scalars` may also hold other values of beta1, beta2, eps and the six powers; `rest1` and `rest2` are
        1 - beta1 and 1 - beta2.
        """
        beta1, beta2 = scalars.get("beta1", self.beta1), scalars.get("beta2", self.beta2)
        rest1, rest2 = scalars.get("rest1", 1 - self.beta1), scalars.get("rest2", 1 - self.beta2)
        new: dict[str, Tensor] = {}
        if "m" in old:
            new["m"] = beta1 * old["m"] + rest1 * g
        if "v" in old:
            new["v"] = beta2 * old["v"] + rest2 * g * g  # in this order: g * g overflows first
        if "b" in old:
            new["b"] = beta1 * old["b"] + g
        if "s" in old:
            new["s"] = old["s"] + g * g
        if "n_m" in old:
            k1, k2, l1, l2, *alpha = (scalars.get(n, p) for n, p in zip(POWERS, self.powers, strict=True))
            first, second = power_sums(g, (rest1 * k1, rest1 * k2), (rest2 * l1, rest2 * l2), alpha)
            new["n_m"] = beta1 * old["n_m"] + first
            new["n_v"] = beta2 * old["n_v"] + second
        return self._derive(g, new, scalars), new

    def _derive(
        self, g: Tensor, new: Mapping[str, Tensor], scalars: Mapping[str, Tensor | float]
    ) -> dict[str, Tensor]:
        wanted = set(self.names)
        out: dict[str, Any] = {"g": g} | {name: new[name] for name in ("b", "s") if name in new}
        out |= {name: scalars[name] for name in ("t", "ld", "cd") if name in scalars}
        if "m" in new:
            out["m"] = new["m"] * scalars.get("correction1", 1.0)
        if "v" in new:
            out["v"] = new["v"] * scalars.get("correction2", 1.0)
            scale = out["v"].sqrt() + scalars.get("eps", self.eps)
        if "n_m" in new:
            n_m, n_v = new["n_m"] / scalars.get("bias1", 1.0), new["n_v"] / scalars.get("bias2", 1.0)
            out["n_hat"] = n_m / n_hat_denominator(n_v)
        if wanted & {"m_hat", "ad"}:
            out["m_hat"] = out["ad"] = out["m"] / scale
        if wanted & {"g_hat", "rs"}:
            out["g_hat"] = out["rs"] = g / scale
        if "g2" in wanted:
            out["g2"] = g * g
        if "g3" in wanted:
            out["g3"] = g * g * g
        if "sg" in wanted:
            out["sg"] = _sign(g)
        if "sm" in wanted:
            out["sm"] = _sign(new["m"])
        if "ag" in wanted:
            out["ag"] = log_preprocess(g)
        return {name: out[name] for name in self.names}


def power_sums(
    g: Tensor, k: Sequence[float] | Tensor, ell: Sequence[float] | Tensor, alpha: Sequence[float] | Tensor
) -> tuple[Tensor, Tensor]:
    r"""The two sums of powers inside `n_hat` (SymL2O Sec. 4.3).

    .. math::
        k_1 g^{1+\alpha_1} + k_2 g^{1-\alpha_1}, \qquad l_1 g^{2+\alpha_2} + l_2 g^{2-\alpha_2}

    Powers keep the sign of g in the first sum and drop it in the second, which stands in for g^2. Both sums
    are 0 where g is, whatever the exponents.

    Args:
        g: Gradients [N].
        k: Two weights of the first sum.
        ell: Two weights of the second sum.
        alpha: Two exponents, of the first and the second sum.

    Returns:
        Both sums, [N] each.
    """
    import torch

    magnitude = g.abs()
    # at 0 any power will do, as long as it and its derivatives are finite
    log = torch.where(magnitude == 0, 1.0, magnitude.clamp_min(1e-20)).log()
    up1, up2 = (alpha[0] * log).exp(), (alpha[1] * log).exp()  # |g|^alpha, cheaper than four powers
    first = g * (k[0] * up1 + k[1] / up1)
    return first, magnitude * (ell[0] * up2 + ell[1] / up2) * magnitude


def _one_minus_power(beta: float, t: Tensor | float) -> Tensor | float:
    """`1 - beta^t` without the cancellation where `beta^t` is close to 1."""
    exponent = t * (math.log(beta) if beta else -math.inf)
    return -(math.expm1(exponent) if isinstance(exponent, float) else exponent.expm1())


def _sign(x: Tensor) -> Tensor:
    """The sign of x; undefined where x is, so that a lost gradient shows."""
    import torch

    return torch.where(x.isnan(), x, x.sign())


def n_hat_denominator(n_v: Tensor) -> Tensor:
    """Denominator of `n_hat`: `sqrt(|n_v|)`, at least 1e-12; absolute, since l1 and l2 may be negative."""
    return n_v.abs().clamp_min(1e-24).sqrt()


def log_preprocess(g: Tensor, p: float = 10.0, eps: float = 1e-6) -> Tensor:
    r"""SOL's feature `ag`: :math:`\log(|g| + \epsilon) / p` where :math:`|g| > e^{-p}`, else -1 (SOL Sec. 4).

    Args:
        g: Gradients [N].
        p: Scale of the logarithm.
        eps: Added to `|g|`, in units of the gradient.

    Returns:
        The preprocessed gradients [N].

    Example:
        >>> import torch
        >>> log_preprocess(torch.tensor([1.0, 0.0])).round(decimals=3).tolist()
        [0.0, -1.0]
    """
    large = (g.abs() > math.exp(-p)).to(g.dtype)
    return (g.abs() + eps).log() / p * large - (1 - large)


def log_and_sign(g: Tensor, k: float = 10.0) -> Tensor:
    r"""Two bounded views of a gradient (Andrychowicz et al. 2016, App. A).

    :math:`(\log|g| / k, \operatorname{sign} g)` where :math:`|g| \ge e^{-k}`, else :math:`(-1, e^k g)`.

    Args:
        g: Gradients [N].
        k: Scale of the logarithm.

    Returns:
        Both views [N, 2].

    Example:
        >>> import torch
        >>> log_and_sign(torch.tensor([1.0, 0.0])).tolist()
        [[0.0, 1.0], [-1.0, 0.0]]
    """
    import torch

    large = g.abs() >= math.exp(-k)
    magnitude = torch.where(large, g.abs().clamp_min(1e-38).log() / k, -1.0)
    direction = torch.where(large, g.sign(), math.exp(k) * g)
    return torch.stack([magnitude, direction], dim=-1)
