"""SOL's equations: read out exactly, shorter with every fraction, and run as optimizers."""

import pytest
import torch
from l2o_book import sol_equations

from l2o_core import meta, models, tasks
from l2o_core.expressions import parse
from l2o_core.optim import SymbolicOptimizer


@pytest.fixture(scope="module")
def reading():
    torch.manual_seed(0)
    sol = models.SOL(total_steps=20, scale=0.01)
    return sol, sol_equations.read_out(sol, tasks.load("digits"), [0.0, 0.3], samples=200, steps=20, seed=0)


def test_the_equation_is_the_network(reading):
    sol, found = reading
    assert found.difference < 1e-5
    assert found.nodes == sol.equation.complexity


def test_more_is_pruned_at_a_higher_fraction(reading):
    whole, cut = reading[1].pruned
    assert cut.complexity < whole.complexity <= reading[1].nodes


def test_the_unpruned_equation_takes_the_steps_of_the_network(reading):
    sol, found = reading
    task, options = tasks.load("digits"), {"steps": 20, "instances": 2, "seed": 3}
    theirs = meta.evaluate(sol, task, **options)
    ours = meta.evaluate(sol_equations.optimizer(found.pruned[0], 20), task, **options)
    torch.testing.assert_close(ours, theirs, rtol=1e-2, atol=1e-2)  # constants have three digits


def test_it_runs_as_an_optimizer_of_pytorch(reading):
    equation = sol_equations.optimizer(reading[1].pruned[1], 20)
    x = torch.nn.Parameter(torch.ones(3))
    optimizer = SymbolicOptimizer.of(equation, [x])
    x.square().sum().backward()
    optimizer.step()
    assert not torch.equal(x.detach(), torch.ones(3))


def test_the_shortest_of_those_that_are_good_enough_is_taken():
    rules = [parse(text) for text in ("g + m + v + ad", "g + m", "g")]
    assert sol_equations.shortest(rules, [0.9, 0.895, 0.7], within=0.01) == 1
    assert sol_equations.shortest(rules, [0.9, 0.895, 0.7], within=0.001) == 0
    assert sol_equations.shortest(rules, [-0.9, -0.895, -0.7], within=1) == 2


def test_the_first_fraction_prunes_nothing():
    assert sol_equations.fractions(1) == [0.0]
    assert sol_equations.fractions(3) == [0.0, 0.03, 0.5]
