"""Sums of terms with coefficients: what the signals of a network of operators are, written out.

A `Form` maps terms to their coefficients. Linear operators stay within forms, whatever the number of layers;
only `square`, `exp`, `sign` and products of two forms make new terms. So everything linear is gathered, and
no equation is longer than it has to be.
"""

from __future__ import annotations

from collections.abc import Iterable

from . import Expression, call, const

Form = dict[Expression, float]
ONE = const(1)


def total(parts: Iterable[tuple[float, Form]]) -> Form:
    """The sum of forms, each times a number; terms that vanish are left out."""
    result: Form = {}
    for weight, form in parts:
        for term, coefficient in form.items():
            result[term] = result.get(term, 0.0) + weight * coefficient
    return {term: coefficient for term, coefficient in result.items() if coefficient}


def apply(operator: str, *operands: Form) -> Form:
    """A unit of SOL (Sec. 4) on one form or two."""
    match operator, operands:
        case "identical", (x,):
            return x
        case "neg", (x,):
            return total([(-1.0, x)])
        case "+", (x, y):
            return total([(1.0, x), (1.0, y)])
        case "-", (x, y):
            return total([(1.0, x), (-1.0, y)])
        case "*", (x, y) if x.keys() <= {ONE}:
            return total([(x.get(ONE, 0.0), y)])
        case "*", (x, y) if y.keys() <= {ONE}:
            return total([(y.get(ONE, 0.0), x)])
    value = call(operator, *map(expression, operands)).simplify()
    return total([(value.root, {ONE: 1.0}) if isinstance(value.root, float) else (1.0, {value: 1.0})])


def expression(form: Form) -> Expression:
    """The sum as an expression, constants last."""
    terms = [(term, c) for term, c in form.items() if term != ONE]
    terms += [(ONE, form[ONE])] if ONE in form else []
    result = const(0)
    for term, coefficient in terms:
        sign = "+" if coefficient > 0 or result == const(0) else "-"
        result = call(sign, result, (coefficient if sign == "+" else -coefficient) * term)
    return result.simplify()
