"""Expression to SymPy, built object by object: SymPy never sees text.

SymPy evaluates what it is given, exactly: `3^1000000000` would become a number of half a billion digits, and
the signed root, in which its argument occurs twice, doubles with each level of nesting. So operations between
numbers are done here, in floating point unless they are rational and short, and what is too large is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import sympy

from ..errors import ExpressionError
from .operators import DENOMINATOR_CUT
from .tensors import constant_value
from .tree import var

if TYPE_CHECKING:
    from .system import System
    from .tree import Expression, Variable

MAX_SIZE = 1_000
"""Nodes, repeated ones included, beyond which SymPy takes seconds, then minutes."""
MAX_DEPTH = 50
"""Levels of nesting beyond which SymPy, which works by recursion, takes seconds to fail."""
EXACT = ("+", "-", "*", "/", "neg", "square", "abs", "relu", "min", "max", "sign")
"""What is done exactly between rational numbers."""
MAX_BITS = 128
"""Length of numerators and denominators, beyond which a number becomes a float."""
MAX_POWER = 64
"""The largest whole exponent that stays one."""


class _Part(NamedTuple):
    """A SymPy expression, whether it is nowhere negative, and its nodes, repeated ones included."""

    value: sympy.Expr
    nonnegative: bool
    size: int = 1


def to_sympy(expression: Expression) -> sympy.Expr:
    """The same function of real symbols (g[3] becomes g_3), off the points where x/y and log are cut.

    Raises ExpressionError for what is too large or nested too deeply, and for whatever SymPy fails at.
    """
    _check_symbols(expression.variables)
    if expression.complexity > MAX_SIZE or expression.fold(lambda _: 0, lambda _: 0, _depth) > MAX_DEPTH:
        raise ExpressionError(
            f"SymPy takes up to {MAX_SIZE} nodes and {MAX_DEPTH} levels of nesting, not this"
        )
    try:
        return expression.fold(
            lambda variable: _Part(sympy.Symbol(_name(variable), real=True), False), _constant, _operator
        ).value
    except ExpressionError:
        raise
    except (
        Exception
    ) as error:  # of a library that others maintain: RecursionError, TypeError on infinity, ...
        raise ExpressionError(f"SymPy cannot hold this expression: {type(error).__name__}: {error}") from None


def system_to_sympy(system: System) -> tuple[sympy.Eq, ...]:
    """See `System.sympy`; raises ExpressionError as `to_sympy` does."""
    now = {name: var(name, 0) for name, _ in system.states}
    written = [(var(name, 0), value.substitute(now)) for name, value in system.equations]
    _check_symbols(dict.fromkeys(v for pair in written for part in pair for v in part.variables))
    return tuple(sympy.Eq(to_sympy(left), to_sympy(right), evaluate=False) for left, right in written)


def _check_symbols(variables: Iterable[Variable]) -> None:
    """Raise ExpressionError where two variables would have one symbol."""
    names = [_name(variable) for variable in variables]
    if len(set(names)) < len(names):
        name = next(name for name in names if names.count(name) > 1)
        raise ExpressionError(f"two variables would share the SymPy symbol {name}: rename one of them")


def _depth(name: str, first: int, *others: int) -> int:
    """Levels of nesting: terms of a sum and factors of a product stand side by side."""
    return max(first + (name not in ("+", "-", "*", "/")), *(1 + other for other in others), 0)


def _constant(value: float) -> _Part:
    if value == float("inf") or value == -float("inf"):
        return _Part(sympy.oo if value > 0 else -sympy.oo, value > 0)
    whole = value.is_integer() and abs(value) < 2**53
    return _Part(sympy.Integer(int(value)) if whole else sympy.Float(value), value >= 0)


def _operator(name: str, *parts: _Part) -> _Part:
    size = 1 + sum(part.size for part in parts)
    if name in ("sqrt", "pow") and not parts[0].nonnegative:
        size += parts[0].size
    if size > MAX_SIZE:
        raise ExpressionError(
            f"SymPy takes up to {MAX_SIZE} nodes, and a root of what may be negative has its argument twice: "
            "this has more; simplify it, or convert parts of it"
        )
    values = [part.value for part in parts]
    if not all(value.is_Number for value in values):
        return _Part(_tame(_build(name, parts)), _is_nonnegative(name, parts), size)
    if not (name in EXACT and all(value.is_Rational for value in values)):
        return _constant(constant_value(name, *map(float, values)))
    value = _short(_build(name, parts))
    return _Part(value, bool(value >= 0))


def _short(number: sympy.Rational) -> sympy.Expr:
    """A rational number, as a float if it is long."""
    long = max(number.p.bit_length(), number.q.bit_length()) > MAX_BITS
    return sympy.Float(number) if long else number


def _tame(value: sympy.Expr) -> sympy.Expr:
    """An expression whose leading coefficient, which SymPy raises to powers exactly, is short."""
    coefficient, rest = value.as_coeff_Mul()
    if not coefficient.is_Rational or (short := _short(coefficient)) is coefficient:
        return value
    return short * rest


def _is_nonnegative(name: str, parts: tuple[_Part, ...]) -> bool:
    if name in ("max", "relu", "square", "abs", "exp", "erfc"):
        return name != "max" or any(part.nonnegative for part in parts)
    if name == "pow":
        return parts[0].nonnegative
    return name in ("+", "*", "/", "min", "sqrt") and all(part.nonnegative for part in parts)


def _build(name: str, parts: tuple[_Part, ...]) -> sympy.Expr:
    x, y = parts[0].value, parts[-1].value
    simple = x.is_Atom and y.is_Atom  # what is evaluated beyond that takes exponential time when nested
    match name:
        case "+":
            return x + y
        case "-":
            return x - y
        case "*":
            return x * y
        case "/":
            cut = y.is_Number and abs(float(y)) < DENOMINATOR_CUT
            return sympy.Integer(0) if cut else x / y
        case "neg":
            return -x
        case "square":
            return x**2
        case "sqrt":
            return _root(parts[0], sympy.Rational(1, 2))
        case "pow":
            return _root(parts[0], _exponent(y))
        case "abs":
            return _magnitude(parts[0])
        case "sign":
            return sympy.sign(x, evaluate=simple)
        case "log":
            return sympy.log(_magnitude(parts[0]))
        case "relu":
            return sympy.Max(x, sympy.Integer(0), evaluate=simple)
        case "min" | "max":
            return (sympy.Min if name == "min" else sympy.Max)(x, y, evaluate=simple)
    return getattr(sympy, name)(x)


def _exponent(y: sympy.Expr) -> sympy.Expr:
    whole = y.is_Integer and abs(y) <= MAX_POWER
    return sympy.Float(y) if y.is_Number and not whole else y


def _root(part: _Part, exponent: sympy.Expr) -> sympy.Expr:
    """sign(x) |x|^exponent."""
    if part.value == 0:
        return sympy.Integer(0)
    power = _magnitude(part) ** exponent
    return power if part.nonnegative else sympy.sign(part.value, evaluate=part.value.is_Atom) * power


def _magnitude(part: _Part) -> sympy.Expr:
    x = part.value
    if part.nonnegative:
        return x
    return sympy.Abs(x, evaluate=x.is_Atom)


def _name(variable: Variable) -> str:
    return variable.name if variable.lag is None else f"{variable.name}_{variable.lag}"
