"""What following a rule takes: what is computed of a gradient, and what is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import torch
from torch import Tensor

from ... import features
from ...errors import ConfigError
from ...expressions import Expression, parse, var
from ...features import Features
from .. import zoo
from .history import remembered
from .kernels import KERNELS, Kernel
from .partial_sums import Phase, phases
from .running_sums import Compacted, compact

FEATURE_OPTIONS = ("beta1", "beta2", "eps", "bias_correction", "total_steps")
POWERS = ("k1", "k2", "l1", "l2", "alpha1", "alpha2")


@dataclass(frozen=True, eq=False)
class Plan:
    """A rule as arithmetic on flat tensors [N].

    `phases`: what steps compute, by turns, from features of now, the streams' values (`stream0[k]`, k steps
    ago) and running sums. `depths`: how many past values are kept of each stream; `sums`: the stream
    and the decay of each running sum.
    """

    features: Features
    phases: Sequence[Phase]
    streams: Mapping[str, Expression]
    depths: Mapping[str, int]
    sums: Mapping[str, tuple[str, float]]
    compacted: Sequence[Compacted]

    @cached_property
    def moments(self) -> tuple[str, ...]:
        """The moments that are kept."""
        return tuple(name for name in self.features.buffers if name != "t")

    @cached_property
    def past(self) -> Mapping[str, str]:
        """The stream of each past value that is kept."""
        return {f"{name}.{slot}": name for name, depth in self.depths.items() for slot in range(depth)}

    @cached_property
    def before(self) -> dict[str, float]:
        """What each of the kept numbers is before the first step, where all features read 0."""
        zero = {str(var(name, 0)): torch.zeros((), dtype=torch.float64) for name in self.features.names}
        start = {name: float(stream.evaluate(zero)) for name, stream in self.streams.items()}
        values = dict.fromkeys(self.moments, 0.0)
        values |= {name: start[stream] / (1 - decay) for name, (stream, decay) in self.sums.items()}
        return values | {name: start[stream] for name, stream in self.past.items()}

    def clock(self, step: int, lr: float, weight_decay: float, like: Tensor) -> Tensor:
        """The scalars of a step: lr, the factor that parameters shrink by, and those of the features."""
        # in Python's floats: 1 - beta^t loses four digits in float32, and bfloat16 cannot count past 256
        values = [lr, 1 - lr * weight_decay, *self.features.clock(float(step)).values()]
        return torch.tensor(values, dtype=wide(like.dtype), device=like.device)

    def phase(self, step: int) -> int:
        """Which of the phases is that of step `step`; the first step is 1."""
        return (step - 1) % len(self.phases)

    @cached_property
    def used(self) -> list[tuple[str, ...]]:
        """By phase, what a step reads or writes: "p", "g", moments, sums and past values, so named."""
        always = ("p", "g", *self.moments, *self.sums)
        newest = [f"{name}[{depth}]" for name, depth in self.depths.items() if depth]
        return [(*always, *dict.fromkeys((*phase.past, *phase.prepared, *newest))) for phase in self.phases]

    def places(self, step: int) -> list[str]:
        """Where step `step` finds what it uses of what is kept; the newest value overwrites the oldest."""

        def place(name: str) -> str:
            stream, lag = self._lags.get(name, (name, None))
            return stream if lag is None else f"{stream}.{(step - lag) % self.depths[stream]}"

        return [place(name) for name in self.used[self.phase(step)][2:]]

    @cached_property
    def _lags(self) -> dict[str, tuple[str, int]]:
        return {
            f"{name}[{lag}]": (name, lag)
            for name, depth in self.depths.items()
            for lag in range(1, depth + 1)
        }

    def kernel(self, phase: int, dtype: torch.dtype, history: torch.dtype, made: str) -> Kernel:
        """A step of a phase for parameters of a type; made once.

        `history`: the type of past values; `made`: as in `kernel.KERNELS`.
        """
        key = phase, dtype, history, made
        if key not in self._kernels:
            types = {name: history if name in self._lags else dtype for name in self.used[phase]}
            self._kernels[key] = KERNELS[made](self, phase, types, wide(dtype))
        return self._kernels[key]

    @cached_property
    def _kernels(self) -> dict[tuple, Kernel]:
        return {}


def plan(group: Mapping[str, Any]) -> Plan:
    """The plan for a parameter group, kept as long as the hyper-parameters that it depends on stay.

    Raises ConfigError where a name in the rule has no value.
    """
    rule = _parsed(group["rule"])
    names = dict.fromkeys(variable.name for variable in rule.variables)
    values = {
        name: float(group[name])
        for name in names
        if name not in ("lr", *features.NAMES) and isinstance(group.get(name), (int, float))
    }
    options = {name: group[name] for name in FEATURE_OPTIONS}
    if "n_hat" in names:
        options["powers"] = tuple(group[name] for name in POWERS)
    return _planned(rule, tuple(values.items()), tuple(options.items()), group["compact"])


_parsed = lru_cache(maxsize=64)(parse)


@lru_cache(maxsize=64)
def _planned(rule: Expression, values: tuple, options: tuple, tolerance: float | None) -> Plan:
    now = {name: var(name, 0) for name in features.NAMES}
    rule = rule.substitute(dict(values)).substitute(now)
    for variable in rule.variables:
        if variable.lag is None:
            raise ConfigError(
                f"the rule names {variable}, which has no value. Features are {', '.join(features.NAMES)}; "
                f"hyper-parameters are {', '.join(zoo.HYPERPARAMETERS)}; other names take theirs by keyword, "
                f"{variable}=...; the rules of the zoo have the names {', '.join(zoo.names())}"
            )
    names = tuple(dict.fromkeys(variable.name for variable in rule.variables))
    seen = Features(names, **dict(options))
    found, sums, compacted = remembered(rule), {}, ()
    if tolerance is not None:
        found, sums, compacted = compact(found, tolerance)
    return Plan(seen, phases(found), found.streams, found.depths, sums, compacted)


def wide(dtype: torch.dtype) -> torch.dtype:
    """What is computed in: half precision loses too much in a division."""
    return torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype
