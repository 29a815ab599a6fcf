"""The weighted sums over streams in a rule, found so that they can be computed in other ways."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from ...expressions import Expression, Variable, call, const, var
from ...expressions.linear import ONE, LinearForm, combine, scaled, write


class Value(NamedTuple):
    """A value of a stream, `lag` steps ago."""

    stream: str
    lag: int


Weights = Mapping[Value, float]
"""The weight of each of some values: `stream0[2]: 0.5`."""


def rewrite_sums(
    rule: Expression, streams: Collection[str], rewrite: Callable[[Weights], Expression]
) -> Expression:
    """The rule with `rewrite(weights)` in place of each of its sums over `streams`, the longest there are.

    A value that stands alone is a sum of one. Sums are linear forms over the streams' values and at most one
    other term, the rest, which comes first. Weights of 0 stay: they may change during a run.
    """

    def value(term: Expression) -> Value | None:
        leaf = term.root
        if isinstance(leaf, Variable) and leaf.lag is not None and leaf.name in streams:
            return Value(leaf.name, leaf.lag)
        return None

    def written(form: LinearForm) -> Expression:
        parts = [scaled(term, coefficient) for term, coefficient in form.items() if not value(term)]
        weights = {read: weight for term, weight in form.items() if (read := value(term))}
        return add_up([*parts, rewrite(weights)] if weights else parts)

    def rest(form: LinearForm) -> list[Expression]:
        first = next(iter(form))
        return [] if value(first) else [first]

    def operator(name: str, *forms: LinearForm) -> LinearForm:
        over_streams = any(len(form) > len(rest(form)) for form in forms)
        combined = combine(name, *forms) if over_streams else None
        if combined is None:
            return _term(call(name, *map(written, forms)))
        rests = dict.fromkeys(term for form in forms for term in rest(form) if term in combined)
        together = write([(term, combined.pop(term)) for term in rests])
        return (_term(together) if rests else {}) | combined

    return written(rule.fold(lambda v: {Expression((v,)): 1.0}, lambda number: {ONE: number}, operator))


def weighted_sum(weights: Weights) -> Expression:
    """The sum written out in full."""
    return add_up([weight * var(*value) for value, weight in weights.items()])


def add_up(terms: Sequence[Expression]) -> Expression:
    """The sum of the terms, which is 0 without any."""
    if not terms:
        return const(0)
    first, *others = (term.program for term in terms)
    return Expression((*first, *(node for program in others for node in (*program, "+"))))


def _term(expression: Expression) -> LinearForm:
    """An expression as one term, or as a constant if it is one."""
    value = expression.root if expression.variables else expression.simplify().root
    return {ONE: value} if isinstance(value, float) else {expression: 1.0}
