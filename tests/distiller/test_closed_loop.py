"""A rule in closed loop does what it does when it runs; fits along trajectories find known rules."""

import math
import time

import numpy as np
import pytest
import torch

from l2o_core import models, tasks
from l2o_core.distiller import ClosedLoop, Trajectories, record
from l2o_core.distiller.cells import Cells, complexity, fit_cells
from l2o_core.distiller.polish import polish
from l2o_core.distiller.trim import tidy, trim
from l2o_core.errors import DataError
from l2o_core.expressions import parse_rule

RULE = "p = 0.7 * p[1] + 0.3 * g; 0.4 * u[1] - 0.2 * tanh(0.05 * p) - 0.003 * g[1]"


@pytest.fixture(scope="module")
def way() -> Trajectories:
    return record(models.Equation(RULE), tasks.load("p1"), steps=15, instances=6, per_layer=5)


def test_the_rule_itself_follows_its_trajectories(way):
    loop = ClosedLoop(way)
    torch.testing.assert_close(loop.predict(parse_rule(RULE)), way.updates, rtol=1e-4, atol=1e-7)
    assert loop.r2(parse_rule(RULE)) > 1 - 1e-8
    assert loop.loss(parse_rule(RULE)) < 1e-8


def test_one_step_ahead_the_past_is_the_recorded_one(way):
    rule = parse_rule("0.5 * u[1]")
    ahead = ClosedLoop(way, forced=True).predict(rule)
    torch.testing.assert_close(ahead[1:], 0.5 * way.updates[:-1])
    assert ahead[0].eq(0).all()
    assert ClosedLoop(way).predict(rule).eq(0).all()  # of its own updates, the first is 0, and so are all


def test_the_step_is_an_input(way):
    assert ClosedLoop(way).predict(parse_rule("0.1 * t"))[:, 0].tolist() == pytest.approx(
        [0.1 * t for t in range(1, 16)]
    )
    before = ClosedLoop(way).predict(parse_rule("0.1 * t[2]"))[:, 0]  # as of every input, 0 before the start
    assert before.tolist() == pytest.approx([0, 0, *(0.1 * t for t in range(1, 14))])


@pytest.mark.parametrize("text", [RULE, "0.5 * g", "0.25", "p = p[1] + 0.5; 0.1 * p"])
def test_derivatives_are_those_of_a_backward_pass(way, text):
    rule, loop = parse_rule(text), ClosedLoop(way)
    constants = torch.tensor(rule.constants, dtype=torch.float64)
    residual, jacobian, cost = loop.linearise(rule, constants)
    exact = torch.autograd.functional.jacobian(
        lambda c: loop.predict(rule, c[:, None]).flatten() / loop.unit, constants
    )
    torch.testing.assert_close(jacobian, exact.T, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(residual * loop.unit, (loop.predict(rule) - way.updates).flatten())
    assert cost.item() == pytest.approx(loop.loss(rule))


def test_a_rule_without_constants_has_no_derivatives(way):
    residual, jacobian, _ = ClosedLoop(way).linearise(parse_rule("u[1] - g"), torch.empty(0).double())
    assert jacobian.shape == (0, len(residual))


def test_several_sets_of_constants_are_as_good_as_one_after_the_other(way):
    rule, loop = parse_rule(RULE), ClosedLoop(way)
    sets = torch.tensor(rule.constants, dtype=torch.float64)[:, None] * torch.tensor([1.0, 0.5, 2.0])
    one_by_one = [loop.loss(rule.with_constants(sets[:, k].tolist())) for k in range(3)]
    assert loop.losses(rule, sets).tolist() == pytest.approx(one_by_one)


def test_a_rule_that_grows_is_cut_off_and_its_loss_is_a_number(way):
    predicted = ClosedLoop(way).predict(parse_rule("9 * u[1] - g^2"))
    assert predicted.abs().max() <= 10 * way.updates.abs().max() * (1 + 1e-12)
    assert math.isfinite(ClosedLoop(way).loss(parse_rule("exp(exp(9 * g)) + u[1]")))


def test_what_the_trajectories_do_not_hold_is_named(way):
    for text in ("m_hat", "theta"):
        with pytest.raises(DataError, match=f"reads {text}; the trajectories hold g"):
            ClosedLoop(way).predict(parse_rule(text))


def test_equal_updates_explain_nothing():
    with pytest.raises(DataError, match="all recorded updates are equal"):
        ClosedLoop(Trajectories({"g": torch.ones(3, 2)}, torch.ones(3, 2), np.arange(2)))


def test_constants_are_fitted_through_the_closed_loop(way):
    start = parse_rule("p = 0.6 * p[1] + 0.4 * g; 0.3 * u[1] - 0.1 * tanh(0.04 * p) - 0.002 * g[1]")
    fitted = polish(start, ClosedLoop(way), 60)
    assert ClosedLoop(way).loss(fitted) < 1e-8 < 1e-3 < ClosedLoop(way).loss(start)


def test_terms_that_the_teacher_does_not_have_are_trimmed_first(way):
    """Seven constants say it all (0.3 of p and 0.05 of tanh make one); the three more go at no cost."""
    longer = parse_rule(
        "p = 0.7 * p[1] + 0.3 * g + 0.01; "
        "0.4 * u[1] - 0.2 * tanh(0.05 * p) - 0.003 * g[1] + 0.001 * g + 0.002"
    )
    loop = ClosedLoop(way)
    path = [*trim(tidy(polish(longer, loop)), loop, time.monotonic() + 600)]
    exact = [rule for rule in path if loop.loss(rule) < 1e-8]
    assert min(rule.complexity for rule in exact) <= parse_rule(RULE).complexity
    sizes = [rule.complexity for rule in path]
    assert sizes == sorted(sizes, reverse=True)
    assert path[-1].complexity == 1


def test_states_that_nothing_reads_are_dropped():
    assert str(tidy(parse_rule("p = 0.5 * p[1] + g; q = p + q[1]; -1 * p"))) == "p = g + 0.5 * p[1]; -p"
    assert str(tidy(parse_rule("p = 0.5 * p[1] + g; q = g + 1; -2 * q + 0 * p"))) == "-2 * g - 2"
    assert str(tidy(parse_rule("p = g; 2 * u[1]"))) == "2 * u[1]"
    assert str(tidy(parse_rule("p = tanh(g); p * exp(p)"))) == "p = tanh(g); p * exp(p)"


@pytest.mark.parametrize("kind", ["plain", "gated"])
@pytest.mark.parametrize("bound", [None, 0.05])
def test_cells_are_the_equations_that_they_are_written_as(way, kind, bound):
    seen = Trajectories(way.features, way.updates, way.groups, bound=bound)
    cells = Cells.random(seen, kind, 2, 3, torch.Generator().manual_seed(0))
    for weights in cells.weights.values():
        weights[:, 0] += 0.1
    followed = cells.follow(seen)
    for k in range(3):
        predicted = ClosedLoop(seen).predict(cells.rule(k)) / cells.unit
        torch.testing.assert_close(followed[:, k].double(), predicted, rtol=1e-3, atol=1e-5)
    assert complexity(seen, kind, 2) == cells.rule(0).complexity


def test_cells_are_fitted_and_the_best_come_first(way):
    rules = fit_cells(way, "plain", 1, stages=((8, 6, 30), (15, 3, 60)), seed=1)
    losses = [ClosedLoop(way).loss(rule) for rule in rules]
    assert len(rules) == 3
    assert losses == sorted(losses)
    assert losses[0] < 0.25


def test_a_fit_of_cells_that_is_not_to_proceed_returns_what_it_began_with(way):
    assert len(fit_cells(way, "gated", 1, stages=((15, 4, 50),), proceed=lambda: False)) == 4
