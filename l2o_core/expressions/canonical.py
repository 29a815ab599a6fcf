"""Equations in a canonical form: like terms together, constant factors outside, no redundant constant.

Whatever a search brings up, `2*x + x`, `square(3*x)`, `exp(x + 1)` or `sqrt(4*x + 8*y)`, becomes a linear
combination of parts whose own scale is fixed: `3*x`, `9*x^2`, `2.718*exp(x)`, `2.83*sqrt(y + 0.5*x)`. So no
two constants of an equation trade off against each other, and a constant of 0 removes its term.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property

from ..errors import ExpressionError
from . import linear
from .linear import ONE, LinearForm, nonzero, number, total
from .operators import DENOMINATOR_CUT
from .tensors import constant_value
from .tree import Expression, Variable, call

SMALLEST = 1e-290
"""Factors below it stay where they are."""
ROUNDING = 1e-14
"""Coefficients that add up to less than this fraction of the first have cancelled, but for rounding."""


def canonical(expression: Expression) -> Expression:
    """The same function (off the points where a division is cut to 0) in canonical form.

    Args:
        expression: Any expression.

    Returns:
        A sum of terms, from simple to complex and from lag 0 on, the constant last.

    Raises:
        ExpressionError: If it would have too many nodes.

    Example:
        >>> from l2o_core.expressions import parse
        >>> str(canonical(parse("square(3 * x) + sqrt(4 * x + 16 * y) + x - 1 * x")))
        '9 * x^2 + 4 * sqrt(0.25 * x + y)'
    """
    return assemble(expand(expression))


def expand(expression: Expression) -> LinearForm:
    """An expression as the sum of its terms, each canonical and of fixed scale."""
    return expression.fold(_variable, _constant, _operator)


def assemble(form: LinearForm) -> Expression:
    """A linear form as an expression: terms from simple to complex and from lag 0 on, the constant last."""
    ordered = sorted(form.items(), key=lambda term: _Order(term[0]))
    positive = next((i for i, (_, coefficient) in enumerate(ordered) if coefficient > 0), 0)
    if ordered and ordered[0][1] == -1 and ordered[0][0] != ONE:  # x - y rather than -y + x
        ordered.insert(0, ordered.pop(positive))
    return linear.write(ordered, _scaled)


def _scaled(part: Expression, coefficient: float) -> Expression:
    if abs(coefficient) != 1 and part.root == "/" and part.arguments[0] == ONE:
        return coefficient / part.arguments[1]
    return linear.scaled(part, coefficient)


class _Order:
    """Sorts terms: the constant last, else by complexity, then names, then lags, then text."""

    def __init__(self, part: Expression):
        self.part = part

    def __lt__(self, other: _Order) -> bool:
        sizes = [math.inf if part == ONE else part.complexity for part in (self.part, other.part)]
        return sizes[0] < sizes[1] if sizes[0] != sizes[1] else self.key < other.key

    @cached_property
    def key(self) -> tuple:
        """What decides between terms of one size; long terms take a while to print."""
        lags = [(v.name, -1 if v.lag is None else v.lag) for v in self.part.variables]
        return tuple(name for name, _ in lags), tuple(lag for _, lag in lags), str(self.part)


def _variable(variable: Variable) -> LinearForm:
    return {Expression((variable,)): 1.0}


def _constant(value: float) -> LinearForm:
    return nonzero({ONE: value})


def _operator(name: str, *arguments: LinearForm) -> LinearForm:
    """An operator applied to sums, by its rule; as it is where that would lead out of the floats' range."""
    values = [value for argument in arguments if (value := number(argument)) is not None]
    try:
        if len(values) == len(arguments):
            result = _constant(constant_value(name, *values))
        else:
            result = _RULES.get(name, _generic(name))(*arguments)
        if all(result.values()) and all(map(math.isfinite, result.values())):
            return result
    except (ArithmeticError, ExpressionError):
        pass
    return _generic(name)(*arguments)


def _times(x: LinearForm, factor: float) -> LinearForm:
    return nonzero(total([(factor, x)]))


def _plus(x: LinearForm, y: LinearForm, sign: float = 1.0) -> LinearForm:
    result = total([(1.0, x), (sign, y)])
    for part in y:
        if abs(result[part]) <= ROUNDING * abs(x.get(part, 0.0)):
            del result[part]
    return result


def _scale(x: LinearForm) -> float:
    """The largest coefficient, that of the constant left aside. ArithmeticError if it is next to nothing."""
    c = max((c for part, c in x.items() if part != ONE), key=abs)
    if abs(c) < SMALLEST:
        raise ArithmeticError("what it multiplies underflows, and would not without it")
    return c


def _split(x: LinearForm) -> tuple[float, Expression]:
    """(c, part) with x = c part; the largest coefficient inside a part that is a sum is 1."""
    c = _scale(x)
    return c, next(iter(x)) if len(x) == 1 else assemble(_times(x, 1 / c))


def _multiply(x: LinearForm, y: LinearForm) -> LinearForm:
    product = linear.combine("*", x, y)
    if product is not None:
        return nonzero(product)
    (c, a), (d, b) = _split(x), _split(y)
    if a == b:
        return _times(_square({a: 1.0}), c * d)
    if a.root == "/" and a.arguments[0] == ONE:  # (1 / a) * b = b / a
        return {b / a.arguments[1]: c * d}
    if b.root == "/" and b.arguments[0] == ONE:
        return {a / b.arguments[1]: c * d}
    return {a * b: c * d}


def _divide(x: LinearForm, y: LinearForm) -> LinearForm:
    if number(y) is not None:
        return _times(x, 1 / y[ONE]) if y and abs(y[ONE]) >= DENOMINATOR_CUT else {}
    if not x:
        return {}
    d, b = _split(y)
    if number(x) is not None:
        return {1.0 / b: x[ONE] / d}
    c, a = _split(x)
    return {a / b: c / d}


def _square(x: LinearForm) -> LinearForm:
    c, part = _split(x)
    if part.root == "sqrt":
        return _times(_absolute({part.arguments[0]: 1.0}), c * c)
    if part.root == "abs":
        part = part.arguments[0]
    return {call("square", part): c * c}


def _square_root(x: LinearForm) -> LinearForm:
    c, part = _split(x)
    c = math.copysign(math.sqrt(abs(c)), c)
    return (
        _times(_absolute({part.arguments[0]: 1.0}), c) if part.root == "square" else {call("sqrt", part): c}
    )


def _absolute(x: LinearForm) -> LinearForm:
    c, part = _split(x)
    return _times(_terms(part), abs(c)) if _is_nonnegative(part) else {call("abs", part): abs(c)}


def _terms(part: Expression) -> LinearForm:
    """The terms of a sum as `assemble` has written it: read off, since they are canonical already."""
    backwards = []
    while part.root in ("+", "-"):
        sign = 1.0 if part.root == "+" else -1.0
        part, last = part.arguments
        backwards.append((sign, _term(last)))
    return nonzero(total([(1.0, _term(part)), *reversed(backwards)]))


def _term(part: Expression) -> LinearForm:
    if isinstance(part.root, float):
        return {ONE: part.root}
    if part.root == "neg":
        return {part.arguments[0]: -1.0}
    if part.root in ("*", "/") and isinstance(part.program[0], float):
        coefficient, rest = part.arguments
        if isinstance(coefficient.root, float) and coefficient != ONE:
            return {(rest if part.root == "*" else 1.0 / rest): coefficient.root}
    return {part: 1.0}


def _is_nonnegative(part: Expression) -> bool:
    """Whether a part shows that it is nowhere negative."""
    pending = [part]
    while pending:
        part = pending.pop()
        if isinstance(part.root, float):
            if part.root <= 0:
                return False
        elif part.root in ("+", "*", "/", "sqrt"):
            pending += part.arguments
        elif part.root not in ("square", "abs", "exp", "relu", "erfc"):
            return False
    return True


def _exponential(x: LinearForm) -> LinearForm:
    shift = x.get(ONE, 0.0)
    if abs(shift) > 100:
        return _generic("exp")(x)
    return {call("exp", assemble({p: c for p, c in x.items() if p != ONE})): math.exp(shift)}


def _sign(x: LinearForm) -> LinearForm:
    c, part = _split(x)
    return {call("sign", part): math.copysign(1.0, c)}


def _rectify(x: LinearForm) -> LinearForm:
    c = abs(_scale(x))
    return {call("relu", assemble(_times(x, 1 / c))): c}


def _power(x: LinearForm, y: LinearForm) -> LinearForm:
    exponent = number(y)
    if exponent is None or number(x) is not None:
        return _generic("pow")(x, y)
    c, part = _split(x)
    scale = constant_value("pow", c, exponent)
    if exponent == 1:
        return x
    if not (math.isfinite(scale) and scale):
        return _generic("pow")(x, y)
    return {call("pow", part, exponent): scale}


def _odd(name: str) -> Callable[..., LinearForm]:
    def rule(x: LinearForm) -> LinearForm:
        sign = math.copysign(1.0, _scale(x))
        return {call(name, assemble(_times(x, sign))): sign}

    return rule


def _generic(name: str) -> Callable[..., LinearForm]:
    return lambda *arguments: {call(name, *map(assemble, arguments)): 1.0}


_RULES: dict[str, Callable[..., LinearForm]] = {
    "+": _plus,
    "-": lambda x, y: _plus(x, y, -1.0),
    "neg": lambda x: _times(x, -1.0),
    "*": _multiply,
    "/": _divide,
    "square": _square,
    "sqrt": _square_root,
    "abs": _absolute,
    "sign": _sign,
    "relu": _rectify,
    "exp": _exponential,
    "pow": _power,
    **{name: _odd(name) for name in ("tanh", "asinh", "sinh", "sin")},
}
