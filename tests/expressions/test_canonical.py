"""The canonical form keeps the function, and is one form for equations that are the same."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from l2o_core.errors import ExpressionError
from l2o_core.expressions import MAX_NODES, Expression, call, const, parse, var
from l2o_core.expressions.canonical import canonical

LEAVES = st.one_of(
    st.sampled_from([var("g", 0), var("g", 1), var("v")]),
    st.integers(-3, 3).map(float).map(const),
)
UNARY = ("neg", "square", "sqrt", "abs", "tanh", "asinh", "sign", "relu", "sin", "cos")
TREES = st.recursive(
    LEAVES,
    lambda children: st.one_of(
        st.builds(call, st.sampled_from(UNARY), children),
        st.builds(call, st.sampled_from(["+", "-", "*", "/", "min", "max"]), children, children),
    ),
    max_leaves=8,
)
INPUTS = {name: torch.randn(64, dtype=torch.float64) for name in ("g[0]", "g[1]", "v")}


@settings(derandomize=True, max_examples=150, deadline=None)
@given(TREES)
def test_same_value(tree: Expression):
    value, again = tree.evaluate(INPUTS), canonical(tree).evaluate(INPUTS)
    assume(value.isfinite().all() and value.abs().max() < 1e6)
    # A denominator that is 0 but for rounding, and sign or relu of such, may fall on either side.
    close = torch.isclose(again, value, rtol=1e-6, atol=1e-8)
    fragile = any(node in ("/", "sign", "sqrt") for node in tree.program)
    assert close.all() or fragile


@settings(derandomize=True, max_examples=100, deadline=None)
@given(TREES)
def test_canonical_twice_is_canonical_once(tree: Expression):
    once = canonical(tree)
    assert canonical(once).evaluate(INPUTS).allclose(once.evaluate(INPUTS), equal_nan=True)
    assert canonical(once).complexity <= once.complexity + 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2*x + x", "3 * x"),
        ("x - x", "0"),
        ("square(3*x)", "9 * x^2"),
        ("sqrt(4*x + 16*y)", "4 * sqrt(0.25 * x + y)"),
        ("(2*x) * (3*y) / (4*z)", "1.5 * (x * y / z)"),
        ("0.5 * (x + 2*(y - 0.5*x))", "y"),
        ("x / sqrt(1 + square(2 * sqrt(x^2 + y^2)))", "0.5 * (x / sqrt(x^2 + y^2 + 0.25))"),
        ("tanh(-2*x)", "-tanh(2 * x)"),
        ("1 / (2*x) * y", "0.5 * (y / x)"),
        ("square(x + 1) - (x + 1) * (x + 1)", "0"),
        ("0 * tanh(x) + 1", "1"),
        ("g[3] + g[0] + 2 + g[1]^2", "g[0] + g[3] + g[1]^2 + 2"),
    ],
)
def test_examples(text, expected):
    assert canonical(parse(text)) == parse(expected)


@pytest.mark.parametrize(
    "text",
    [
        "1 / (1e-300 * x)^2",
        "relu(1e-300 / (1e308 * x))",
        "x0 / (square(1e-300 * x1) * x0)",
        "exp(1000) + x",
        "10 ** 10 ** 10 * x",
        "1e308 * x + 1e308 * x",
        "x / 5e-324",
        "1e-200 * x * (1e-200 * y)",
        "(1e200 * x)^3.5",
        "sqrt(5e-324 * x + 1)",
        "min(1e-320 / x, 1e308 * x * 10)",
    ],
)
def test_what_would_leave_the_range_of_floats_stays_as_it_is(text):
    equation = parse(text)
    inputs = {str(v): torch.tensor([-0.7, 0.3, 2.0], dtype=torch.float64) for v in equation.variables}
    torch.testing.assert_close(canonical(equation).evaluate(inputs), equation.evaluate(inputs))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("abs(", "-1)"),
        ("sqrt(square(", "+1))"),
        ("tanh(x+", ")"),
        ("1/(1+", ")"),
        ("x-(", ")"),
        ("2*(y+", ")"),
    ],
)
def test_the_work_does_not_double_with_each_level(before, after):
    """Two thousand levels: what doubles would not end."""
    assert canonical(parse(before * 2000 + "x" + after * 2000)).complexity < MAX_NODES


def test_terms_of_a_sum_are_read_off_as_they_were_written():
    assert (
        str(canonical(parse("abs(3 * x^2 + 0.5 / exp(y) + abs(x) + 2)")))
        == "abs(x) + 3 * x^2 + 0.5 / exp(y) + 2"
    )
    assert str(canonical(parse("sqrt(square(x^2 - y))"))) == "abs(x^2 - y)"


def texts(value: object) -> list[str]:
    """All texts in a JSON value."""
    if isinstance(value, dict | list):
        parts = value.values() if isinstance(value, dict) else value
        return [text for part in parts for text in texts(part)]
    return [value] if isinstance(value, str) else []


def recorded() -> list[str]:
    """The equations over lags in the recorded runs: all of them entries of fronts."""
    folder = Path(__file__).parents[2] / "results" / "standard"
    found = {text for file in folder.glob("*.json") for text in texts(json.loads(file.read_text("utf-8")))}
    return sorted(text for text in found if "[" in text)


def test_recorded_equations_are_in_canonical_form():
    """To the letter: the same search would record the same text today."""
    count = 0
    for text in recorded():
        try:
            equation = parse(text)
        except ExpressionError:  # a sentence
            continue
        assert str(canonical(equation)) == str(equation)
        count += 1
    assert count >= 60
