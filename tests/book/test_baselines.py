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
    "lion": ("k = 0.99 * k[1] + 0.01 * g; -0.05 * sign(0.9 * k[1] + 0.1 * g)", {}),
    "signsgd": ("-0.05 * sg", {}),
    "rmsprop_momentum": (
        "0.9 * u[1] - 0.05 * g / (sqrt(v) + 1e-8)",
        {"beta2": 0.99, "bias_correction": False},
    ),
    "cautious_adamw": (
        "d = m / (sqrt(v) + 1e-8); -0.05 * d * relu(sign(d * g))",
        {"beta1": 0.9, "beta2": 0.999},
    ),
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


def test_the_memory_of_a_rule_is_of_what_it_computes_before_its_rate():
    task, run = tasks.load("p1"), {"steps": 30, "instances": 3, "seed": 0}
    options = {"beta2": 0.99, "bias_correction": False, "total_steps": 30}
    falling = models.Equation("d = 0.9 * d[1] - g / (sqrt(v) + 1e-8); 0.05 * ld * d", **options)
    found = meta.evaluate(baselines.rule("rmsprop_momentum", 0.05, times="ld", total_steps=30), task, **run)
    torch.testing.assert_close(found, meta.evaluate(falling, task, **run), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "usual"),
    [
        ("sgd", {"lr": 0.01}),
        ("momentum", {"lr": 0.01, "beta1": 0.9}),
        ("rmsprop", {"lr": 0.01, "beta2": 0.99}),
        ("adam", {"lr": 0.001, "beta1": 0.9, "beta2": 0.999}),
        ("powsign_ld", {"lr": 0.01, "beta1": 0.9}),
        ("lion", {"lr": 1e-4, "beta1": 0.9, "beta2": 0.99}),
    ],
)
def test_all_rates_of_a_rule_are_tuned_beginning_with_the_usual_ones(name, usual):
    assert baselines.HandMade(name, -3, 0).usual == usual
    assert baselines.HandMade(name, -3, 0, rate_only=True).usual == {"lr": usual["lr"]}
    assert baselines.first(baselines.HandMade(name, -3, 0), 5)[0] == usual


def test_at_first_rates_are_even_on_a_log_scale_and_the_same_in_every_run():
    hand_made = baselines.HandMade("momentum", -2, 0)
    tried = baselines.first(hand_made, 17)
    assert tried == baselines.first(hand_made, 17)
    rates = np.log10([one["lr"] for one in tried[1:]])
    assert [np.sum((low <= rates) & (rates < low + 0.5)) for low in (-2, -1.5, -1, -0.5)] == [4] * 4
    assert all(one["beta1"] == 0.9 for one in tried)


def test_then_all_constants_vary_near_the_best_rate():
    tried = baselines.second(baselines.HandMade("adam", -3, 0), 0.01, 16)
    rates, memory = np.log10([one["lr"] for one in tried]), np.log10([1 - one["beta2"] for one in tried])
    assert [np.sum((low <= rates) & (rates < low + 0.5)) for low in (-2.5, -2)] == [8] * 2
    assert [np.sum((low <= memory) & (memory < low + 1)) for low in (-3, -2)] == [8] * 2
    assert all(0.49 < one["beta1"] < 0.991 for one in tried)
    alone = baselines.second(baselines.HandMade("adam", -3, 0, rate_only=True), 0.01, 16)
    assert all(one.keys() == {"lr"} for one in alone)


def test_a_rule_that_sums_gradients_keeps_the_length_of_its_steps():
    tried = baselines.second(baselines.HandMade("momentum", -3, 0), 0.01, 16)
    for one in tried:
        assert 0.03 < one["lr"] / (1 - one["beta1"]) < 0.32
    averaged = baselines.second(baselines.HandMade("lion", -3, 0), 0.01, 16)
    assert min(one["lr"] for one in averaged) > 0.0031


@pytest.mark.parametrize("trials", [1, 2, 3, 8])
def test_every_rule_has_as_many_trials_and_the_best_wins(trials):
    names = ("sgd", "adam", "momentum")
    rules = {name: baselines.HandMade(name, -3, -1) for name in names}
    rules["rate only"] = baselines.HandMade("adam", -3, -1, rate_only=True)
    tried = []

    def losses(equations):
        values = [abs(math.log10(abs(one.constants[0].item())) + 1.7) for one in equations]
        tried.extend(zip(equations, values, strict=True))
        return values

    found = baselines.tuned(rules, losses, trials)
    assert len(tried) == 4 * trials
    for number, label in enumerate(rules):
        own = tried[number * trials : (number + 1) * trials]
        best, _ = min(own, key=lambda one: one[1])
        assert found[label].equation.constants[0] == best.constants[0]
        assert found[label].constants["lr"] == pytest.approx(best.constants[0].item())


def test_a_run_that_diverged_loses_and_what_is_no_better_does_not_replace_the_usual():
    def losses(equations):
        usual = [str(one.equation).startswith("0.001 ") for one in equations]
        return [3.0 if is_usual else math.nan for is_usual in usual]

    found = baselines.tuned({"Adam": baselines.HandMade("adam", -3, -1)}, losses, 8)
    assert found["Adam"].constants == {"lr": 0.001, "beta1": 0.9, "beta2": 0.999}


def test_betas_are_those_that_were_tried():
    found = baselines.tuned(
        {"Adam": baselines.HandMade("adam", -3, -1)},
        lambda equations: [one.features.beta2 for one in equations],
        8,
    )
    assert found["Adam"].constants["beta2"] == found["Adam"].equation.features.beta2 < 0.95


def test_what_is_not_tuned_is_given():
    rules = {"Adam, linear decay": baselines.HandMade("adam", -3, -1, "ld")}
    found = baselines.tuned(rules, lambda tried: range(len(tried)), 2, total_steps=10)
    assert "ld" in str(found["Adam, linear decay"].equation.equation)
    assert found["Adam, linear decay"].equation.features.total_steps == 10


def test_constants_are_written_for_a_table():
    assert baselines.text({"lr": 0.0123, "beta1": 0.9375}) == r"rate 0.0123, $\beta_1$ 0.9375"


def test_factors_leave_out_what_is_tried_already():
    assert baselines.factors(10, 4) == [0.1, 0.316, 3.16, 10.0]
    assert baselines.factors(10, 2) == [0.1, 10.0]
    assert baselines.factors(10, 3) == [0.1, 0.464, 2.15]
    assert baselines.factors(10, 0) == []
