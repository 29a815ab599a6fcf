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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2 / 3 * x", sympy.Rational(2, 3) * x),
        ("3 ^ 2 + x", x + 9),
        ("3 ^ 1000000000", sympy.oo),
        ("10 ** 10 ** 10", sympy.oo),
        ("exp(exp(exp(exp(10)))) - exp(1000)", sympy.nan),
        ("sqrt(x ^ 2 + 1)", sympy.sqrt(x**2 + 1)),
        ("x / 1e-30", sympy.Integer(0)),
        ("abs(exp(x))", sympy.exp(x)),
    ],
)
def test_numbers_are_computed_in_floats_and_signs_are_known(text, expected):
    assert parse(text).sympy() is expected or parse(text).sympy() == expected


@pytest.mark.parametrize(
    "text",
    [
        "(3 * x) ^ 1000000000",
        "(" * 40 + "3 * x" + ")^2" * 40,
        "(" * 40 + "10000001 / 10000000 * x" + ")^2" * 40,
        "(" * 30 + "10000001 / 10000000" + ")^2" * 30 + " * x",
        "relu(" * 40 + "x" + " - 0.5)" * 40,
        "max(x, " * 40 + "g[3]" + ")" * 40,
        "abs(" * 40 + "x" + " - 1)" * 40,
    ],
    ids=lambda text: text[:30],
)
def test_what_doubles_with_each_level_stays_small(text):
    assert len(str(parse(text).sympy())) < 2000


@pytest.mark.parametrize(
    "text",
    [
        "sqrt(" * 18 + "x" + ")" * 18,
        "(" * 40 + "x" + ") ^ 64" * 40,
        "+".join(f"g[{i}]" for i in range(1000)),
        "-(" * 60 + "x" + ")" * 60,
    ],
)
def test_too_large_for_sympy_is_said(text):
    with pytest.raises(ExpressionError, match="SymPy takes up to"):
        parse(text).sympy()


def test_roots_keep_the_sign():
    assert parse("sqrt(x ^ 2)").sympy().subs(x, -3) == 3
    assert parse("sqrt(x)").sympy().subs(x, -4) == -2


def test_two_variables_never_become_one():
    with pytest.raises(ExpressionError, match="symbol g_3"):
        parse("g[3] + g_3").sympy()


def test_too_deep_for_sympy_is_said():
    with pytest.raises(ExpressionError, match="SymPy"):
        parse("tanh(" * 3000 + "x" + ")" * 3000).sympy()
