"""Many rules side by side: each does what it does alone."""

import numpy as np
import pytest
import torch

from l2o_core import tasks
from l2o_core.errors import ConfigError
from l2o_core.expressions import parse_rule
from l2o_core.features import Features
from l2o_core.meta import evaluate, evaluate_rules, population
from l2o_core.meta.population import Population
from l2o_core.models import Equation

P1 = tasks.load("p1")
RULES = [
    "-0.003 * g",
    "p = 0.9 * p[1] + 0.1 * g; q = 0.99 * q[1] + 0.01 * g^2; -0.01 * p / (sqrt(q) + 1e-8)",
    "-0.01 * m_hat[0] - 0.01 * g_hat[2] / sqrt(t)",
    "-0.002 * g",
    "0.5 * u[1] + 0.1 * u[2] - 0.001 * g - 0.0001 * theta",
    "p = 0.8 * p[1] + 0.2 * g; q = 0.9 * q[1] + 0.1 * g^2; -0.02 * p / (sqrt(q) + 1e-8)",
    "-0.001 * sign(g[1]) - 0.001",
]


def alone(text: str, task: tasks.Task, steps: int) -> torch.Tensor:
    return evaluate(Equation(text), task, steps=steps, instances=3, seed=5)


@pytest.mark.parametrize("task", [P1, tasks.load("digits", batch=8)], ids=lambda task: task.name)
def test_rules_together_do_what_each_does_alone(task):
    together = evaluate_rules(RULES, task, steps=6, instances=3, seed=5)
    assert together.shape == (len(RULES), 3, 7)
    torch.testing.assert_close(together, torch.stack([alone(rule, task, 6) for rule in RULES]))


def test_in_parts_as_at_once(monkeypatch):
    whole = evaluate_rules(RULES, P1, steps=4, instances=2)
    monkeypatch.setattr(population, "COORDINATES", 3 * 2 * P1.n)
    torch.testing.assert_close(evaluate_rules(RULES, P1, steps=4, instances=2), whole)


def test_those_that_are_kept_go_on_as_if_nothing_had_happened():
    at_work = Population([parse_rule(rule) for rule in RULES], P1, instances=3, seed=5)
    at_work.run(3)
    at_work.keep([5, 2, 4, 6])
    at_work.run(2)
    at_work.keep([4, 2, 6])
    at_work.run(1)
    assert at_work.at_work == [2, 4, 6]
    torch.testing.assert_close(at_work.losses, torch.stack([alone(RULES[i], P1, 6) for i in (2, 4, 6)]))


def test_one_that_diverges_leaves_the_others_alone():
    losses = evaluate_rules(["-1e6 * g", RULES[0]], P1, steps=30, instances=3, seed=5)
    assert not losses[0].isfinite().all()
    torch.testing.assert_close(losses[1], alone(RULES[0], P1, 30))


def test_no_rules_and_a_name_without_a_value():
    assert evaluate_rules([], P1, steps=4).shape == (0, 1, 5)
    with pytest.raises(ConfigError, match="gamma is no feature"):
        evaluate_rules(["-gamma * g"], P1, steps=4)


def test_hyperparameters_of_the_features_by_name():
    options = {"beta1": 0.5, "eps": 0.1, "k1": 0.9, "alpha2": 0.0}
    found = evaluate_rules(["-0.01 * n_hat - 0.01 * m_hat"], P1, steps=5, seed=5, **options)[0]
    powers = (0.9, 0.5, 0.5, 0.5, 0.2, 0.0)
    read = Features(("n_hat", "m_hat"), beta1=0.5, eps=0.1, powers=powers)
    generator = P1.generator(5)
    params, batches = P1.init(generator, 1), P1.batches(generator, 1)
    state = read.init(params)
    for step in range(5):
        loss, gradient = P1.loss_and_gradient(params, next(batches))
        torch.testing.assert_close(found[:, step], loss)
        values, state = read.step(gradient, state)
        params = params - 0.01 * values.sum(-1)
    with pytest.raises(ConfigError, match="no hyper-parameter 'beta3'; did you mean 'beta"):
        evaluate_rules(["-g"], P1, steps=1, beta3=0.9)


@pytest.mark.parametrize("seed", [np.int64(3), np.uint8(250)])
def test_a_seed_may_be_any_integer(seed):
    rule, options = "-0.003 * g", {"steps": 2, "instances": 2}
    together = evaluate_rules([rule], P1, **options, seed=seed)[0]
    torch.testing.assert_close(together, evaluate_rules([rule], P1, **options, seed=int(seed))[0])
    torch.testing.assert_close(together, evaluate(Equation(rule), P1, **options, seed=seed))
    with pytest.raises(ConfigError, match="seed must be a whole number"):
        evaluate_rules([rule], P1, **options, seed=2.5)


@pytest.mark.parametrize("rules", ["-0.01 * g", parse_rule("-0.01 * g"), 3, None])
def test_a_single_rule_is_no_list(rules):
    with pytest.raises(ConfigError, match=r"rules must be a list of rules, not .*in brackets"):
        evaluate_rules(rules, P1, steps=1)


def test_a_model_is_no_rule_and_has_one():
    with pytest.raises(ConfigError, match=r"not an object of Equation; give its \.equation"):
        evaluate_rules([Equation("-0.01 * g")], P1, steps=1)
    with pytest.raises(ConfigError, match=r"not an object of int$"):
        evaluate_rules([3], P1, steps=1)
