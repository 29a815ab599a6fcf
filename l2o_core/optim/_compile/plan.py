"""Execution plan of an update rule: which features to compute from a gradient, which tensors to store."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import Any
from weakref import WeakValueDictionary

import torch

from ... import features
from ...errors import ConfigError, did_you_mean
from ...expressions import Expression, System, Variable, var
from ...expressions.system import PARAMETER, UPDATE, check_order
from ...features import Features
from .. import zoo
from .history import find_history
from .numbers import TIME, Number, Numbers
from .partial_sums import Phase, split_into_phases
from .running_sums import ReplacedLags, RunningSums, use_running_sums
from .weighted_sums import Value, find_sums

FEATURE_NUMBERS = ("beta1", "beta2", "eps")
"""What features are computed with, besides `powers` for n_hat: arguments of a kernel, as `lr` is."""


@dataclass(frozen=True, eq=False)
class Plan:
    """A rule as arithmetic on flat tensors [N], which depends on no number.

    `phases`: the kinds of steps, which take turns; each computes the update from current features, the
    streams' values (`stream0[k]`, k steps ago), running sums, the rule's states (`p[k]`) and past updates
    (`u[k]`), the parameter (`theta[0]`) and `numbers`. `states`: what computes them, by name, in order.
    `history_length`: the number of past values stored of each stream, state and of the update. `decays`: the
    factor of a state's last value in its next. `sums`: the stream and the decay of each running sum;
    `replaced`: the lags that running sums stand for. `names`: the hyper-parameters and coefficients that
    numbers come from. `kernels`: what has been compiled so far.
    """

    features: Features
    names: tuple[str, ...]
    numbers: Numbers
    phases: Sequence[Phase]
    streams: Mapping[str, Expression]
    states: Mapping[str, Expression]
    history_length: Mapping[str, int]
    decays: Mapping[str, Number]
    sums: Mapping[str, tuple[str, float]]
    replaced: Sequence[ReplacedLags]
    kernels: dict[Hashable, Any] = field(default_factory=dict)

    @cached_property
    def moments(self) -> tuple[str, ...]:
        """Names of the stored moments."""
        return tuple(name for name in self.features.state_names if name != "t")

    @cached_property
    def history(self) -> Mapping[str, str]:
        """The slots that past values are stored in ("stream0.3", "p.0"), and the stream or state of each."""
        return {
            f"{name}.{slot}": name for name, count in self.history_length.items() for slot in range(count)
        }

    @cached_property
    def stored(self) -> tuple[str, ...]:
        """Names of all stored tensors."""
        return (*self.moments, *self.sums, *self.history)

    @cached_property
    def timed(self) -> tuple[Number, ...]:
        """The numbers that kernels take and that change from step to step, in order."""
        return tuple(self.numbers.change_with_time(self._numbers))

    @cached_property
    def used(self) -> tuple[Number, ...]:
        """The other numbers that kernels take, in order."""
        return tuple(number for number in self._numbers if number not in self.timed)

    @cached_property
    def _numbers(self) -> tuple[Number, ...]:
        found = (Numbers.read(variable) for variable in self._variables)
        return tuple(dict.fromkeys(number for number in found if number is not None))

    @cached_property
    def reads_parameter(self) -> bool:
        """Whether the rule names `theta`."""
        return any(variable.name == PARAMETER for variable in self._variables)

    @cached_property
    def _variables(self) -> tuple[Variable, ...]:
        """All that is read anywhere."""
        written = [expression for at in self.phases for expression in (at.rule, *at.prepared.values())]
        written += [*self.streams.values(), *self.states.values()]
        return tuple(dict.fromkeys(variable for expression in written for variable in expression.variables))

    @cached_property
    def scalars(self) -> tuple[str, ...]:
        """Names of what all coordinates share in a step, in the order of `Bound.scalars`."""
        shared = ("lr", "decay", *self.features.step_scalars(1.0), *(f"n{number}" for number in self.timed))
        powers = features.POWERS if "n_hat" in self.features.names else ()
        return (*shared, *FEATURE_NUMBERS, *powers, *(f"n{number}" for number in self.used))

    def phase(self, step: int) -> int:
        """The index of the phase of a step; the first step is 1."""
        return (step - 1) % len(self.phases)

    @cached_property
    def operands(self) -> list[tuple[str, ...]]:
        """By phase, what a step reads or writes: "p", "g", moments, sums, past values ("stream0[3]")."""
        always = ("p", "g", *self.moments, *self.sums)
        newest = [f"{name}[{count}]" for name, count in self.history_length.items() if count]
        return [
            (*always, *dict.fromkeys((*self.reads(index), *phase.prepared, *newest)))
            for index, phase in enumerate(self.phases)
        ]

    def reads(self, phase: int) -> tuple[str, ...]:
        """The past values that a phase reads."""
        states = (variable for state in self.states.values() for variable in state.variables)
        return (*self.phases[phase].reads, *(str(variable) for variable in states if variable.lag))

    def is_history(self, operand: str) -> bool:
        """Whether an operand, or a slot, is a past value of a stream."""
        return re.split(r"[.\[]", operand)[0] in self.streams

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

    def bind(self, group: Mapping[str, Any]) -> Bound:
        """The plan with the numbers of a parameter group. Raises ConfigError where one makes no sense."""
        given = {name: number(name, group.get(name)) for name in self.names}
        chosen = _features(self.features.names, group)
        constants = [getattr(chosen, name) for name in FEATURE_NUMBERS]
        constants += map(float, chosen.powers) if "n_hat" in chosen.names else ()
        decays = dict(zip(self.decays, self.numbers.values(self.decays.values(), given), strict=True))
        return Bound(self, chosen, (*constants, *self.numbers.values(self.used, given)), decays, given)


@dataclass(frozen=True)
class Bound:
    """A plan with the numbers `given` by name: `constants` are those of every step, `decays` the plan's."""

    plan: Plan
    features: Features
    constants: tuple[float, ...]
    decays: Mapping[str, float]
    given: Mapping[str, float]

    def scalars(self, step: int, lr: float, weight_decay: float) -> list[float]:
        """Numbers of a step that all coordinates share, in the order of `Plan.scalars`.

        A rule that names weight_decay decays weights by itself.
        """
        decay = 1.0 if "weight_decay" in self.plan.names else 1 - lr * weight_decay
        # in Python's floats: 1 - beta^t loses four digits in float32, and bfloat16 cannot count past 256
        own = map(float, self.features.step_scalars(float(step)).values())
        timed = self.plan.numbers.values(self.plan.timed, {**self.given, TIME: float(step)})
        return [lr, decay, *own, *timed, *self.constants]

    @cached_property
    def initial_state(self) -> dict[str, float]:
        """The stored tensors by name, with their values before the first step.

        All features are 0 then, and so are states and updates.
        """
        plan = self.plan
        names = dict(zip(plan.scalars[-len(self.constants) :], self.constants, strict=True))
        at = {name: torch.tensor(value, dtype=torch.float64) for name, value in names.items()}
        at |= {str(var(name, 0)): torch.zeros((), dtype=torch.float64) for name in plan.features.names}
        start = {name: float(stream.evaluate(at)) for name, stream in plan.streams.items()}
        values = dict.fromkeys(plan.moments, 0.0)
        values |= {name: start[stream] / (1 - decay) for name, (stream, decay) in plan.sums.items()}
        return values | {name: start.get(stream, 0.0) for name, stream in plan.history.items()}

    def check_moments(self, dtype: torch.dtype) -> None:
        """Raise ConfigError where an average over many steps would be lost in the rounding of `dtype`."""
        if dtype == compute_dtype(dtype):
            return
        longest = 1 - 5 * torch.finfo(dtype).eps  # a rounding of eps / 2 at every step adds up to 10 %
        decays = {"m": "beta1", "n_m": "beta1", "b": "beta1", "v": "beta2", "n_v": "beta2"}
        averages = {decays[name]: name for name in self.plan.moments if name in decays}
        found = {name: (getattr(self.features, name), of) for name, of in averages.items()}
        found |= {f"the decay of {name}": (decay, name) for name, (_, decay) in self.plan.sums.items()}
        found |= {"the decay of s": (1.0, "s")} if "s" in self.plan.moments else {}
        found |= {f"the decay of {name}": (decay, name) for name, decay in self.decays.items()}
        for name, (decay, of) in found.items():
            if abs(decay) > longest:
                raise ConfigError(
                    f"in {str(dtype).removeprefix('torch.')}, {of} cannot follow its gradients: {name} is "
                    f"{decay:g}, where at most {longest:.4g} leaves an error below 10 %; "
                    "moment_dtype=torch.float32 has no such limit"
                )


_plans: WeakValueDictionary[Hashable, Plan] = WeakValueDictionary()
_planning = Lock()


def make_plan(rule: Expression | System, group: Mapping[str, Any]) -> Plan:
    """The plan for a parameter group; the same object for all groups with that rule, as long as one uses it.

    With `lag_tolerance` it also depends on the numbers in the rule. Raises ConfigError where a name in the
    rule has no value, and ExpressionError where the rule reads what it has not computed yet.
    """
    check_order(rule.equations)
    names = names_of(rule)
    for name in names:
        if group.get(name) is None or name == "lr":
            raise ConfigError(_no_value(rule, name))
    tolerance = group["lag_tolerance"]
    given = {name: number(name, group[name]) for name in names} if tolerance is not None else {}
    options = bool(group["bias_correction"]), bool(group["total_steps"])
    key = rule, options, tolerance, tuple(given.items())
    with _planning:
        plan = _plans.get(key)
        if plan is None:
            plan = _plans[key] = _planned(rule, names, group, tolerance, given)
    return plan


def names_of(rule: Expression | System) -> tuple[str, ...]:
    """The hyper-parameters and coefficients that a rule names."""
    named = (v.name for v in rule.variables if not _is_feature(v) and v.name != PARAMETER)
    return tuple(dict.fromkeys(named))


def number(name: str, value: Any) -> float:
    """The value of a hyper-parameter or coefficient. Raises ConfigError if it is not a finite number."""
    if isinstance(value, bool) or not hasattr(value, "__float__") or getattr(value, "ndim", None):
        raise ConfigError(f"{name} must be a number, not {value!r:.60}")
    value = float.__float__(value) if isinstance(value, float) else float(value)
    if not math.isfinite(value):
        raise ConfigError(f"{name} must be a finite number, not {value}")
    return value


def _is_feature(variable: Variable) -> bool:
    return variable.lag is not None or variable.name in features.NAMES


def _features(names: Sequence[str], group: Mapping[str, Any]) -> Features:
    """The features with the options of a group."""
    numbers = (*FEATURE_NUMBERS, *(features.POWERS if "n_hat" in names else ()))
    options: dict[str, Any] = {name: number(name, group.get(name)) for name in numbers}
    return Features.of(names, options | {name: group[name] for name in ("bias_correction", "total_steps")})


def _planned(
    rule: Expression | System,
    names: tuple[str, ...],
    group: Mapping[str, Any],
    tolerance: float | None,
    given: Mapping[str, float],
) -> Plan:
    own = {PARAMETER, *(name for name, _ in rule.equations)}
    now = {name: var(name, 0) for name in (*features.NAMES, *own)}
    equations = {name: value.substitute(now) for name, value in rule.equations}
    lagged = (v.name for value in equations.values() for v in value.variables if v.lag is not None)
    read = tuple(dict.fromkeys(name for name in lagged if name not in own))
    chosen, numbers = _features(read, group), Numbers()
    states = {name: numbers.lift(value, _is_feature) for name, value in equations.items()}
    history = find_history(states.pop(UPDATE), states)
    if taken := states.keys() & history.streams.keys():
        raise ConfigError(f"a state cannot be named {min(taken)} here: give it another name")
    lengths = history.lengths | rule.memory
    decays = {
        name: decay
        for name, value in (*history.states.items(), (UPDATE, history.rule))
        if name in rule.memory and (decay := _decay(name, value, numbers)) is not None
    }
    if states or rule.memory:  # ways to sum over lags are for rules that are nothing but such sums
        phases: Sequence[Phase] = [Phase(numbers.lift_time(history.rule), {})]
        states = {name: numbers.lift_time(value) for name, value in history.states.items()}
        return Plan(chosen, names, numbers, phases, history.streams, states, lengths, decays, {}, ())
    short = RunningSums(history, {}, ())
    if tolerance is not None:
        short = use_running_sums(history, numbers, tolerance, given)
    history = short.history
    phases = [
        phase._replace(rule=numbers.lift_time(phase.rule)) for phase in split_into_phases(history, numbers)
    ]
    return Plan(
        chosen, names, numbers, phases, history.streams, {}, history.lengths, {}, short.sums, short.replaced
    )


def _decay(name: str, value: Expression, numbers: Numbers) -> Number | None:
    """The factor of `name[1]` in a value that is linear in it, else None."""
    sums = find_sums(value, {name}, numbers)
    totals = {f"total{index}": weights for index, weights in enumerate(sums.weights)}
    pending = [sums.rule]
    while pending:
        part = pending.pop()
        pending += part.arguments if part.root == "+" else ()
        weights = totals.get(str(part.root), {})
        if Value(name, 1) in weights:
            return weights[Value(name, 1)]
    return None


def _no_value(rule: Expression | System, name: str) -> str:
    hint = did_you_mean(name, (*features.NAMES, *zoo.HYPERPARAMETERS, *zoo.names()), "")
    return (
        f"the rule names {name}, which has no value{'; ' + hint if hint else '.'} "
        f"Features are {', '.join(features.NAMES)}; hyper-parameters are "
        f"{', '.join(zoo.HYPERPARAMETERS)}; any other name takes its value by keyword, "
        f"{name}=...; `l2o zoo` lists the rules that have names"
    )


def compute_dtype(dtype: torch.dtype) -> torch.dtype:
    """The type that a step is computed in: half precision loses too much in a division."""
    return torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype
