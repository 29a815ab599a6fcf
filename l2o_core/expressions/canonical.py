"""Equations in a canonical form: like terms together, constant factors outside, no redundant constant.

Whatever a search brings up, `2*x + x`, `square(3*x)`, `exp(x + 1)` or `sqrt(4*x + 8*y)`, becomes a linear
combination of parts whose own scale is fixed: `3*x`, `9*x^2`, `2.718*exp(x)`, `2.83*sqrt(y + 0.5*x)`. So no
two constants of an equation trade off against each other, and a constant of 0 removes its term.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from . import Expression, Variable, call, const
from .operators import constant_value

Combination = dict[Expression | None, float]
"""A sum of coefficient times part; the part None is the constant 1."""


def canonical(expression: Expression) -> Expression:
    """The same function (off the points where a division is cut to 0) in canonical form."""
    return assemble(combine(expression))


def combine(expression: Expression) -> Combination:
    """An expression as the sum of its terms, each part canonical and of fixed scale."""
    return expression.fold(_variable, _constant, _operator)


def assemble(terms: Combination) -> Expression:
    """A combination as an expression: terms from simple to complex and from lag 0 on, the constant last."""
    ordered = sorted(terms.items(), key=lambda term: _order(term[0]))
    if not ordered:
        return const(0)
    positive = next((i for i, (_, coefficient) in enumerate(ordered) if coefficient > 0), 0)
    if ordered[0][1] == -1 and ordered[0][0] is not None:  # x - y rather than -y + x
        ordered.insert(0, ordered.pop(positive))
    total = _scaled(*ordered[0])
    for part, coefficient in ordered[1:]:
        total = call("+" if coefficient > 0 else "-", total, _scaled(part, abs(coefficient)))
    return total


def _scaled(part: Expression | None, coefficient: float) -> Expression:
    if part is None:
        return const(coefficient)
    if coefficient == 1:
        return part
    if coefficient == -1:
        return -part
    if part.root == "/" and part.arguments[0].root == 1.0:
        return coefficient / part.arguments[1]
    return coefficient * part


def _order(part: Expression | None) -> tuple:
    if part is None:
        return (math.inf,)
    lags = tuple((v.name, -1 if v.lag is None else v.lag) for v in part.variables)
    return (part.complexity, tuple(name for name, _ in lags), tuple(lag for _, lag in lags), str(part))


def _variable(variable: Variable) -> Combination:
    return {Expression((variable,)): 1.0}


def _constant(value: float) -> Combination:
    return {None: value} if value else {}


def _operator(name: str, *arguments: Combination) -> Combination:
    if all(_is_number(argument) for argument in arguments):
        value = constant_value(name, *(argument.get(None, 0.0) for argument in arguments))
        return _constant(value)
    return _RULES.get(name, _generic(name))(*arguments)


def _is_number(x: Combination) -> bool:
    return not x or x.keys() == {None}


def _times(x: Combination, factor: float) -> Combination:
    return {part: value for part, c in x.items() if (value := c * factor)}


def _plus(x: Combination, y: Combination) -> Combination:
    total = dict(x)
    for part, c in y.items():
        before = total.get(part, 0.0)
        total[part] = before + c
        if abs(total[part]) <= 1e-14 * abs(before):  # they cancel, but for rounding
            del total[part]
    return total


def _split(x: Combination) -> tuple[float, Expression]:
    """(c, part) with x = c part; the largest coefficient inside a part that is a sum is 1."""
    if len(x) == 1:
        ((part, c),) = x.items()
        if part is not None:
            return c, part
    c = max((c for part, c in x.items() if part is not None), key=abs)
    return c, assemble(_times(x, 1 / c))


def _multiply(x: Combination, y: Combination) -> Combination:
    if _is_number(x) or _is_number(y):
        x, y = (x, y) if _is_number(x) else (y, x)
        return _times(y, x.get(None, 0.0))
    (c, p), (d, q) = _split(x), _split(y)
    if p == q:
        return _times(_square({p: 1.0}), c * d)
    if p.root == "/" and p.arguments[0].root == 1.0:  # (1 / a) * q = q / a
        return {q / p.arguments[1]: c * d}
    if q.root == "/" and q.arguments[0].root == 1.0:
        return {p / q.arguments[1]: c * d}
    return {p * q: c * d}


def _divide(x: Combination, y: Combination) -> Combination:
    if _is_number(y):
        return _times(x, 1 / y[None]) if y and math.isfinite(1 / y[None]) else {}
    if not x:
        return {}
    d, q = _split(y)
    if _is_number(x):
        return {1.0 / q: x[None] / d}
    c, p = _split(x)
    return {p / q: c / d}


def _square(x: Combination) -> Combination:
    c, part = _split(x)
    if part.root == "sqrt":
        return _times(_absolute({part.arguments[0]: 1.0}), c * c)
    if part.root == "abs":
        part = part.arguments[0]
    return {call("square", part): c * c}


def _root(x: Combination) -> Combination:
    c, part = _split(x)
    c = math.copysign(math.sqrt(abs(c)), c)
    return (
        _times(_absolute({part.arguments[0]: 1.0}), c) if part.root == "square" else {call("sqrt", part): c}
    )


def _absolute(x: Combination) -> Combination:
    c, part = _split(x)
    return _times(_terms(part), abs(c)) if _is_nonnegative(part) else {call("abs", part): abs(c)}


def _terms(part: Expression) -> Combination:
    return combine(part) if part.root in ("+", "-") else {part: 1.0}


def _is_nonnegative(part: Expression) -> bool:
    if part.root in ("+", "-"):
        return all(c > 0 and (p is None or _is_nonnegative(p)) for p, c in combine(part).items())
    if part.root in ("*", "/", "sqrt"):
        return all(_is_nonnegative(a) or a.root == 1.0 for a in part.arguments)
    return part.root in ("square", "abs", "exp", "relu", "erfc")


def _exponential(x: Combination) -> Combination:
    shift = x.get(None, 0.0)
    if abs(shift) > 100:
        return _generic("exp")(x)
    return {call("exp", assemble({p: c for p, c in x.items() if p is not None})): math.exp(shift)}


def _sign(x: Combination) -> Combination:
    c, part = _split(x)
    return {call("sign", part): math.copysign(1.0, c)}


def _rectify(x: Combination) -> Combination:
    c, _ = _split(x)
    return {call("relu", assemble(_times(x, 1 / abs(c)))): abs(c)}


def _power(x: Combination, y: Combination) -> Combination:
    if not _is_number(y) or _is_number(x):
        return _generic("pow")(x, y)
    exponent = y.get(None, 0.0)
    c, part = _split(x)
    scale = constant_value("pow", c, exponent)
    if exponent == 1:
        return x
    if not (math.isfinite(scale) and scale):
        return _generic("pow")(x, y)
    return {call("pow", part, exponent): scale}


def _odd(name: str) -> Callable[..., Combination]:
    def rule(x: Combination) -> Combination:
        c, _ = _split(x)
        return {call(name, assemble(_times(x, math.copysign(1.0, c)))): math.copysign(1.0, c)}

    return rule


def _generic(name: str) -> Callable[..., Combination]:
    return lambda *arguments: {call(name, *map(assemble, arguments)): 1.0}


_RULES: dict[str, Callable[..., Combination]] = {
    "+": _plus,
    "-": lambda x, y: _plus(x, _times(y, -1.0)),
    "neg": lambda x: _times(x, -1.0),
    "*": _multiply,
    "/": _divide,
    "square": _square,
    "sqrt": _root,
    "abs": _absolute,
    "sign": _sign,
    "relu": _rectify,
    "exp": _exponential,
    "pow": _power,
    **{name: _odd(name) for name in ("tanh", "asinh", "sinh", "sin")},
}
