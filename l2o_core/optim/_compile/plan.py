"""Execution plan of an update rule: which features to compute from a gradient, which tensors to store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import torch
from torch import Tensor

from ... import features
from ...errors import ConfigError, did_you_mean
from ...expressions import Expression, var
from ...features import Features
from .. import zoo
from .history import find_history
from .partial_sums import Phase, split_into_phases
from .running_sums import ReplacedLags, RunningSums, use_running_sums


@dataclass(frozen=True, eq=False)
class Plan:
    """A rule as arithmetic on flat tensors [N].

    `phases`: the kinds of steps, which take turns; each computes the update from current features, the
    streams' values (`stream0[k]`, k steps ago) and running sums. `history_length`: the number of past values
    stored of each stream. `sums`: the stream and the decay of each running sum; `replaced`: the lags that
    running sums stand for.
    """

    features: Features
    phases: Sequence[Phase]
    streams: Mapping[str, Expression]
    history_length: Mapping[str, int]
    sums: Mapping[str, tuple[str, float]]
    replaced: Sequence[ReplacedLags]

    @cached_property
    def moments(self) -> tuple[str, ...]:
        """Names of the stored moments."""
        return tuple(name for name in self.features.state_names if name != "t")

    @cached_property
    def history(self) -> Mapping[str, str]:
        """The slots that past values are stored in ("stream0.3"), and the stream of each."""
        return {
            f"{name}.{slot}": name for name, count in self.history_length.items() for slot in range(count)
        }

    @cached_property
    def initial_state(self) -> dict[str, float]:
        """The stored tensors by name, with their values before the first step, where all features are 0."""
        zero = {str(var(name, 0)): torch.zeros((), dtype=torch.float64) for name in self.features.names}
        start = {name: float(stream.evaluate(zero)) for name, stream in self.streams.items()}
        values = dict.fromkeys(self.moments, 0.0)
        values |= {name: start[stream] / (1 - decay) for name, (stream, decay) in self.sums.items()}
        return values | {name: start[stream] for name, stream in self.history.items()}

    def step_scalars(self, step: int, lr: float, weight_decay: float, like: Tensor) -> Tensor:
        """Numbers of a step that all coordinates share: lr, 1 - lr * weight_decay, and the features' own."""
        # in Python's floats: 1 - beta^t loses four digits in float32, and bfloat16 cannot count past 256
        values = [lr, 1 - lr * weight_decay, *self.features.step_scalars(float(step)).values()]
        return torch.tensor(values, dtype=compute_dtype(like.dtype), device=like.device)

    def phase(self, step: int) -> int:
        """The index of the phase of a step; the first step is 1."""
        return (step - 1) % len(self.phases)

    @cached_property
    def operands(self) -> list[tuple[str, ...]]:
        """By phase, what a step reads or writes: "p", "g", moments, sums, past values ("stream0[3]")."""
        always = ("p", "g", *self.moments, *self.sums)
        newest = [f"{name}[{count}]" for name, count in self.history_length.items() if count]
        return [(*always, *dict.fromkeys((*phase.reads, *phase.prepared, *newest))) for phase in self.phases]

    def is_past(self, operand: str) -> bool:
        """Whether an operand is a past value."""
        return operand in self._lags

    def slots(self, step: int) -> list[str]:
        """The stored tensors that a step reads or writes; the newest past value overwrites the oldest."""

        def slot(operand: str) -> str:
            stream, lag = self._lags.get(operand, (operand, None))
            return stream if lag is None else f"{stream}.{(step - lag) % self.history_length[stream]}"

        return [slot(operand) for operand in self.operands[self.phase(step)][2:]]

    @cached_property
    def _lags(self) -> dict[str, tuple[str, int]]:
        return {
            f"{name}[{lag}]": (name, lag)
            for name, count in self.history_length.items()
            for lag in range(1, count + 1)
        }


def make_plan(rule: Expression, group: Mapping[str, Any]) -> Plan:
    """The plan for a parameter group; the same object as long as the hyper-parameters it depends on stay.

    Raises ConfigError where a name in the rule has no value.
    """
    names = dict.fromkeys(variable.name for variable in rule.variables)
    values = {
        name: float(group[name])
        for name in names
        if name not in ("lr", *features.NAMES) and isinstance(group.get(name), (int, float))
    }
    options = {name: group[name] for name in features.OPTIONS}
    if "n_hat" in names:
        options["powers"] = tuple(group[name] for name in features.POWERS)
    return _planned(rule, tuple(values.items()), tuple(options.items()), group["lag_tolerance"])


@lru_cache(maxsize=64)
def _planned(rule: Expression, values: tuple, options: tuple, lag_tolerance: float | None) -> Plan:
    rule = _bound(rule, dict(values))
    names = tuple(dict.fromkeys(variable.name for variable in rule.variables))
    chosen = Features(names, **dict(options))
    history = find_history(rule)
    short = RunningSums(history, {}, ())
    if lag_tolerance is not None:
        short = use_running_sums(history, lag_tolerance)
    history = short.history
    phases = split_into_phases(history)
    return Plan(chosen, phases, history.streams, history.lengths, short.sums, short.replaced)


def _bound(rule: Expression, values: Mapping[str, float]) -> Expression:
    """The rule with numbers for the names in `values`; each variable that is left is a feature with a lag."""
    now = {name: var(name, 0) for name in features.NAMES}
    rule = rule.substitute(values).substitute(now)
    for variable in rule.variables:
        if variable.lag is None:
            hint = did_you_mean(variable.name, (*features.NAMES, *zoo.HYPERPARAMETERS, *zoo.names()), "")
            raise ConfigError(
                f"the rule names {variable}, which has no value{'; ' + hint if hint else '.'} "
                f"Features are {', '.join(features.NAMES)}; hyper-parameters are "
                f"{', '.join(zoo.HYPERPARAMETERS)}; any other name takes its value by keyword, "
                f"{variable}=...; `l2o zoo` lists the rules that have names"
            )
    return rule


def compute_dtype(dtype: torch.dtype) -> torch.dtype:
    """The type that a step is computed in: half precision loses too much in a division."""
    return torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype
