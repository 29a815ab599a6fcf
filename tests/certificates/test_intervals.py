"""An interval holds every value that an operator can take."""

import math

import pytest
import torch

from l2o_core.certificates import intervals
from l2o_core.expressions.operators import OPERATORS
from l2o_core.expressions.tensors import TENSOR_FUNCTIONS

ENDS = (-math.inf, -30.0, -0.5, 0.0, 0.5, 2.0, math.inf)
INTERVALS = [
    (low, high) for low in ENDS for high in ENDS if low < high or (low == high and math.isfinite(low))
]


def points(low: float, high: float) -> list[float]:
    """Some in the interval, its ends among them."""
    low, high = max(low, -1e8), min(high, 1e8)
    return [
        low,
        high,
        (low + high) / 2,
        low + 0.1 * (high - low),
        *(x for x in (0.0, -1.0, 1.0) if low <= x <= high),
    ]


@pytest.mark.parametrize("name", OPERATORS)
def test_an_interval_holds_every_value_of_the_operator(name):
    arity = OPERATORS[name].arity
    pairs = [(x,) for x in INTERVALS] if arity == 1 else [(x, y) for x in INTERVALS for y in INTERVALS]
    for arguments in pairs:
        low, high = intervals.apply(name, *arguments)
        grid = torch.cartesian_prod(*(torch.tensor(points(*x), dtype=torch.float64) for x in arguments))
        values = TENSOR_FUNCTIONS[name](*grid.view(len(grid), arity).T)
        slack = 1e-12 * values.abs() + 1e-300
        assert ((values >= low - slack) & (values <= high + slack) | values.isnan()).all(), (
            arguments,
            low,
            high,
        )


@pytest.mark.parametrize(
    ("name", "arguments", "want"),
    [
        ("*", [(-1.0, 2.0), (-3.0, 1.0)], (-6.0, 3.0)),
        ("*", [(0.0, 0.0), intervals.EVERYTHING], (0.0, 0.0)),
        ("/", [(1.0, 2.0), (0.5, 4.0)], (0.25, 4.0)),
        ("/", [(1.0, 2.0), (0.0, 4.0)], intervals.EVERYTHING),
        ("pow", [(0.9, 0.9), (1.0, math.inf)], (0.0, 0.9)),
        ("pow", [(-2.0, 1.0), (3.0, 3.0)], (-8.0, 1.0)),
        ("sign", [(-2.0, 0.0)], (-1.0, 0.0)),
        ("exp", [(-math.inf, 1000.0)], (0.0, math.inf)),
        ("cos", [(0.0, 1.0)], (-1.0, 1.0)),
    ],
)
def test_intervals_are_as_narrow_as_they_can_be_said_to_be(name, arguments, want):
    assert intervals.apply(name, *arguments) == pytest.approx(want)
