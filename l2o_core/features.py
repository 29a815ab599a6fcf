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
t          step count                                                                    SymL2O Eq. 2
ld, cd     linear and cosine decay from 1 to 0 over `total_steps`                        SOL Sec. 4
=========  ============================================================================  ==============

All features live on one flat axis of N coordinates; a state is a tuple of tensors, so that it can be
carried, detached, saved and indexed without knowing what it holds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .errors import ConfigError

NAMES = (
    *("g", "m", "v", "m_hat", "g_hat", "b", "s", "sg", "sm", "g2", "g3", "ag"),
    *("ad", "rs", "t", "ld", "cd"),
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
    horizon of the decays `ld` and `cd`.
    """

    names: tuple[str, ...]
    beta1: float = 0.95
    beta2: float = 0.95
    eps: float = 1e-12
    bias_correction: bool = True
    total_steps: int | None = None

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

    @property
    def buffers(self) -> tuple[str, ...]:
        """Names of the tensors in the state, in order."""
        used = set(self.names)
        needs = {"m": used & _NEEDS_M, "v": used & _NEEDS_V, "b": used & {"b"}, "s": used & {"s"}}
        timed = used & _NEEDS_TIME or (self.bias_correction and (needs["m"] or needs["v"]))
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
        new: dict[str, Tensor] = {}
        if "m" in old:
            new["m"] = torch.lerp(g, old["m"], self.beta1)
        if "v" in old:
            new["v"] = torch.lerp(g * g, old["v"], self.beta2)
        if "b" in old:
            new["b"] = self.beta1 * old["b"] + g
        if "s" in old:
            new["s"] = old["s"] + g * g
        if "t" in old:
            new["t"] = old["t"] + 1
        return self._derive(g, new), tuple(new[name] for name in self.buffers)

    def _derive(self, g: Tensor, new: dict[str, Tensor]) -> dict[str, Tensor]:
        wanted = set(self.names)
        out = {"g": g} | {name: new[name] for name in ("b", "s", "t") if name in new}
        if "m" in new:
            out["m"] = new["m"] / (1 - self.beta1 ** new["t"]) if self.bias_correction else new["m"]
        if "v" in new:
            out["v"] = new["v"] / (1 - self.beta2 ** new["t"]) if self.bias_correction else new["v"]
            scale = out["v"].sqrt() + self.eps
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
        if "ld" in wanted:
            out["ld"] = 1 - new["t"] / self.total_steps
        if "cd" in wanted:
            out["cd"] = 0.5 * (1 + torch.cos(math.pi * new["t"] / self.total_steps))
        return {name: out[name] for name in self.names}


def log_preprocess(g: Tensor, p: float = 10.0, eps: float = 1e-6) -> Tensor:
    """SOL's `ag`: log(|g| + eps) / p where |g| > e^-p, else -1 (SOL Sec. 4, as printed)."""
    large = (g.abs() > math.exp(-p)).to(g.dtype)
    return torch.log(g.abs() + eps) / p * large - (1 - large)


def log_and_sign(g: Tensor, k: float = 10.0) -> Tensor:
    """Two bounded views of a gradient [N] -> [N, 2] (Andrychowicz et al. 2016, App. A).

    (log|g| / k, sign g) where |g| >= e^-k, else (-1, e^k g).
    """
    large = g.abs() >= math.exp(-k)
    magnitude = torch.where(large, g.abs().clamp_min(1e-38).log() / k, -1.0)
    direction = torch.where(large, g.sign(), math.exp(k) * g)
    return torch.stack([magnitude, direction], dim=-1)
