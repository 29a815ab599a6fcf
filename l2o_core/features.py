"""What an update rule may look at, computed coordinate by coordinate from the stream of gradients.

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
ad, rs     Adam's and RMSprop's directions: the same numbers as m_hat and g_hat          SOL Sec. 4
n_hat      m_hat of two sums of powers of g, in the place of g and g^2 (`powers`)        SymL2O 4.3
t          step count                                                                    SymL2O Eq. 2
ld, cd     linear and cosine decay from 1 to 0 over `total_steps`                        SOL Sec. 4
=========  ============================================================================  ==============

All features live on one flat axis of N coordinates; a state is a tuple of tensors, so that it can be
carried, detached, saved and indexed without knowing what it holds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .errors import ConfigError

NAMES = (
    *("g", "m", "v", "m_hat", "g_hat", "b", "s", "sg", "sm", "g2", "g3", "ag"),
    *("ad", "rs", "n_hat", "t", "ld", "cd"),
)

_NEEDS_M = {"m", "m_hat", "sm", "ad"}
_NEEDS_V = {"v", "m_hat", "g_hat", "ad", "rs"}
_NEEDS_TIME = {"t", "ld", "cd"}

State = tuple[Tensor, ...]


@dataclass(frozen=True)
class Features:
    """The chosen features of a stream of gradients.

    `names`: any of `NAMES`. `beta1`, `beta2`: decay rates of the moments. `eps` is added to sqrt(v)
    (gradient units). `bias_correction` divides the moments by `1 - beta^t`. `total_steps` is the
    horizon of the decays `ld` and `cd`. `powers`: k1, k2, l1, l2, alpha1, alpha2 of `n_hat`.
    """

    names: tuple[str, ...]
    beta1: float = 0.95
    beta2: float = 0.95
    eps: float = 1e-12
    bias_correction: bool = True
    total_steps: int | None = None
    powers: tuple[float, ...] = (0.5, 0.5, 0.5, 0.5, 0.2, 0.2)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))
        for name in self.names:
            if name not in NAMES:
                raise ConfigError(f"unknown feature {name!r}; known features: {', '.join(NAMES)}")
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name} must lie in [0, 1), not {getattr(self, name)}")
        if {"ld", "cd"} & set(self.names) and not self.total_steps:
            raise ConfigError("features ld and cd decay over total_steps: give total_steps > 0")
        if len(self.powers) != 6:
            raise ConfigError(f"powers are k1, k2, l1, l2, alpha1, alpha2: six numbers, not {self.powers}")

    @property
    def buffers(self) -> tuple[str, ...]:
        """Names of the tensors in the state, in order."""
        used = set(self.names)
        needs = {"m": used & _NEEDS_M, "v": used & _NEEDS_V, "b": used & {"b"}, "s": used & {"s"}}
        needs |= {"n_m": used & {"n_hat"}, "n_v": used & {"n_hat"}}
        moments = needs["m"] or needs["v"] or needs["n_m"]
        timed = used & _NEEDS_TIME or (self.bias_correction and moments)
        return (*(name for name, needed in needs.items() if needed), *(("t",) if timed else ()))

    def init(self, like: Tensor) -> State:
        """The state before the first gradient, for coordinates shaped like `like` [N]."""
        return tuple(
            torch.zeros((), dtype=like.dtype, device=like.device) if name == "t" else torch.zeros_like(like)
            for name in self.buffers
        )

    def step(self, g: Tensor, state: State) -> tuple[Tensor, State]:
        """Take one gradient `g` [N]; return features [N, F] and the next state."""
        values, state = self.step_dict(g, state)
        if not values:
            return g.new_empty(*g.shape, 0), state
        return torch.stack([values[name].expand_as(g) for name in self.names], dim=-1), state

    def step_dict(self, g: Tensor, state: State) -> tuple[dict[str, Tensor], State]:
        """Like `step`, but features by name, each [N] or a scalar (t, ld, cd)."""
        old = dict(zip(self.buffers, state, strict=True))
        now = {"t": old.pop("t") + 1} if "t" in old else {}
        values, new = self.advance(g, old, self.clock(now["t"]) if now else {})
        new |= now
        return values, tuple(new[name] for name in self.buffers)

    def clock(self, t: Tensor | float) -> dict[str, Tensor | float]:
        """The scalars of step `t` (1 is the first): t, what moments are multiplied by, and the decays."""
        scalars = {"t": t}
        if self.bias_correction:
            scalars |= {"unbias1": 1 / (1 - self.beta1**t), "unbias2": 1 / (1 - self.beta2**t)}
        if self.total_steps:
            cos = torch.cos if isinstance(t, Tensor) else math.cos
            scalars |= {"ld": 1 - t / self.total_steps, "cd": 0.5 * (1 + cos(math.pi * t / self.total_steps))}
        return scalars

    def advance(
        self, g: Tensor, old: Mapping[str, Tensor], clock: Mapping[str, Tensor]
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Features by name and the new moments, from the gradient, the old moments and the step's scalars."""
        new: dict[str, Tensor] = {}
        if "m" in old:
            new["m"] = torch.lerp(g, old["m"], self.beta1)
        if "v" in old:
            new["v"] = torch.lerp(g * g, old["v"], self.beta2)
        if "b" in old:
            new["b"] = self.beta1 * old["b"] + g
        if "s" in old:
            new["s"] = old["s"] + g * g
        if "n_m" in old:
            first, second = power_sums(g, self.powers[:2], self.powers[2:4], self.powers[4:])
            new["n_m"] = torch.lerp(first, old["n_m"], self.beta1)
            new["n_v"] = torch.lerp(second, old["n_v"], self.beta2)
        return self._derive(g, new, clock), new

    def _derive(self, g: Tensor, new: Mapping[str, Tensor], clock: Mapping[str, Tensor]) -> dict[str, Tensor]:
        wanted = set(self.names)
        out = {"g": g} | {name: new[name] for name in ("b", "s") if name in new}
        out |= {name: clock[name] for name in ("t", "ld", "cd") if name in clock}
        unbias1, unbias2 = clock.get("unbias1", 1.0), clock.get("unbias2", 1.0)
        if "m" in new:
            out["m"] = new["m"] * unbias1
        if "v" in new:
            out["v"] = new["v"] * unbias2
            scale = out["v"].sqrt() + self.eps
        if "n_m" in new:
            out["n_hat"] = new["n_m"] * unbias1 / root(new["n_v"] * unbias2)
        if wanted & {"m_hat", "ad"}:
            out["m_hat"] = out["ad"] = out["m"] / scale
        if wanted & {"g_hat", "rs"}:
            out["g_hat"] = out["rs"] = g / scale
        if "g2" in wanted:
            out["g2"] = g * g
        if "g3" in wanted:
            out["g3"] = g * g * g
        if "sg" in wanted:
            out["sg"] = g.sign()
        if "sm" in wanted:
            out["sm"] = new["m"].sign()
        if "ag" in wanted:
            out["ag"] = log_preprocess(g)
        return {name: out[name] for name in self.names}


def power_sums(
    g: Tensor, k: Sequence[float] | Tensor, ell: Sequence[float] | Tensor, alpha: Sequence[float] | Tensor
) -> tuple[Tensor, Tensor]:
    """`k1 g^(1+a1) + k2 g^(1-a1)` and `l1 g^(2+a2) + l2 g^(2-a2)` of g [N], two numbers each (SymL2O 4.3).

    Powers keep the sign of g in the first sum and drop it in the second, which stands in for g^2.
    """
    size = g.abs().clamp_min(1e-20)
    log = size.log()
    up1, up2 = (alpha[0] * log).exp(), (alpha[1] * log).exp()  # size^alpha, cheaper than four powers
    first = g * (k[0] * up1 + k[1] / up1)
    return first, size * size * (ell[0] * up2 + ell[1] / up2)


def root(n_v: Tensor) -> Tensor:
    """What n_hat's first sum is divided by: l1 and l2 may be negative, so of the size, and never by 0."""
    return n_v.abs().clamp_min(1e-24).sqrt()


def log_preprocess(g: Tensor, p: float = 10.0, eps: float = 1e-6) -> Tensor:
    """SOL's `ag`: `log(|g| + eps) / p` where `|g| > e^-p`, else -1 (SOL Sec. 4, as printed)."""
    large = (g.abs() > math.exp(-p)).to(g.dtype)
    return torch.log(g.abs() + eps) / p * large - (1 - large)


def log_and_sign(g: Tensor, k: float = 10.0) -> Tensor:
    """Two bounded views of a gradient [N] -> [N, 2] (Andrychowicz et al. 2016, App. A).

    `(log|g| / k, sign g)` where `|g| >= e^-k`, else `(-1, e^k g)`.
    """
    large = g.abs() >= math.exp(-k)
    magnitude = torch.where(large, g.abs().clamp_min(1e-38).log() / k, -1.0)
    direction = torch.where(large, g.sign(), math.exp(k) * g)
    return torch.stack([magnitude, direction], dim=-1)
