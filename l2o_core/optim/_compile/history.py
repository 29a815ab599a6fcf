"""The history of a rule: streams of numbers whose past values it reads.

`a0 tanh(g[0]) + a1 tanh(g[1]) + ...` reads past gradients only through tanh. So tanh(g) is the stream that is
stored: computed once, when a gradient arrives, and not anew at every step for every lag.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ...expressions import Expression, Variable, call, const, var

MIXED = -1
"""Stands for the lag of an expression whose variables have different ones."""


class History(NamedTuple):
    """A rule over current features ("g[0]") and over streams, current and past ("stream1[3]").

    `streams`: by name, expressions over current features.
    """

    rule: Expression
    streams: Mapping[str, Expression]

    @property
    def lengths(self) -> dict[str, int]:
        """The number of past values of each stream that the rule reads."""
        longest = _longest_lags(self.rule)
        return {name: longest.get(name, 0) for name in self.streams}


class _Node(NamedTuple):
    """A sub-expression over features (None once lags are mixed), the same over streams, and its lag."""

    plain: Expression | None
    streamed: Expression
    lag: int | None


def find_history(rule: Expression) -> History:
    """The rule over streams: functions of features if these take no more memory, else features.

    Variables of `rule` without a lag are numbers. Sums, and factors that are numbers, stay outside of
    streams, so that different multiples of one function share one.
    """
    return min(_by_function(rule), _by_feature(rule), key=lambda history: sum(history.lengths.values()))


def _by_feature(rule: Expression) -> History:
    read = [variable for variable in rule.variables if variable.lag is not None]
    features = dict.fromkeys(variable.name for variable in read)
    names = {feature: _name(index) for index, feature in enumerate(features)}
    lags = {str(variable): var(names[variable.name], variable.lag) for variable in read}
    return _reduced(rule.substitute(lags), [var(feature, 0) for feature in features])


def _by_function(rule: Expression) -> History:
    functions: dict[Expression, str] = {}

    def stream(function: Expression, lag: int) -> Expression:
        now = {str(v): var(v.name, 0) for v in function.variables if v.lag is not None}
        return var(functions.setdefault(function.substitute(now), _name(len(functions))), lag)

    def variable(leaf: Variable) -> _Node:
        feature = var(leaf.name, leaf.lag)
        return _Node(feature, feature if leaf.lag is None else stream(feature, leaf.lag), leaf.lag)

    def constant(value: float) -> _Node:
        return _Node(const(value), const(value), None)

    def operator(name: str, *nodes: _Node) -> _Node:
        lags = {node.lag for node in nodes} - {None}
        lag = None if not lags else lags.pop() if len(lags) == 1 else MIXED
        parts = [node.plain for node in nodes if node.plain is not None]
        plain = None if lag == MIXED else call(name, *parts)
        linear = name in ("+", "-", "neg") or (name in ("*", "/") and nodes[-1].lag is None)
        linear |= name == "*" and nodes[0].lag is None
        if plain is None or linear or lag is None:
            return _Node(plain, call(name, *(node.streamed for node in nodes)), lag)
        return _Node(plain, stream(plain, lag), lag)

    return _reduced(rule.fold(variable, constant, operator).streamed, list(functions))


def _reduced(rule: Expression, functions: list[Expression]) -> History:
    """Functions of which no past is read go back into the rule; the others are numbered afresh."""
    streams: dict[str, Expression] = {}
    replaced: dict[str, Expression] = {}
    longest = _longest_lags(rule)
    for index, function in enumerate(functions):
        old = _name(index)
        if length := longest.get(old, 0):
            new = _name(len(streams))
            streams[new] = function
            replaced |= {f"{old}[{lag}]": var(new, lag) for lag in range(length + 1)}
        else:
            replaced[f"{old}[0]"] = function
    return History(rule.substitute(replaced), streams)


def _name(index: int) -> str:
    return f"stream{index}"


def _longest_lags(rule: Expression) -> dict[str, int]:
    longest: dict[str, int] = {}
    for variable in rule.variables:
        longest[variable.name] = max(longest.get(variable.name, 0), variable.lag or 0)
    return longest
