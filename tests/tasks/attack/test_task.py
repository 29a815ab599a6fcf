"""Attacks as optimizees: what training on them takes, projection included."""

import pytest
import torch

from l2o_core import meta, models
from l2o_core.errors import ConfigError
from l2o_core.meta import adjoint
from l2o_core.meta.rollout import Rollout
from l2o_core.meta.sampling import stratified
from l2o_core.tasks.attack import Attack, follow


@pytest.fixture
def task(defence):
    return Attack(defence, epsilon=0.15, part="train", random_start=True)


def test_a_rollout_goes_where_the_attack_goes(task):
    rule = models.Equation("-0.3 * m_hat")
    rollout = Rollout.start(rule, task, seed=1, instances=4)
    target, start = next(rollout.batches), rollout.params.clone()
    for _ in range(5):
        rollout.step(rule)
    found = follow(rule, target, steps=5, start=start)
    torch.testing.assert_close(rollout.params, found.last)
    assert rollout.params.abs().max() <= 1


def test_the_meta_gradient_goes_through_the_projection(task):
    rule, steps = models.Equation("-0.4 * m_hat - 2.0 * g"), 4
    weights = torch.tensor([0.1, 0.2, 0.3, 0.4])
    rollout = Rollout.start(rule, task, seed=2, instances=3)
    target, start = next(rollout.batches), rollout.params.clone()
    sample = stratified(task, 3, 1.0, torch.Generator(), rollout.gradient)
    adjoint.backward(rule, adjoint.unroll(rule, rollout, steps, sample), weights)
    (ours,) = [parameter.grad.clone() for parameter in rule.parameters()]

    z, state, objective = start, rule.init_state(start.view(-1)), 0.0
    for weight in weights:
        gradient = target.evaluate(z)[1]
        update, state = rule(gradient.view(-1), state)
        z = target.project(z + update.view_as(z))
        objective = objective + weight * target.losses(z).sum()
    (expected,) = torch.autograd.grad(objective, list(rule.parameters()))
    torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-5)
    assert (z.detach().abs() == 1).any()  # something was projected


def test_a_rule_learns_to_attack(task):
    rule = models.Equation("-0.01 * sign(g)")
    options = {"epochs": 8, "steps": 10, "unroll": 5, "instances": 16, "lr": 0.05, "progress": False}
    meta.meta_train(rule, task, validate_every=4, validation_instances=16, **options)
    assert rule.constants.abs().max() > 0.05


def test_what_makes_no_sense_is_refused(defence):
    with pytest.raises(ConfigError, match="nothing to attack at 0"):
        Attack(defence, epsilon=0)
    with pytest.raises(ConfigError, match="unknown loss"):
        Attack(defence, loss="margin")
    with pytest.raises(ConfigError, match="unknown part"):
        Attack(defence, part="all")


@pytest.mark.parametrize("text", ["-0.3 * m_hat", "-0.5 * sign(g) - 0.2 * theta"])
def test_every_way_to_run_a_rule_is_the_same(task, text):
    rule, options = models.Equation(text), {"steps": 4, "instances": 3, "seed": 1}
    alone = meta.evaluate(rule, task, **options)
    torch.testing.assert_close(meta.evaluate_rules([text, "-g"], task, **options)[0], alone)
    rollout = Rollout.start(rule, task, seed=1, instances=3)
    found = follow(rule, next(rollout.batches), steps=4, start=rollout.params.clone())
    torch.testing.assert_close(found.losses.T, alone)
