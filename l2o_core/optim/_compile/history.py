"""What a rule remembers: the streams of numbers whose past values it reads.

`a0 tanh(g[0]) + a1 tanh(g[1]) + ...` reads past gradients only through tanh. So tanh(g) is what is kept:
computed once, when a gradient comes, and not at every step anew for every lag.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ...expressions import Expression, Variable, call, const, var

MIXED = -1
"""Stands for the lag of an expression whose variables have different ones."""


class Remembered(NamedTuple):
    """A rule over features of now ("g[0]") and over streams, now and past ("stream1[3]").

    `streams`: by name, expressions over features of now.
    """

    rule: Expression
    streams: Mapping[str, Expression]

    @property
    def depths(self) -> dict[str, int]:
        """How many past values of each stream the rule reads."""
        return {name: _longest(self.rule, name) for name in self.streams}


class _Part(NamedTuple):
    """A sub-expression as it is (not needed once lags are mixed), with streams in it, and its lag."""

    plain: Expression | None
    streamed: Expression
    lag: int | None


def remembered(rule: Expression) -> Remembered:
    """The rule with streams: functions of features where that takes no more memory, else features.

    Every variable of `rule` must have a lag. Sums and constant factors stay outside of streams, so that
    different multiples of one function share one.
    """
    return min(_by_function(rule), _by_feature(rule), key=lambda found: sum(found.depths.values()))


def _by_feature(rule: Expression) -> Remembered:
    features = dict.fromkeys(variable.name for variable in rule.variables)
    names = {feature: _name(index) for index, feature in enumerate(features)}
    lags = {str(variable): var(names[variable.name], variable.lag) for variable in rule.variables}
    return _reduced(rule.substitute(lags), [var(feature, 0) for feature in features])


def _by_function(rule: Expression) -> Remembered:
    functions: dict[Expression, str] = {}

    def stream(function: Expression, lag: int) -> Expression:
        now = {str(variable): var(variable.name, 0) for variable in function.variables}
        return var(functions.setdefault(function.substitute(now), _name(len(functions))), lag)

    def variable(leaf: Variable) -> _Part:
        feature = var(leaf.name, leaf.lag)
        return _Part(feature, stream(feature, leaf.lag), leaf.lag)

    def constant(value: float) -> _Part:
        return _Part(const(value), const(value), None)

    def operator(name: str, *parts: _Part) -> _Part:
        lags = {part.lag for part in parts} - {None}
        lag = None if not lags else lags.pop() if len(lags) == 1 else MIXED
        plain = None if lag == MIXED else call(name, *(part.plain for part in parts))
        linear = name in ("+", "-", "neg") or (name in ("*", "/") and parts[-1].lag is None)
        linear |= name == "*" and parts[0].lag is None
        if plain is None or linear or lag is None:
            return _Part(plain, call(name, *(part.streamed for part in parts)), lag)
        return _Part(plain, stream(plain, lag), lag)

    return _reduced(rule.fold(variable, constant, operator).streamed, list(functions))


def _reduced(rule: Expression, functions: list[Expression]) -> Remembered:
    """Functions of which no past is read go back into the rule; the others are numbered afresh."""
    streams: dict[str, Expression] = {}
    replaced: dict[str, Expression] = {}
    for index, function in enumerate(functions):
        old, depth = _name(index), _longest(rule, _name(index))
        if depth:
            new = _name(len(streams))
            streams[new] = function
            replaced |= {f"{old}[{lag}]": var(new, lag) for lag in range(depth + 1)}
        else:
            replaced[f"{old}[0]"] = function
    return Remembered(rule.substitute(replaced), streams)


def _name(index: int) -> str:
    return f"stream{index}"


def _longest(rule: Expression, name: str) -> int:
    return max((variable.lag or 0 for variable in rule.variables if variable.name == name), default=0)
