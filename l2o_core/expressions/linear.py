"""Sums of terms with coefficients: one algebra for canonical forms, SOL's read-out, and sums over lags.

A `LinearForm` maps each term, an expression, to its coefficient; the term `ONE` is the constant. Sums,
differences and products with a number stay within linear forms. What is not linear becomes a new term, in a
way that each user of this module decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from .operators import DENOMINATOR_CUT
from .tree import Expression, Variable, call, const

LinearForm = dict[Expression, float]
ONE = const(1)


def total(parts: Iterable[tuple[float, LinearForm]]) -> LinearForm:
    """A weighted sum of linear forms; terms with the coefficient 0 stay.

    Args:
        parts: Weights and linear forms.

    Returns:
        The sum, its terms in the order of their first appearance.

    Example:
        >>> from l2o_core.expressions import var
        >>> x, y = var("x"), var("y")
        >>> total([(2.0, {x: 1.0, y: 3.0}), (1.0, {x: -2.0})]) == {x: 0.0, y: 6.0}
        True
    """
    result: LinearForm = {}
    for weight, form in parts:
        if weight == 1:  # far cheaper than term by term
            both = result.keys() & form.keys()
            result = result | form | {term: result[term] + form[term] for term in both}
            continue
        for term, coefficient in form.items():
            result[term] = result.get(term, 0.0) + weight * coefficient
    return result


def nonzero(form: LinearForm) -> LinearForm:
    """The same sum without terms whose coefficient is 0."""
    return {term: coefficient for term, coefficient in form.items() if coefficient}


def number(form: LinearForm) -> float | None:
    """The value of a linear form that is a constant, else None."""
    return form.get(ONE, 0.0) if form.keys() <= {ONE} else None


def combine(operator: str, *forms: LinearForm) -> LinearForm | None:
    """An operator applied to linear forms, if the result is linear in their terms, else None.

    That is a sum, a difference, a negation, a product with a number, or a quotient by a number that division
    does not take for 0.

    Args:
        operator: One of `expressions.OPERATORS`.
        *forms: Its operands.

    Returns:
        The result, where terms with the coefficient 0 stay, or None.

    Example:
        >>> from l2o_core.expressions import var
        >>> x, y = var("x"), var("y")
        >>> combine("*", {ONE: 2.0}, {x: 1.0, y: 0.5}) == {x: 2.0, y: 1.0}
        True
        >>> combine("*", {x: 1.0}, {y: 1.0}) is None
        True
    """
    match operator, forms:
        case "+", (x, y):
            return total([(1.0, x), (1.0, y)])
        case "-", (x, y):
            return total([(1.0, x), (-1.0, y)])
        case "neg", (x,):
            return total([(-1.0, x)])
        case "*", (x, y):
            if (factor := number(x)) is not None:
                return total([(factor, y)])
            if (factor := number(y)) is not None:
                return total([(factor, x)])
        case "/", (x, y):
            divisor = number(y)
            if divisor is not None and abs(divisor) >= DENOMINATOR_CUT:
                return total([(1 / divisor, x)])
    return None


def apply(operator: str, *forms: LinearForm) -> LinearForm:
    """Any operator applied to linear forms; what is not linear becomes one new term.

    Args:
        operator: One of `expressions.OPERATORS`.
        *forms: Its operands.

    Returns:
        The result, without terms whose coefficient is 0.

    Example:
        >>> from l2o_core.expressions import parse, var
        >>> x = var("x")
        >>> apply("square", {x: 2.0, ONE: 1.0}) == {parse("(2 * x + 1)^2"): 1.0}
        True
    """
    combined = combine(operator, *forms)
    if combined is None:
        value = call(operator, *map(expression, forms)).simplify()
        combined = {ONE: value.root} if isinstance(value.root, float) else {value: 1.0}
    return nonzero(combined)


def expression(form: LinearForm) -> Expression:
    """A linear form as a simplified expression, its terms in order, the constant last.

    Example:
        >>> from l2o_core.expressions import var
        >>> str(expression({ONE: 1.0, var("x"): 2.0, var("y"): -3.0}))
        '2 * x - 3 * y + 1'
    """
    return write(sorted(form.items(), key=lambda term: term[0] == ONE)).simplify()


def scaled(term: Expression, coefficient: float) -> Expression:
    """A term times its coefficient, where 1 and -1 are not written."""
    if term == ONE:
        return const(coefficient)
    return term if coefficient == 1 else -term if coefficient == -1 else coefficient * term


def write(
    terms: Iterable[tuple[Expression, float]], scaled: Callable[[Expression, float], Expression] = scaled
) -> Expression:
    """A sum as an expression, term by term; after the first, negative coefficients are subtracted.

    Args:
        terms: Terms and coefficients, in order.
        scaled: How a term is written with a coefficient.

    Returns:
        The expression, which is 0 without terms.
    """
    nodes: list[Variable | float | str] = []
    for term, coefficient in terms:
        if not nodes:
            nodes += scaled(term, coefficient).program
        else:
            nodes += (*scaled(term, abs(coefficient)).program, "+" if coefficient > 0 else "-")
    return Expression(tuple(nodes)) if nodes else const(0)
