"""The protected operators, point by point."""

import math

import pytest
import torch

from l2o_core.expressions import OPERATORS, parse

CUT = 2.0**-63
POINTS = [0.0, -0.0, 1e-45, -1e-40, 1e-38, 1e-30, -1e-20, CUT, 1e-10, 0.5, -1.0, 3.0, -40.0]
DTYPES = [torch.float32, torch.float64]


def at(text: str, *points: float, dtype=torch.float64) -> list[float]:
    return parse(text).evaluate({"x": torch.tensor(points, dtype=dtype)}).tolist()


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("sqrt(x)", [-2.0, 0.0, 2.0]),
        ("x ^ 2", [16.0, 0.0, 16.0]),
        ("pow(x, 2)", [-16.0, 0.0, 16.0]),
        ("x ^ 3", [-64.0, 0.0, 64.0]),
        ("x ^ -1", [-0.25, 0.0, 0.25]),
        ("x ^ 0", [-1.0, 0.0, 1.0]),
        ("log(x)", [math.log(4), -126 * math.log(2), math.log(4)]),
        ("1 / x", [-0.25, 0.0, 0.25]),
        ("x / x", [1.0, 0.0, 1.0]),
        ("x / 0", [0.0, 0.0, 0.0]),
        ("0 ^ x", [0.0, 0.0, 0.0]),
        ("(-2) ^ x", [-0.0625, -1.0, -16.0]),
        ("min(x, 1)", [-4.0, 0.0, 1.0]),
        ("max(1, x)", [1.0, 1.0, 4.0]),
        ("relu(x)", [0.0, 0.0, 4.0]),
        ("sign(x)", [-1.0, 0.0, 1.0]),
    ],
)
def test_real_line_extensions(text, values):
    assert at(text, -4.0, 0.0, 4.0) == pytest.approx(values)


def test_division_is_cut_below_the_root_of_the_smallest_normal_float():
    assert at("1 / x", CUT, CUT / 2, -CUT, -CUT / 2) == [1 / CUT, 0, -1 / CUT, 0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "text",
    [
        *(f"{name}(x)" for name, operator in OPERATORS.items() if operator.arity == 1),
        *("1 / x", "x / x", "x ^ 0.5", "x ^ 2.2", "x ^ 0", "2 ^ x", "min(x, 0)", "max(x, x)"),
    ],
)
def test_values_and_derivatives_are_finite_everywhere(text, dtype):
    x = torch.tensor(POINTS, dtype=dtype, requires_grad=True)
    value = parse(text).compile()({"x": x})
    assert value.dtype == dtype
    assert value.isfinite().all()
    (slope,) = torch.autograd.grad(value.sum(), x)
    assert slope.isfinite().all()


@pytest.mark.parametrize("text", ["x ^ y", "y / x", "sqrt(x) * y", "log(x) * y"])
def test_derivatives_at_zero_are_finite_in_both_arguments(text):
    x = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    y = torch.tensor([-1.5, 0.0, 0.5], dtype=torch.float64, requires_grad=True)
    value = parse(text).compile()({"x": x, "y": y})
    for slope in torch.autograd.grad(value.sum(), (x, y)):
        assert slope.isfinite().all()


@pytest.mark.parametrize("name", sorted(OPERATORS))
def test_derivatives_are_right_away_from_the_kinks(name):
    x = torch.tensor([-2.3, -0.7, 0.4, 1.9], dtype=torch.float64, requires_grad=True)
    y = torch.tensor([1.1, -0.3, 1.7, -1.2], dtype=torch.float64, requires_grad=True)
    operator = OPERATORS[name]
    assert torch.autograd.gradcheck(operator.function, (x, y)[: operator.arity])


@pytest.mark.parametrize("name", [name for name, operator in OPERATORS.items() if operator.arity == 2])
def test_a_number_and_a_tensor_give_what_two_tensors_give(name):
    function = OPERATORS[name].function
    x = torch.tensor([-2.3, 0.0, 0.4, 1.9], dtype=torch.float64)
    for number in (-1.3, 0.0, 0.7, 2.0):
        tensor = torch.full_like(x, number)
        torch.testing.assert_close(function(x, number), function(x, tensor))
        torch.testing.assert_close(function(number, x), function(tensor, x))
