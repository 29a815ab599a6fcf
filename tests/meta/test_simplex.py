"""Tuning without gradients: it finds what is known to be best, with the trials that it was given."""

import math
from dataclasses import asdict

import numpy as np
import pytest
import torch

from l2o_core import meta, models, tasks
from l2o_core.errors import ConfigError
from l2o_core.meta.reference import DIVERGED, Reference, mean_and_end
from l2o_core.meta.simplex import from_logarithm, minimise, to_logarithm
from l2o_core.models import RP, Equation

P1 = tasks.load("p1")
FEW = {"steps": 30, "instances": 4}


def test_the_lowest_point_of_a_bowl():
    lowest, calls = np.array([1.0, -2.0, 0.5]), []

    def bowl(points):
        calls.append(len(points))
        return [float(((point - lowest) ** 2).sum()) for point in points]

    tried = minimise(bowl, np.zeros(3), trials=300, seed=1)
    point, value = min(tried, key=lambda pair: pair[1])
    assert value < 1e-3
    assert np.allclose(point, lowest, atol=0.05)
    assert tried[0][0].tolist() == [0, 0, 0]
    assert sum(calls) == len(tried) <= 300
    assert len(calls) < 200  # many at a time


@pytest.mark.parametrize("trials", [1, 2, 7, 40])
def test_never_more_trials_than_allowed(trials):
    tried = minimise(lambda points: [float(abs(p).sum()) for p in points], np.ones(6), trials=trials)
    assert 1 <= len(tried) <= trials


def test_a_failing_objective_is_heard():
    calls = []

    def failing(points):
        calls.append(points)
        if len(calls) == 4:
            raise ConfigError("no")
        return [1.0] * len(points)

    with pytest.raises(ConfigError, match="no"):
        minimise(failing, np.zeros(2), trials=50)


def test_the_best_rate_of_gradient_descent():
    tuned, history = meta.tune_without_gradients("-0.0001 * g", P1, trials=40, spread=2.0, **FEW)
    rates = np.geomspace(1e-4, 0.1, 60)
    losses = meta.evaluate_rules([f"-{rate} * g" for rate in rates], P1, **FEW)
    reference = Reference.of(meta.evaluate_rules(["-0.0001 * g"], P1, **FEW)[0])
    assert history.best[1] <= 1.02 * reference.compare(losses).exp().min().item()
    found = reference.compare(meta.evaluate_rules([tuned.equation], P1, **FEW))
    assert found.exp().item() == pytest.approx(history.best[1], rel=1e-4)
    assert history.losses[0] == pytest.approx(1)
    assert len(history.losses) <= 40


def test_the_same_seed_finds_the_same_and_the_given_rule_stays():
    rule = Equation("p = 0.9 * p[1] + g; -0.001 * p")
    (first, one), (second, two) = (
        meta.tune_without_gradients(rule, [P1, tasks.load("p1", dim=4)], trials=25, seed=3, **FEW)
        for _ in range(2)
    )
    assert str(first.equation) == str(second.equation)
    assert asdict(one) | {"seconds": 0} == asdict(two) | {"seconds": 0}
    assert rule.equation.constants == pytest.approx((0.9, -0.001))
    assert one.best[1] < 1


def test_only_some_coefficients():
    text = "p = beta * p[1] + (1 - beta) * g; -lr * p"
    rule = Equation(text, {"beta": 0.9, "lr": 0.001})
    tuned, _ = meta.tune_without_gradients(rule, P1, trials=20, only=["lr"], **FEW)
    assert tuned.constants.tolist() == [1.0]
    beta, lr = tuned.coefficients.tolist()
    assert beta == pytest.approx(0.9)
    assert lr > 0.001


@pytest.mark.parametrize(
    ("rule", "options", "message"),
    [
        ("-0.1 * g", {"trials": 0}, "trials must be a whole number, 1 or more"),
        ("-0.1 * g", {"only": ["lr"]}, "no coefficient 'lr'"),
    ],
)
def test_what_cannot_be_tuned(rule, options, message):
    with pytest.raises(ConfigError, match=message):
        meta.tune_without_gradients(rule, P1, **options)


@pytest.mark.parametrize("value", [0.001, -3.0, 0.9, 0.999, 1.0, 0.3, -0.7])
def test_constants_and_their_logarithms(value):
    assert from_logarithm(to_logarithm(value), like=value) == pytest.approx(value)
    assert math.copysign(1, from_logarithm(-3.0, like=value)) == math.copysign(1, value)


def test_a_run_as_a_fraction_of_another():
    losses = torch.tensor([[4.0, 2.0, 1.0], [6.0, 4.0, 3.0]])
    assert [part.item() for part in mean_and_end(losses)] == [2.5, 2.0]
    below = Reference.of(losses - 2)
    assert below.floor < -1
    worth = below.compare(torch.stack([losses - 2, losses - 3, losses * math.nan, losses * math.inf]))
    assert worth[0].item() == pytest.approx(0, abs=1e-6)
    assert worth[1] < 0
    assert worth[2:].tolist() == [DIVERGED] * 2
    diverged = Reference.of(losses * torch.tensor([1, 1, math.nan]))
    assert (diverged.mean, diverged.end) == pytest.approx((5.05, 5.05))


@pytest.mark.parametrize("constant", [-1e-15, 3e15, 0.9999999, 0.1])
def test_the_given_constants_are_a_point_to_the_last_digit(constant):
    rule = Equation("p = a * p[1] + g; -0.001 * p", {"a": constant})
    tuned, _ = meta.tune_without_gradients(rule, P1, trials=1, steps=2)
    assert torch.equal(tuned.coefficients, rule.coefficients)
    assert torch.equal(tuned.constants, rule.constants)
    beyond = from_logarithm(to_logarithm(constant) + 0.1, like=constant)
    assert beyond != constant  # there is a way from there


def test_a_rule_of_n_hat_is_tuned_as_its_teacher_computes_it():
    teacher = models.RPSmallExtra()
    with torch.no_grad():
        teacher.features.k.copy_(torch.tensor([0.8, 0.3]))
        teacher.features.alpha.copy_(torch.tensor([0.4, 0.1]))
    rule = Equation.distilled("-0.001 * n_hat - 0.0001 * g_hat", teacher)
    tuned, history = meta.tune_without_gradients(rule, P1, trials=25, **FEW)
    assert tuned.features.hyperparameters() == rule.features.hyperparameters()
    given, found = (meta.evaluate(each, P1, **FEW) for each in (rule, tuned))
    worth = Reference.of(given).compare(found[None]).exp().item()
    assert history.best[1] == pytest.approx(worth, rel=1e-3)
    assert history.best[1] < 1


def test_the_tuned_rule_has_the_options_of_the_given_one():
    options = {"beta1": 0.9, "beta2": 0.999, "eps": 5.0, "bias_correction": False, "total_steps": 30}
    rule = Equation("-0.1 * m_hat * ld", **options)
    tuned, history = meta.tune_without_gradients(rule, P1, trials=25, **FEW)
    assert tuned.features == rule.features
    given, found = (meta.evaluate(each, P1, **FEW) for each in (rule, tuned))
    worth = Reference.of(given).compare(found[None]).exp().item()
    assert history.best[1] == pytest.approx(worth, rel=1e-3)
    assert history.best[1] < 1


def test_far_below_the_reference_lower_is_still_better():
    """As on an attack, whose loss has no floor: a rule that hardly moves measures badly those that do."""
    reference = Reference.of(torch.tensor([[-0.70, -0.72, -0.75]]))
    ends = torch.tensor([-0.72, -0.75, -0.755, -0.76, -1.0, -2.0, -30.0, math.nan, -math.inf])
    worth = reference.compare(torch.stack([torch.tensor([-0.7, -0.7, end]) for end in ends])[:, None])
    assert (worth[:7].diff() < -0.1).all()
    assert worth[7:].tolist() == [DIVERGED, DIVERGED]


def test_a_network_is_no_rule():
    with pytest.raises(ConfigError, match="a rule is text, an Expression or a System, not an object of RP"):
        meta.tune_without_gradients(RP(), P1)
