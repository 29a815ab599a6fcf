"""Hand-made rules as contestants: the zoo's equations, with the constants that are best elsewhere."""

import math

import numpy as np
import pytest
import torch
from l2o_book import baselines

from l2o_core import meta, models, tasks

TEXTS = {
    "sgd": ("-0.05 * g", {}),
    "momentum": ("-0.05 * b", {"beta1": 0.9}),
    "nesterov": ("-0.05 * (g + 0.9 * b)", {"beta1": 0.9}),
    "rmsprop": ("-0.05 * g / (sqrt(v) + 1e-8)", {"beta2": 0.99, "bias_correction": False}),
    "adam": ("-0.05 * m / (sqrt(v) + 1e-8)", {"beta1": 0.9, "beta2": 0.999}),
    "lion": ("-0.05 * sign(0.9 * m[1] + 0.1 * g)", {"beta1": 0.99, "bias_correction": False}),
    "signsgd": ("-0.05 * sg", {}),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_rule_of_the_zoo_is_what_its_author_wrote(name):
    text, options = TEXTS[name]
    task, run = tasks.load("p1"), {"steps": 30, "instances": 3, "seed": 0}
    want = meta.evaluate(models.Equation(text, **options), task, **run)
    found = meta.evaluate(baselines.rule(name, 0.05), task, **run)
    torch.testing.assert_close(found, want, rtol=1e-4, atol=1e-4)


def test_a_learning_rate_falls_along_the_run():
    task, run = tasks.load("p1"), {"steps": 30, "instances": 3, "seed": 0}
    falling = models.Equation("-0.05 * ld * g", total_steps=30)
    found = meta.evaluate(baselines.rule("sgd", 0.05, times="ld", total_steps=30), task, **run)
    torch.testing.assert_close(found, meta.evaluate(falling, task, **run), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "usual"),
    [
        ("sgd", {"lr": 0.01}),
        ("momentum", {"lr": 0.01, "beta1": 0.9}),
        ("rmsprop", {"lr": 0.01, "beta2": 0.99}),
        ("adam", {"lr": 0.001, "beta1": 0.9, "beta2": 0.999}),
        ("powsign_ld", {"lr": 0.01, "beta1": 0.9}),
    ],
)
def test_all_rates_of_a_rule_are_tuned_beginning_with_the_usual_ones(name, usual):
    assert baselines.HandMade(name, -3, 0).usual == usual
    assert baselines.HandMade(name, -3, 0, rate_only=True).usual == {"lr": usual["lr"]}
    assert baselines.constants(baselines.HandMade(name, -3, 0), 5)[0] == usual


@pytest.mark.parametrize("trials", [1, 2, 8, 30])
@pytest.mark.parametrize("rate_only", [False, True])
def test_every_rule_has_as_many_trials_within_the_ranges(trials, rate_only):
    tried = baselines.constants(baselines.HandMade("adam", -3.5, -1, rate_only=rate_only), trials)
    assert len(tried) == trials
    for one in tried[1:]:
        assert 10**-3.5 <= one["lr"] <= 0.1
        assert all(0.49 < one[beta] < 0.9991 for beta in one.keys() - {"lr"})


def test_trials_are_even_on_a_log_scale_and_the_same_in_every_run():
    hand_made = baselines.HandMade("momentum", -2, 0)
    tried = baselines.constants(hand_made, 33)
    assert tried == baselines.constants(hand_made, 33)
    rates = np.log10([one["lr"] for one in tried[1:]])
    memory = np.log10([1 - one["beta1"] for one in tried[1:]])
    assert [np.sum((low <= rates) & (rates < low + 0.5)) for low in (-2, -1.5, -1, -0.5)] == [8] * 4
    assert np.sum(memory < -1.65) == 16


def test_the_best_trial_wins_and_a_run_that_diverged_loses():
    rules = {"SGD": baselines.HandMade("sgd", -2, 0), "Adam": baselines.HandMade("adam", -3, -1)}
    asked = []

    def losses(equations):
        asked.append(len(equations))
        return [2.0, math.nan, 0.5, 1.0]

    found = baselines.tuned(rules, losses, 4)
    assert asked == [4, 4]
    for label, hand_made in rules.items():
        assert found[label].constants == baselines.constants(hand_made, 4)[2]
    best = found["Adam"]
    assert best.equation.features.beta2 == best.constants["beta2"]
    assert best.equation.constants[0].item() == pytest.approx(best.constants["lr"])


def test_the_usual_constants_stay_where_nothing_is_better():
    found = baselines.tuned({"Adam": baselines.HandMade("adam", -3, -1)}, lambda tried: [1.0] * len(tried), 8)
    assert found["Adam"].constants == {"lr": 0.001, "beta1": 0.9, "beta2": 0.999}


def test_what_is_not_tuned_is_given():
    rules = {"Adam, linear decay": baselines.HandMade("adam", -3, -1, "ld")}
    found = baselines.tuned(rules, lambda tried: range(len(tried)), 2, total_steps=10)
    assert "ld" in str(found["Adam, linear decay"].equation.equation)
    assert found["Adam, linear decay"].equation.features.total_steps == 10


def test_constants_are_written_for_a_table():
    assert baselines.text({"lr": 0.0123, "beta1": 0.9375}) == r"rate 0.0123, $\beta_1$ 0.9375"
