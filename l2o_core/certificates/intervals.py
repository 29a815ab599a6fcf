"""Interval arithmetic for the operators of rules: where a value can lie, whatever the arguments in theirs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import product

from ..expressions.operators import DENOMINATOR_CUT, LOG_CUT

Interval = tuple[float, float]
EVERYTHING: Interval = (-math.inf, math.inf)


def apply(name: str, *arguments: Interval) -> Interval:
    """Where an operator's values lie for arguments in these intervals: at times too wide, never too narrow.

    An infinite end means that there is no bound: values are finite themselves.

    Example:
        >>> apply("square", (-2.0, 1.0))
        (0.0, 4.0)
        >>> apply("tanh", (-math.inf, math.inf))
        (-1.0, 1.0)
    """
    low, high = OPERATIONS[name](*arguments)
    return EVERYTHING if math.isnan(low) or math.isnan(high) else (low, high)


def hull(*intervals: Interval) -> Interval:
    """The smallest interval that holds all of these."""
    lows, highs = zip(*intervals, strict=True)
    return min(lows), max(highs)


def _of_ends(values: Iterable[float]) -> Interval:
    found = list(values)
    return min(found), max(found)


def _rising(function: Callable[[float], float]) -> Callable[[Interval], Interval]:
    """An operator that never falls."""

    def apply(x: Interval) -> Interval:
        low, high = (_infinite_where_it_overflows(function, end) for end in x)
        return low, high

    return apply


def _infinite_where_it_overflows(function: Callable[[float], float], x: float) -> float:
    try:
        return function(x)
    except OverflowError:
        return math.copysign(math.inf, x)  # those that overflow downwards do so below zero


def _magnitude(x: Interval) -> Interval:
    low, high = x
    return max(0.0, low, -high), max(-low, high)


def _times(x: float, y: float) -> float:
    return x * y if x and y else 0.0  # values are finite, so that zero times any of them is zero


def _product(x: Interval, y: Interval) -> Interval:
    return _of_ends(_times(a, b) for a, b in product(x, y))


def _quotient(x: Interval, y: Interval) -> Interval:
    if x == (0.0, 0.0):
        return x
    if y[0] >= DENOMINATOR_CUT or y[1] <= -DENOMINATOR_CUT:
        return _product(x, (1 / y[1], 1 / y[0]))
    return EVERYTHING


def _sign(x: float) -> float:
    return math.copysign(1.0, x) if x else 0.0


def _power(x: Interval, y: Interval) -> Interval:
    """sign(x) |x|^y: on each side of zero its extremes lie at corners."""
    values = [0.0] if x[0] <= 0 <= x[1] else []
    for side in (1.0, -1.0):
        low, high = (x[0], x[1]) if side > 0 else (-x[1], -x[0])
        if high > 0:
            corners = product((max(low, 0.0), high), y)
            values += [side * _positive_power(base, exponent) for base, exponent in corners]
    return _of_ends(values)


def _positive_power(base: float, exponent: float) -> float:
    try:
        return base**exponent
    except (ZeroDivisionError, OverflowError):
        return math.inf


def _log(x: Interval) -> Interval:
    low, high = _magnitude(x)
    return math.log(max(low, LOG_CUT)), math.log(max(high, LOG_CUT))


def _square(x: Interval) -> Interval:
    low, high = _magnitude(x)
    return low * low, high * high


OPERATIONS: dict[str, Callable[..., Interval]] = {
    "+": lambda x, y: (x[0] + y[0], x[1] + y[1]),
    "-": lambda x, y: (x[0] - y[1], x[1] - y[0]),
    "*": _product,
    "/": _quotient,
    "pow": _power,
    "min": lambda x, y: (min(x[0], y[0]), min(x[1], y[1])),
    "max": lambda x, y: (max(x[0], y[0]), max(x[1], y[1])),
    "neg": lambda x: (-x[1], -x[0]),
    "square": _square,
    "sqrt": _rising(lambda x: _sign(x) * math.sqrt(abs(x))),
    "exp": _rising(math.exp),
    "tanh": _rising(math.tanh),
    "asinh": _rising(math.asinh),
    "sinh": _rising(math.sinh),
    "relu": _rising(lambda x: max(x, 0.0)),
    "sign": _rising(_sign),
    "erfc": lambda x: (math.erfc(x[1]), math.erfc(x[0])),
    "log": _log,
    "abs": _magnitude,
    "cos": lambda x: (-1.0, 1.0) if x[0] < x[1] else (math.cos(x[0]),) * 2,
    "sin": lambda x: (-1.0, 1.0) if x[0] < x[1] else (math.sin(x[0]),) * 2,
}
