"""Linear forms: what they stand for, and what stays in them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from l2o_core.expressions import call, parse, var
from l2o_core.expressions.linear import ONE, LinearForm, apply, combine, expression, nonzero, number, total

X, Y = var("x"), var("y")
INPUTS = {name: torch.randn(16, dtype=torch.float64) for name in ("x", "y")}
COEFFICIENTS = st.floats(-4, 4, allow_nan=False).map(lambda value: round(value, 3))
FORMS = st.dictionaries(st.sampled_from([ONE, X, Y, parse("tanh(x)")]), COEFFICIENTS)


def value(form: LinearForm) -> torch.Tensor:
    found = expression(form)
    return found.evaluate(INPUTS).expand(16)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["+", "-", "*", "/", "neg", "square", "tanh"]), FORMS, FORMS)
def test_an_operator_on_forms_has_the_value_of_the_operator(name, x, y):
    forms = (x, y) if name in "+-*/" else (x,)
    expected = call(name, *map(expression, forms)).evaluate(INPUTS).expand(16)
    torch.testing.assert_close(value(apply(name, *forms)), expected, rtol=1e-9, atol=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(COEFFICIENTS, FORMS)))
def test_a_total_is_the_weighted_sum(parts):
    expected = sum((weight * value(form) for weight, form in parts), torch.zeros(16, dtype=torch.float64))
    torch.testing.assert_close(value(total(parts)), expected, rtol=1e-9, atol=1e-9)


def test_terms_keep_their_order_and_zeros_until_they_are_dropped():
    found = total([(0.0, {Y: 1.0}), (2.0, {X: 1.0, Y: 0.5}), (-1.0, {X: 2.0})])
    assert list(found.items()) == [(Y, 1.0), (X, 0.0)]
    assert nonzero(found) == {Y: 1.0}


@pytest.mark.parametrize(
    ("form", "expected"), [({}, 0.0), ({ONE: 2.5}, 2.5), ({X: 1.0}, None), ({ONE: 1.0, X: 0.0}, None)]
)
def test_numbers_are_forms_without_other_terms(form, expected):
    assert number(form) == expected


@pytest.mark.parametrize(
    ("name", "forms", "expected"),
    [
        ("*", ({X: 2.0}, {ONE: 3.0}), {X: 6.0}),
        ("/", ({X: 2.0}, {ONE: 4.0}), {X: 0.5}),
        ("/", ({X: 2.0}, {ONE: 1e-30}), None),  # which division takes for 0
        ("/", ({ONE: 1.0}, {X: 1.0}), None),
        ("*", ({X: 1.0}, {Y: 1.0}), None),
        ("tanh", ({X: 1.0},), None),
    ],
)
def test_only_linear_operators_are_combined(name, forms, expected):
    assert combine(name, *forms) == expected


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ({}, "0"),
        ({X: -1.0, Y: -0.5}, "-x - 0.5 * y"),
        ({ONE: -2.0, X: 1.0}, "x - 2"),
        ({parse("tanh(x)"): 2.0, ONE: 0.5, Y: 1.0}, "2 * tanh(x) + y + 0.5"),
    ],
)
def test_a_form_is_written_with_signs_and_the_constant_last(form, text):
    assert str(expression(form)) == text
