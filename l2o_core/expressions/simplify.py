"""Smaller expressions of the same value."""

from __future__ import annotations

import math

from .operators import DENOMINATOR_CUT
from .tensors import constant_value
from .tree import Expression, call, const, var


def simplify(expression: Expression) -> Expression:
    """Fold constants, drop neutral elements and double negations, gather constant factors.

    The value stays the same, to rounding, wherever it was finite.
    """
    return expression.fold(lambda variable: var(variable.name, variable.lag), const, _simplified)


def _simplified(name: str, *arguments: Expression) -> Expression:
    """`call(name, *arguments)` for arguments that are simple already."""
    values = [number for argument in arguments if (number := _number(argument)) is not None]
    if len(values) == len(arguments) and math.isfinite(value := constant_value(name, *values)):
        return const(value)
    match name:
        case "neg":
            return _negated(*arguments)
        case "+" | "-":
            return _sum(name, *arguments)
        case "*":
            return _product(*arguments)
        case "/":
            return _quotient(*arguments)
        case "pow" if _number(arguments[1]) == 1:
            return arguments[0]
    return call(name, *arguments)


def _negated(x: Expression) -> Expression:
    """-(-x) = x, -(c x) = (-c) x."""
    if x.root == "neg":
        return x.arguments[0]
    factor, rest = _factor(x)
    return -x if factor is None else -factor * rest


def _sum(sign: str, x: Expression, y: Expression) -> Expression:
    """0 is neutral; x + -y = x - y, x - -y = x + y."""
    if _number(y) == 0:
        return x
    if _number(x) == 0:
        return y if sign == "+" else _negated(y)
    if y.root == "neg":
        return call("-" if sign == "+" else "+", x, *y.arguments)
    return call(sign, x, y)


def _product(x: Expression, y: Expression) -> Expression:
    """0 x = 0, 1 x = x, -1 x = -x, c (d x) = (c d) x, with the constant first."""
    if _number(y) is not None:
        x, y = y, x
    scale = _number(x)
    if scale == 0:
        return const(0)
    if scale == 1:
        return y
    if scale == -1:
        return _negated(y)
    factor, rest = _factor(y)
    if scale is not None and factor is not None and _is_safe(scale * factor):
        return _product(const(scale * factor), rest)
    return x * y


def _quotient(x: Expression, y: Expression) -> Expression:
    """0 / x = x / 0 = 0, x / 1 = x, x / -1 = -x, (c x) / d = (c / d) x."""
    divisor = _number(y)
    if _number(x) == 0 or (divisor is not None and abs(divisor) < DENOMINATOR_CUT):
        return const(0)
    if divisor == 1:
        return x
    if divisor == -1:
        return _negated(x)
    factor, rest = _factor(x)
    if divisor is not None and factor is not None and _is_safe(factor / divisor):
        return _product(const(factor / divisor), rest)
    return x / y


def _number(x: Expression) -> float | None:
    """The constant that x is, if it is one."""
    return x.root if isinstance(x.root, float) else None


def _factor(x: Expression) -> tuple[float | None, Expression]:
    """(c, y) where x = c y, else (None, x)."""
    if x.root == "*" and isinstance(x.program[0], float):
        first, rest = x.arguments
        if (scale := _number(first)) is not None:
            return scale, rest
    return None, x


def _is_safe(value: float) -> bool:
    """Neither overflown nor underflown."""
    return 1e-300 < abs(value) < math.inf
