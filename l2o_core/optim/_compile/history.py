"""The history of a rule: streams of numbers whose past values it reads.

`a0 tanh(g[0]) + a1 tanh(g[1]) + ...` reads past gradients only through tanh. So tanh(g) is the stream that is
stored: computed once, when a gradient arrives, and not anew at every step for every lag.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ...expressions import Expression, Variable, call, const, var
from ...expressions.system import PARAMETER, UPDATE

MIXED = -1
"""Stands for the lag of an expression whose variables have different ones."""


class History(NamedTuple):
    """A rule over current features ("g[0]") and over streams, current and past ("stream1[3]").

    `streams`: by name, expressions over current features. `states`: by name, the right-hand sides of a rule's
    states, which read what the rule reads.
    """

    rule: Expression
    streams: Mapping[str, Expression]
    states: Mapping[str, Expression] = {}

    @property
    def lengths(self) -> dict[str, int]:
        """The number of past values of each stream that the rule and its states read."""
        longest = _longest_lags([*self.states.values(), self.rule])
        return {name: longest.get(name, 0) for name in self.streams}


class _Node(NamedTuple):
    """A sub-expression over features (None once lags are mixed), the same over streams, and its lag."""

    plain: Expression | None
    streamed: Expression
    lag: int | None


def find_history(rule: Expression, states: Mapping[str, Expression] | None = None) -> History:
    """The rule over streams: functions of features if these take no more memory, else features.

    Variables without a lag are numbers. Sums, and factors that are numbers, stay outside of streams, so that
    different multiples of one function share one; and so does what the rule itself has computed.
    """
    parts = {**(states or {}), UPDATE: rule}
    return min(_by_function(parts), _by_feature(parts), key=lambda history: sum(history.lengths.values()))


def _by_feature(parts: Mapping[str, Expression]) -> History:
    variables = (variable for part in parts.values() for variable in part.variables)
    read = [v for v in variables if v.lag is not None and not _is_own(v, parts)]
    features = dict.fromkeys(variable.name for variable in read)
    names = {feature: _name(index) for index, feature in enumerate(features)}
    lags = {str(variable): var(names[variable.name], variable.lag) for variable in read}
    streamed = {name: part.substitute(lags) for name, part in parts.items()}
    return _reduced(streamed, [var(feature, 0) for feature in features])


def _by_function(parts: Mapping[str, Expression]) -> History:
    functions: dict[Expression, str] = {}

    def stream(function: Expression, lag: int) -> Expression:
        now = {str(v): var(v.name, 0) for v in function.variables if v.lag is not None}
        return var(functions.setdefault(function.substitute(now), _name(len(functions))), lag)

    def variable(leaf: Variable) -> _Node:
        feature = var(leaf.name, leaf.lag)
        if _is_own(leaf, parts):
            return _Node(None, feature, MIXED)
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

    streamed = {name: part.fold(variable, constant, operator).streamed for name, part in parts.items()}
    return _reduced(streamed, list(functions))


def _is_own(variable: Variable, parts: Mapping[str, Expression]) -> bool:
    """Whether a variable is a value that the rule computes, or the parameter."""
    return variable.name in parts or variable.name == PARAMETER


def _reduced(parts: Mapping[str, Expression], functions: list[Expression]) -> History:
    """Functions of which no past is read go back into the rule; the others are numbered afresh."""
    streams: dict[str, Expression] = {}
    replaced: dict[str, Expression] = {}
    longest = _longest_lags(parts.values())
    for index, function in enumerate(functions):
        old = _name(index)
        if length := longest.get(old, 0):
            new = _name(len(streams))
            streams[new] = function
            replaced |= {f"{old}[{lag}]": var(new, lag) for lag in range(length + 1)}
        else:
            replaced[f"{old}[0]"] = function
    states = {name: part.substitute(replaced) for name, part in parts.items()}
    return History(states.pop(UPDATE), streams, states)


def _name(index: int) -> str:
    return f"stream{index}"


def _longest_lags(parts: Iterable[Expression]) -> dict[str, int]:
    longest: dict[str, int] = {}
    for variable in (variable for part in parts for variable in part.variables):
        longest[variable.name] = max(longest.get(variable.name, 0), variable.lag or 0)
    return longest
