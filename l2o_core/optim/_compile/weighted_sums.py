"""The weighted sums over streams in a rule, found so that they can be computed in other ways."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from ...expressions import Expression, Variable, call, var
from ...expressions.linear import ONE
from .numbers import Number, Numbers


class Value(NamedTuple):
    """A value of a stream, `lag` steps ago."""

    stream: str
    lag: int


Weights = Mapping[Value, Number]
"""The weight of each of some values: `stream0[2]: n5`."""
_Form = dict[Expression, Number]
"""A sum of terms, each with its coefficient; the term `ONE` is the constant."""


class Sums(NamedTuple):
    """A rule with a variable in place of each of its sums over streams: total0, total1, ..."""

    rule: Expression
    weights: Sequence[Weights]

    def written(self, write: Callable[[Weights], Expression]) -> Expression:
        """The rule with `write(weights)` in place of each sum."""
        return self.rule.substitute({_total(index): write(each) for index, each in enumerate(self.weights)})


def find_sums(rule: Expression, streams: Collection[str], numbers: Numbers) -> Sums:
    """The sums over `streams` in a rule, the longest there are.

    A value that stands alone is a sum of one. Sums are linear forms over the streams' values and at most one
    other term, the rest, which comes first. Weights of 0 stay: they may change during a run.
    """
    found: list[Weights] = []

    def value(term: Expression) -> Value | None:
        leaf = term.root
        if isinstance(leaf, Variable) and leaf.lag is not None and leaf.name in streams:
            return Value(leaf.name, leaf.lag)
        return None

    def leaf(variable: Variable) -> _Form:
        number = numbers.read(variable)
        return {ONE: number} if number is not None else {Expression((variable,)): numbers.one}

    def written(form: _Form) -> Expression:
        parts = [weighted(term, number, numbers) for term, number in form.items() if not value(term)]
        if weights := {read: number for term, number in form.items() if (read := value(term))}:
            parts.append(var(_total(len(found))))
            found.append(weights)
        return add_up(parts, numbers)

    def rest(form: _Form) -> list[Expression]:
        first = next(iter(form))
        return [] if value(first) else [first]

    def operator(name: str, *forms: _Form) -> _Form:
        over_streams = any(len(form) > len(rest(form)) for form in forms)
        combined = _combined(name, forms, numbers) if over_streams else None
        if combined is None:
            return {call(name, *map(written, forms)): numbers.one}
        rests = dict.fromkeys(term for form in forms for term in rest(form) if term in combined)
        together = [weighted(term, combined.pop(term), numbers) for term in rests if term != ONE]
        constant = {ONE: combined.pop(ONE)} if ONE in combined else {}
        if together and constant:
            together.append(numbers.write(constant.pop(ONE)))
        return constant | ({add_up(together, numbers): numbers.one} if together else {}) | combined

    whole = written(rule.fold(leaf, lambda number: {ONE: numbers.constant(number)}, operator))
    return Sums(whole, found)


def _combined(name: str, forms: Sequence[_Form], numbers: Numbers) -> _Form | None:
    """An operator applied to linear forms, if the result is one in their terms, else None."""
    constants = [form[ONE] if form.keys() == {ONE} else None for form in forms]
    match name, forms, constants:
        case "+", (x, y), _:
            return _sum(x, y, numbers)
        case "-", (x, y), _:
            return _sum(x, _scaled(y, numbers.minus_one, numbers), numbers)
        case "neg", (x,), _:
            return _scaled(x, numbers.minus_one, numbers)
        case "*", (_, y), (int(factor), _):
            return _scaled(y, factor, numbers)
        case "*", (x, _), (_, int(factor)):
            return _scaled(x, factor, numbers)
    return None


def _sum(x: _Form, y: _Form, numbers: Numbers) -> _Form:
    longer, shorter = (x, y) if len(x) >= len(y) else (y, x)
    added = {t: numbers.apply("+", longer.get(t, numbers.zero), number) for t, number in shorter.items()}
    return longer | added


def _scaled(form: _Form, factor: Number, numbers: Numbers) -> _Form:
    return {term: numbers.apply("*", factor, number) for term, number in form.items()}


def weighted_sum(weights: Weights, numbers: Numbers) -> Expression:
    """The sum written out in full."""
    return add_up([weighted(var(*value), number, numbers) for value, number in weights.items()], numbers)


def weighted(term: Expression, number: Number, numbers: Numbers) -> Expression:
    """A term times its coefficient; the coefficients 1 and -1 are not written."""
    if term == ONE:
        return numbers.write(number)
    if number == numbers.minus_one:
        return -term
    return term if number == numbers.one else numbers.write(number) * term


def add_up(terms: Sequence[Expression], numbers: Numbers) -> Expression:
    """The sum of the terms, which is 0 without any."""
    if not terms:
        return numbers.write(numbers.zero)
    program = terms[0].program + tuple(node for term in terms[1:] for node in (*term.program, "+"))
    return Expression(program)


def _total(index: int) -> str:
    return f"total{index}"
