"""Other sources of a meta-gradient: a teacher, and evolution."""

from itertools import repeat

import numpy as np
import pytest
import torch

from l2o_core import models, tasks
from l2o_core.errors import ConfigError
from l2o_core.meta import estimators, evaluate
from l2o_core.meta.estimators import PES, TBPTT, Imitation

P1 = tasks.load("p1")


def gradients(estimator, *unrolls):
    estimator.optimizer.zero_grad()
    losses = [estimator.unroll(steps) for steps in unrolls]
    return losses, [p.grad.clone() for p in estimator.optimizer.parameters()]


def test_a_learner_that_is_the_teacher_has_nothing_to_learn():
    _, (gradient,) = gradients(Imitation(estimators.adam(0.01), P1, seed=0, instances=3), 5, 5)
    torch.testing.assert_close(gradient, torch.zeros(1), atol=1e-6, rtol=0)


def test_imitation_pulls_by_the_difference_to_the_teacher():
    """An Adam of twice the step differs by one step: cost 1/2 u^2 / mean u^2, slope 1 in units of 0.01."""
    _, (gradient,) = gradients(Imitation(estimators.adam(0.02), P1, seed=0, instances=3), 5)
    torch.testing.assert_close(gradient, torch.tensor([-1 / 0.01]), rtol=1e-4, atol=0)


def test_imitation_follows_the_teachers_trajectory():
    learner = models.DM(hidden=3, layers=1)
    losses, _ = gradients(Imitation(learner, P1, seed=4, instances=3), 5, 5)
    want = evaluate(estimators.adam(0.01), P1, steps=10, instances=3, seed=4)[:, 1:]
    assert losses == pytest.approx([want[:, :5].mean().item(), want[:, 5:].mean().item()], rel=1e-5)


def test_imitation_carries_the_learners_memory_over_unrolls():
    learner = models.DM(hidden=3, layers=1)
    _, once = gradients(Imitation(learner, P1, seed=4, instances=3), 10)
    parts = Imitation(learner, P1, seed=4, instances=3)
    gradients(parts, 5)
    whole = Imitation(learner, P1, seed=4, instances=3)
    gradients(whole, 10)
    assert len(once) == len(list(learner.parameters()))
    gradients(parts, 5)
    for a, b in zip(parts.state, whole.state, strict=True):
        torch.testing.assert_close(a, b)


def test_pes_sees_through_the_truncation():
    """Over four unrolls of one step, its mean is the slope of the whole, by differences of the whole."""
    rule, step = "-0.01 * g", 1e-3

    def total(constant):
        model = models.Equation(rule)
        torch.nn.init.constant_(model.constants, constant)
        return evaluate(model, P1, steps=4, instances=2, seed=0)[:, 1:].mean().item() * 4

    want = (total(-0.01 + step) - total(-0.01 - step)) / (2 * step)
    model = models.Equation(rule)
    estimates = []
    for k in range(60):
        estimator = PES(model, P1, seed=0, instances=2)
        estimator.sigma = 1e-3
        estimator.noise_generator.manual_seed(k)
        estimates.append(gradients(estimator, 1, 1, 1, 1)[1][0])
    estimates = torch.cat(estimates)
    assert abs(estimates.mean() - want) < 4 * estimates.std() / 60**0.5
    assert abs(estimates.mean() - want) < 0.3 * abs(want)


def test_pes_leaves_the_weights_where_they_were():
    model = models.DM(hidden=3, layers=1)
    before = [p.detach().clone() for p in model.parameters()]
    gradients(PES(model, P1, seed=0), 2)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_a_rule_of_theta_cannot_imitate():
    with pytest.raises(ConfigError, match="a rule of theta cannot imitate"):
        Imitation(models.Equation("-g - theta"), P1, 0)


class Bowl(tasks.Task):
    """Half the square of one coordinate."""

    name, dataset = "bowl", "synthetic"
    layers = {"x": 1}  # noqa: RUF012 (read only)

    def init(self, generator, instances=1):
        return torch.randn(instances, 1, generator=generator)

    def batches(self, generator, instances=1):
        return repeat(())

    def loss(self, params, batch):
        return 0.5 * params.square().sum(-1)


def test_the_noise_of_pes_has_nothing_to_do_with_the_starting_points():
    """One step by -c x from N(0, 1): the mean loss (1 - c)^2 / 2 has the slope c - 1 in c."""
    estimates = []
    for seed in range(300):
        estimator = PES(models.Equation("-0.1 * g"), Bowl(), seed)
        start = estimator.rollouts[0][0].params.item()
        estimates.append(gradients(estimator, 1)[1][0].item())
        assert estimator.accumulators[0].item() / estimator.sigma != pytest.approx(start)
    mean, error = np.mean(estimates), np.std(estimates) / 300**0.5
    assert abs(mean - 0.9) < 3 * error  # u = constant * g: the slope in the constant, -c
    assert error < 0.1


class Boxed(Bowl):
    """The same from 2 to 3, where the bowl is highest on the left."""

    def project(self, params, batch):
        return params.clamp(2, 3)


def test_a_rule_of_theta_has_no_meta_gradient_through_constraints():
    rule = models.Equation("-0.1 * theta")
    with pytest.raises(ConfigError, match="no meta-gradient through the constraints of bowl"):
        TBPTT(rule, Boxed(), 0)
    losses, _ = gradients(PES(rule, Boxed(), 0), 3)
    assert losses == pytest.approx([2.0], rel=0.3)
