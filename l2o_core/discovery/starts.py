"""Where a search begins: the rules of the zoo, and forms that distillation has found."""

from __future__ import annotations

from collections.abc import Iterable

from ..distiller.front import skeleton
from ..expressions import parse_rule, var
from ..expressions.canonical import canonical
from ..expressions.system import rule_of
from ..optim import zoo
from .grammar import Grammar, Rule, explicit

RATES = tuple(10 ** (power / 2) for power in range(-7, 1))
"""Learning rates that a direction is tried with."""
DISTILLED = (
    "0.7 * u[1] - 0.3 * tanh(m_hat) - g_hat",  # of RP on P2
    "0.9 * u[1] - m_hat - 0.5 * g_hat",
    "-tanh(m_hat) - 0.5 * g_hat",
    "-m_hat / sqrt(t)",
    "-m_hat / (1 + 0.01 * t)",
)
"""Directions: forms of distilled rules, and two that slow down."""


def directions(grammar: Grammar) -> list[Rule]:
    """What the zoo and distillation know, without a learning rate: the rules that the grammar can write."""
    texts: list[Rule] = [explicit(parse_rule(text)) for text in DISTILLED]
    for name in zoo.names():
        entry = zoo.get(name)
        numbers = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0, **entry.defaults}
        given = {name: float(value) for name, value in numbers.items() if not isinstance(value, bool)}
        rule = explicit(entry.equation.substitute(given), given["beta1"], given["beta2"])
        if {variable.name for variable in rule.variables} <= {*grammar.inputs, "u"}:
            texts.append(rule)
    return distinct(grammar.tidy(rule.equations) for rule in texts)


def scaled(rule: Rule, factor: float) -> Rule:
    """The rule whose every update is `factor` times as long.

    Example:
        >>> print(scaled(parse_rule("0.5 * u[1] - g"), 0.1))
        -0.1 * g + 0.5 * u[1]
    """
    past = {str(v): var("u", v.lag) / factor for v in rule.variables if v.name == "u"}
    *states, (last, update) = ((name, value.substitute(past)) for name, value in rule.equations)
    return rule_of((name, canonical(value)) for name, value in [*states, (last, factor * update)])


def distinct(rules: Iterable[Rule | None]) -> list[Rule]:
    """The rules that are there, each form once."""
    found: dict[Rule, Rule] = {}
    for rule in rules:
        if rule is not None:
            found.setdefault(skeleton(rule), rule)
    return list(found.values())
