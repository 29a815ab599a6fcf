"""The weighted sums over streams in a rule, found so that they can be computed in other ways."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from ...expressions import Expression, Variable, call, const, var
from ...expressions.operators import DENOMINATOR_CUT

Weights = Mapping[Variable, float]
"""The weight of each current or past value of some streams: `stream0[2]: 0.5`."""


class _Part(NamedTuple):
    """`rest + sum of weights[variable] * variable` over streams; a rest of None is 0."""

    weights: dict[Variable, float]
    rest: Expression | None


def rewrite_sums(
    rule: Expression, streams: Collection[str], write: Callable[[Weights], Expression]
) -> Expression:
    """The rule with `write(weights)` in the place of each of its sums over `streams`, the longest there are.

    A value that stands alone is a sum of one.
    """

    def written(part: _Part) -> Expression:
        if not part.weights:
            return const(0.0) if part.rest is None else part.rest
        return add(part.rest, write(part.weights))

    def variable(leaf: Variable) -> _Part:
        if leaf.name in streams:
            return _Part({leaf: 1.0}, None)
        return _Part({}, var(leaf.name, leaf.lag))

    def operator(name: str, *parts: _Part) -> _Part:
        scale = _scale(name, parts)
        if scale:
            factor, part = scale
            return _Part(
                {v: factor * weight for v, weight in part.weights.items()},
                None if part.rest is None else call("*", factor, part.rest),
            )
        if name in ("+", "-") and any(part.weights for part in parts):
            sign = 1.0 if name == "+" else -1.0
            left, right = parts
            weights = dict(left.weights)
            for v, weight in right.weights.items():
                weights[v] = weights.get(v, 0.0) + sign * weight
            rest = left.rest if right.rest is None else _combined(name, left.rest, right.rest)
            return _Part(weights, rest)
        return _Part({}, call(name, *(written(part) for part in parts)))

    return written(rule.fold(variable, lambda value: _Part({}, const(value)), operator))


def weighted_sum(weights: Weights) -> Expression:
    """The sum written out in full."""
    total = None
    for variable, weight in weights.items():
        total = add(total, weight * var(variable.name, variable.lag))
    return const(0.0) if total is None else total


def add(total: Expression | None, term: Expression) -> Expression:
    """`total + term`; a total of None is 0."""
    return term if total is None else total + term


def _scale(name: str, parts: Sequence[_Part]) -> tuple[float, _Part] | None:
    """A weighted sum times a number, as this number and the sum."""
    if name == "neg" and parts[0].weights:
        return -1.0, parts[0]
    if name == "*":
        for number, part in (parts, parts[::-1]):
            if part.weights and (value := _number(number)) is not None:
                return value, part
    if name == "/" and parts[0].weights:
        value = _number(parts[1])
        if value is not None and abs(value) >= DENOMINATOR_CUT:
            return 1 / value, parts[0]
    return None


def _number(part: _Part) -> float | None:
    if part.weights or part.rest is None or part.rest.variables:
        return None
    rest = part.rest.simplify()
    return rest.root if isinstance(rest.root, float) else None


def _combined(name: str, left: Expression | None, right: Expression) -> Expression:
    if left is None:
        return right if name == "+" else -right
    return call(name, left, right)
