"""A rule as one recurrence in the gradient: its features are written out as states, its numbers filled in.

Adam, `-m / (sqrt(v) + eps)`, becomes two running averages, their corrections, and the update. What is left to
read are the gradient `g`, the parameter `theta`, the number of the step `t`, and past values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from .. import features
from ..errors import ConfigError
from ..expressions import Expression, System, Variable, parse, var
from ..expressions.compilation import compile_equations
from ..expressions.system import PARAMETER, UPDATE, check_order
from ..optim import options, zoo

Rule = str | Expression | System
Equations = tuple[tuple[str, Expression], ...]
INPUTS = ("g", "t", PARAMETER)


@dataclass(frozen=True)
class Recurrence:
    """Equations in the order of computation, the update last.

    They read `g[k]`, `theta[0]`, `t`, values computed before (`p[0]`) and past values (`p[k]`), nothing else.
    """

    equations: Equations

    @cached_property
    def slots(self) -> tuple[tuple[str, int], ...]:
        """The past values that are carried from step to step, by name and number of steps ago."""
        longest: dict[str, int] = {}
        for variable in self.variables:
            if variable.steps_ago:
                longest[variable.name] = max(longest.get(variable.name, 0), variable.steps_ago)
        return tuple((name, lag) for name, lags in longest.items() for lag in range(1, lags + 1))

    @cached_property
    def variables(self) -> tuple[Variable, ...]:
        """All that is read anywhere."""
        return tuple(dict.fromkeys(v for _, value in self.equations for v in value.variables))

    def reads(self, name: str) -> bool:
        """Whether an equation names it."""
        return any(variable.name == name for variable in self.variables)

    @cached_property
    def operators(self) -> frozenset[str]:
        """The operators that occur."""
        return frozenset(node for _, value in self.equations for node in value.program if type(node) is str)

    def step(
        self, past: Tensor, g: Tensor, t: float, theta: Tensor | None = None
    ) -> tuple[dict[str, Tensor], Tensor]:
        """One step of P coordinates.

        Args:
            past: The values of `slots` [S, P].
            g: Gradients [P].
            t: The number of the step, from 1; infinity long after the start.
            theta: Parameters [P], 0 by default.

        Returns:
            What was computed, by name, [P] each, and the past [S, P] of the next step.
        """
        like = torch.zeros_like(g)
        inputs = {f"{name}[{lag}]": past[i] for i, (name, lag) in enumerate(self.slots)}
        now = {"g": g, "t": like + t, PARAMETER: like if theta is None else theta}
        inputs |= now | {f"{name}[0]": value for name, value in now.items()}
        values = now | {name: like + value for name, value in self._compiled(inputs).items()}
        at = {slot: i for i, slot in enumerate(self.slots)}
        new = [values[n] if lag == 1 else past[at[n, lag - 1]] for n, lag in self.slots]
        return values, torch.stack(new) if new else past

    @cached_property
    def _compiled(self) -> Any:
        return compile_equations(self.equations)


def recurrence(rule: Rule, hyperparameters: Mapping[str, Any]) -> Recurrence:
    """A rule with its hyper-parameters as one recurrence, without a decay of weights beside it.

    Raises ConfigError for a hyper-parameter that makes no sense or has no use, for a coefficient without a
    value, and for a weight decay that is given, not by the zoo, and that the rule does not name.
    """
    group = options.completed(rule, hyperparameters)
    equation = options.equation(rule)
    options.refuse_unused(hyperparameters, equation)
    options.check(group)
    if hyperparameters.get("weight_decay") and decay_beside(rule, hyperparameters):
        raise ConfigError(
            "the rule does not name weight_decay, which acts beside it then and is no part of what is said "
            f"here: write it into the rule, {_with_decay(rule)}"
        )
    check_order(equation.equations)
    own = {name for name, _ in equation.equations}
    read = {v.name for v in equation.variables if v.lag is not None or v.name in features.NAMES} - own
    for name in read - {*features.NAMES, PARAMETER}:
        raise ConfigError(
            f"{name} is no feature, so that it has no past; features: {', '.join(features.NAMES)}"
        )
    features.Features.of(tuple(read - {PARAMETER}), _hyperparameters(group))  # refuses what makes no sense
    written = (*_written(read, group, own), *equation.equations)
    values = {name: value for name in _named(written) if (value := group.get(name)) is not None}
    values = {name: options.number(name, value) for name, value in values.items()}
    computed = {*INPUTS, *(name for name, _ in written)}
    now = {name: var(name, 0) for name in computed}
    # a state may be called eps: the rule means its state then, features still mean the hyper-parameter
    meant = {name: values | now if name in own else now | values for name, _ in written}
    filled = tuple((name, value.substitute(meant[name]).simplify()) for name, value in written)
    if unknown := [name for name in _named(filled) if name not in computed]:
        raise ConfigError(f"the rule needs a number for {', '.join(unknown)}: give them by keyword")
    return Recurrence(filled)


def decay_beside(rule: Rule, hyperparameters: Mapping[str, Any]) -> float:
    """The weight decay that an optimizer applies beside its rule; 0 where there is none, or in the rule."""
    inside = "weight_decay" in options.names_of(options.equation(rule))
    return 0.0 if inside else float(options.completed(rule, hyperparameters)["weight_decay"])


def _with_decay(rule: Rule) -> str:
    """The text of a rule that decays weights by itself, and what the zoo gives it beside its text."""
    equations = list(options.equation(rule).equations)
    if any(v.name == UPDATE for _, value in equations for v in value.variables):
        # its own past updates are those without the decay
        taken = {
            *INPUTS,
            UPDATE,
            *features.NAMES,
            *_named(tuple(equations)),
            *(name for name, _ in equations),
        }
        alone = _fresh("direction", taken)
        equations = [(alone if name == UPDATE else name, _renamed(value, alone)) for name, value in equations]
        equations.append((UPDATE, var(alone)))
    *states, (_, update) = equations
    text = "; ".join([*(f"{name} = {value}" for name, value in states), f"{update} - weight_decay * theta"])
    known = zoo.get(rule).defaults if isinstance(rule, str) and rule in zoo.names() else {}
    given = [f"{name}={value}" for name, value in known.items() if name not in ("lr", "weight_decay")]
    return f'"{text}"' + (f", with {', '.join(given)}" if given else "")


def _renamed(value: Expression, name: str) -> Expression:
    """An equation that reads a state's past in place of the update's."""
    return value.substitute({str(v): var(name, v.lag) for v in value.variables if v.name == UPDATE})


def _hyperparameters(group: Mapping[str, Any]) -> dict[str, Any]:
    return {name: group[name] for name in (*features.OPTIONS, *features.POWERS) if name in group}


def _named(equations: Equations) -> tuple[str, ...]:
    return tuple(dict.fromkeys(v.name for _, value in equations for v in value.variables))


def _written(read: set[str], group: Mapping[str, Any], taken: set[str]) -> Iterator[tuple[str, Expression]]:
    """Equations of the features that are read, and of what these rest on, in order (see `l2o_core.features`).

    Running averages without their correction have names that no state of the rule has.
    """
    inner = {name: _fresh(name, {*taken, *group}) for name in ("sum_m", "sum_v", "n_m", "n_v")}
    corrected = bool(group["bias_correction"])
    by = {i: f" / (1 - beta{i}^t)" if corrected else "" for i in (1, 2)}
    first = "(k1 * g^(1 + alpha1) + k2 * g^(1 - alpha1))"
    second = "(l1 * abs(g)^(2 + alpha2) + l2 * abs(g)^(2 - alpha2))"
    texts = {
        inner["sum_m"]: f"beta1 * {inner['sum_m']}[1] + (1 - beta1) * g",
        inner["sum_v"]: f"beta2 * {inner['sum_v']}[1] + (1 - beta2) * g^2",
        "m": inner["sum_m"] + by[1],
        "v": inner["sum_v"] + by[2],
        "m_hat": "m / (sqrt(v) + eps)",
        "ad": "m / (sqrt(v) + eps)",
        "g_hat": "g / (sqrt(v) + eps)",
        "rs": "g / (sqrt(v) + eps)",
        "b": "beta1 * b[1] + g",
        "s": "s[1] + g^2",
        "sg": "sign(g)",
        "sm": "sign(m)",
        "g2": "g^2",
        "g3": "g * g^2",
        "ag": "(log(abs(g) + 1e-6) / 10 + 1) * relu(sign(abs(g) - exp(-10))) - 1",
        inner["n_m"]: f"beta1 * {inner['n_m']}[1] + (1 - beta1) * {first}",
        inner["n_v"]: f"beta2 * {inner['n_v']}[1] + (1 - beta2) * {second}",
        "n_hat": f"{inner['n_m']}{by[1]} / sqrt(max(abs({inner['n_v']}{by[2]}), 1e-24))",
        "ld": "1 - min(t / total_steps, 1)",
        "cd": "0.5 * (1 + cos(3.141592653589793 * min(t / total_steps, 1)))",
    }
    needed, waiting = set(), [name for name in read if name in texts]
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += [v.name for v in parse(texts[name]).variables if v.name in texts]
    return ((name, parse(text)) for name, text in texts.items() if name in needed)


def _fresh(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "0"
    return name
