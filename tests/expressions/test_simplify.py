"""Simplification, case by case; that it keeps the value is a law tried on random trees."""

import pytest

from l2o_core.expressions import parse


@pytest.mark.parametrize(
    ("text", "simple"),
    [
        ("2 * 3 + x", "6 + x"),
        ("x + 0 * y", "x"),
        ("0 - x", "-x"),
        ("x - 0", "x"),
        ("1 * x / 1", "x"),
        ("x * -1", "-x"),
        ("0 / x", "0"),
        ("x / 0", "0"),
        ("x ^ 1", "x"),
        ("--x", "x"),
        ("x + -y", "x - y"),
        ("x - -y", "x + y"),
        ("-(2 * x)", "-2 * x"),
        ("2 * (x * 3)", "6 * x"),
        ("0.5 * (2 * x)", "x"),
        ("3 * x / 4", "0.75 * x"),
        ("2 * (3 * x / 6)", "x"),
        ("tanh(0 + x * 1)", "tanh(x)"),
        ("exp(1000) * x", "exp(1000) * x"),
        ("1e-200 * (1e-200 * x)", "1e-200 * (1e-200 * x)"),
        ("sqrt(-4)", "-2"),
        ("x + y", "x + y"),
    ],
)
def test_simplify(text, simple):
    assert str(parse(text).simplify()) == simple
