"""Conversion to SymPy."""

import pytest
import sympy

from l2o_core.errors import ExpressionError
from l2o_core.expressions import parse

x, g3 = sympy.Symbol("x", real=True), sympy.Symbol("g_3", real=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x + 2 * g[3]", x + 2 * g3),
        ("x ^ 2 / g[3]", x**2 / g3),
        ("sqrt(x)", sympy.sign(x) * sympy.sqrt(sympy.Abs(x))),
        ("pow(x, 2)", sympy.sign(x) * x**2),
        ("log(x)", sympy.log(sympy.Abs(x))),
        ("relu(x) + min(x, 1)", sympy.Max(x, 0) + sympy.Min(x, 1)),
        ("0.1 * x", sympy.Float(0.1) * x),
        ("erfc(sinh(asinh(x)))", sympy.erfc(x)),
        ("x / 0 + 0 ^ x", sympy.Integer(0)),
        ("-x - -x", sympy.Integer(0)),
    ],
)
def test_conversion(text, expected):
    assert parse(text).sympy() == expected


def test_roots_keep_the_sign():
    assert parse("sqrt(x ^ 2)").sympy().subs(x, -3) == 3
    assert parse("sqrt(x)").sympy().subs(x, -4) == -2


def test_two_variables_never_become_one():
    with pytest.raises(ExpressionError, match="symbol g_3"):
        parse("g[3] + g_3").sympy()


def test_too_deep_for_sympy_is_said():
    with pytest.raises(ExpressionError, match="SymPy"):
        parse("tanh(" * 3000 + "x" + ")" * 3000).sympy()
