"""Fitting, completing and pruning equations whose truth is known."""

import math
import time
from itertools import chain
from unittest.mock import Mock

import numpy as np
import pytest
import torch

from l2o_core.distiller import columns
from l2o_core.distiller.polish import polish, prune, without_abs
from l2o_core.distiller.problem import prepare
from l2o_core.distiller.refine import completed, refine
from l2o_core.distiller.rows import Rows, loss
from l2o_core.errors import ExpressionError
from l2o_core.expressions import parse

LAGS = 6
NAMES = [f"g[{lag}]" for lag in range(LAGS)]


@pytest.fixture
def gradients():
    return np.random.default_rng(0).normal(size=(600, LAGS))


def rows(X, y):
    return Rows(dict(zip(NAMES, torch.tensor(X.T).unbind(), strict=True)), torch.tensor(y))


def test_polish_finds_the_least_squares_solution(gradients):
    y = gradients[:, 0] - 0.5 * gradients[:, 3] + 0.1 * gradients[:, 5]
    fitted = polish(parse("3 * g[0] + 1 * g[3] + 2"), rows(gradients, y))
    A = np.column_stack([gradients[:, [0, 3]], np.ones(600)])
    np.testing.assert_allclose(fitted.constants, np.linalg.lstsq(A, y)[0], atol=1e-6)


def test_polish_fits_constants_inside_functions(gradients):
    y = 2 * np.tanh(0.7 * gradients[:, 1] - 0.3) + np.exp(-0.5 * gradients[:, 2] ** 2)
    equation = parse("tanh(1 * g[1]) + 1 + exp(-1 * square(g[2])) * 2 - 0.1")
    equation = polish(parse("1 * tanh(1 * g[1] + 0.1) + 2 * exp(-1 * square(g[2]))"), rows(gradients, y))
    np.testing.assert_allclose(equation.constants, [2, 0.7, -0.3, 1, -0.5], atol=1e-6)


def test_hubers_loss_counts_large_errors_linearly():
    error = torch.tensor([0.5, -1.0, 3.0, -10.0], dtype=torch.float64)
    zero = Rows({"g[0]": error}, torch.zeros(4, dtype=torch.float64), huber=1.0)
    half = torch.nn.functional.huber_loss(error, zero.y, delta=1.0).item()
    assert loss(parse("g[0]"), zero) == pytest.approx(2 * half)


def test_a_few_wild_rows_do_not_move_a_robust_fit(gradients):
    y = 2 * gradients[:, 0]
    y[:5] = 1e4
    data = rows(gradients, y)
    assert polish(parse("1 * g[0]"), data._replace(huber=0.1)).constants == pytest.approx([2], abs=1e-2)
    assert polish(parse("1 * g[0]"), data).constants != pytest.approx([2], abs=1)


def test_an_equation_that_is_too_large_with_all_its_lags_is_left_as_it_is(monkeypatch, gradients):
    problem = prepare(gradients, gradients[:, 0] + np.tanh(gradients[:, 1]), NAMES)
    monkeypatch.setattr("l2o_core.distiller.refine.completed", Mock(side_effect=ExpressionError("too large")))
    (fitted,) = refine([parse("g[0] + tanh(g[1])")], problem, 100, time.monotonic() + 60)
    assert len(fitted) == 1


def test_sums_over_thousands_of_lags_are_not_offered():
    X = np.random.default_rng(0).normal(size=(40, 1600))
    assert columns.lag_sums(prepare(X, X[:, 0], [f"g[{lag}]" for lag in range(1600)])) == []


def test_polish_never_makes_it_worse(gradients):
    data = rows(gradients, gradients[:, 0])
    for text in ("g[1]", "1 / (0 * g[0])", "exp(1000 * g[0])", "sign(2 * g[0])"):
        before = loss(parse(text), data)
        assert loss(polish(parse(text), data), data) <= before or math.isinf(before)


def test_pruning_takes_away_what_matters_least_first(gradients):
    weights = np.array([1, 0.01, 0.5, 0.001, 0.2, 0])
    data = rows(gradients, gradients @ weights)
    full = polish(parse(" + ".join(f"1 * {name}" for name in NAMES)), data)
    path = [full, *prune(full, data, math.inf)]
    kept = [{str(v) for v in equation.variables} for equation in path]
    assert {"g[0]", "g[2]", "g[4]"} in kept
    assert {"g[0]", "g[2]"} in kept
    assert [equation.complexity for equation in path] == sorted((e.complexity for e in path), reverse=True)


def test_pruning_stops_at_the_deadline(gradients):
    equation = parse("2 * g[0] + 3 * g[1]")
    assert list(prune(equation, rows(gradients, gradients[:, 0]), time.monotonic() - 1)) == []


def test_abs_goes_where_nothing_is_negative(gradients):
    data = rows(gradients, gradients[:, 0])
    squares = parse("sqrt(abs(g[0]^2 + g[1]^2)) + abs(g[2])")
    assert without_abs(squares, data) == parse("sqrt(g[0]^2 + g[1]^2) + abs(g[2])")


def test_a_sum_over_lags_is_completed():
    variables = [parse(name).root for name in [*NAMES[:3], "v"]]
    equation = completed(parse("tanh(2*g[0] + g[2] + v) / sqrt(g[1]^2 + 3*g[0]^2) + g[1]"), variables)
    assert equation == parse(
        "g[1] + tanh(2*g[0] + 0.002*g[1] + g[2] + v) / sqrt(3*g[0]^2 + g[1]^2 + 0.003*g[2]^2)"
    )
    assert completed(parse("g[1] + g[2]^2"), variables) == parse("g[1] + g[2]^2")


def test_lag_sums_are_what_their_equations_say(gradients):
    problem = prepare(gradients, gradients @ np.arange(6.0), NAMES)
    inputs = dict(zip(problem.names, torch.tensor(problem.X.T).unbind(), strict=True))
    offered = columns.lag_sums(problem)
    assert len(offered) == 3 * len(columns.DECAYS)
    for column in offered:
        np.testing.assert_allclose(column.equation.evaluate(inputs), column.values)
        assert column.values.std() == pytest.approx(1)
    assert columns.lag_sums(prepare(gradients[:, :2], gradients[:, 0], NAMES[:2])) == []


def test_a_rough_shape_is_refined_to_the_rule(gradients):
    """Momentum over RMS, from a guess that sees two lags of each."""
    weights = 0.8 ** np.arange(LAGS)
    y = gradients @ weights / np.sqrt(gradients**2 @ weights)
    problem = prepare(gradients, y, NAMES)
    guess = parse("1.2 * (g[0] + 0.7*g[2]) / sqrt(1.1*g[0]^2 + g[1]^2 + 0.1)")
    found = chain(*refine([guess], problem, max_complexity=100, deadline=math.inf))
    assert min(loss(equation, problem.rows("select")) for equation in found) < 1e-6
