"""Expression to SymPy, built object by object: SymPy never sees text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sympy

from ..errors import ExpressionError
from .operators import DENOMINATOR_CUT, LOG_CUT

if TYPE_CHECKING:
    from .tree import Expression, Variable


def _is_below(x: sympy.Expr, cut: float) -> bool:
    """Whether x is a number that an operator takes for 0."""
    return bool(x.is_number) and bool(abs(x) < cut)


_BUILD = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
    "/": lambda x, y: sympy.Integer(0) if _is_below(y, DENOMINATOR_CUT) else x / y,
    "pow": lambda x, y: sympy.Integer(0) if x.is_zero else sympy.sign(x) * sympy.Abs(x) ** y,
    "min": sympy.Min,
    "max": sympy.Max,
    "neg": lambda x: -x,
    "square": lambda x: x**2,
    "sqrt": lambda x: sympy.sign(x) * sympy.sqrt(sympy.Abs(x)),
    "exp": sympy.exp,
    "tanh": sympy.tanh,
    "asinh": sympy.asinh,
    "sinh": sympy.sinh,
    "relu": lambda x: sympy.Max(x, 0),
    "erfc": sympy.erfc,
    "sign": sympy.sign,
    "log": lambda x: sympy.log(LOG_CUT if _is_below(x, LOG_CUT) else sympy.Abs(x)),
    "abs": sympy.Abs,
    "cos": sympy.cos,
    "sin": sympy.sin,
}


def to_sympy(expression: Expression) -> sympy.Expr:
    """The same function of real symbols (g[3] becomes g_3), off the points where x/y and log are cut."""
    names = [_name(variable) for variable in expression.variables]
    for name in names:
        if names.count(name) > 1:
            raise ExpressionError(f"two variables would share the SymPy symbol {name}: rename one of them")
    try:
        return expression.fold(
            lambda variable: sympy.Symbol(_name(variable), real=True),
            lambda value: sympy.Integer(int(value)) if value.is_integer() else sympy.Float(value),
            lambda name, *arguments: _BUILD[name](*arguments),
        )
    except RecursionError:
        raise ExpressionError("nested too deeply for SymPy, which works by recursion") from None


def _name(variable: Variable) -> str:
    return variable.name if variable.lag is None else f"{variable.name}_{variable.lag}"
