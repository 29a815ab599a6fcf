"""Hand-made rules as contestants: the zoo's equations, at the learning rate that is best elsewhere."""

import math

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


def test_the_best_rate_wins_and_a_run_that_diverged_loses():
    losses = {0.01: 2.0, 0.1: 0.5, 1.0: math.nan}
    found, rate = baselines.tuned("sgd", lambda rules: list(losses.values())[: len(rules)], list(losses))
    assert rate == 0.1
    assert found.constants[0].item() == pytest.approx(0.1)


def test_rates_are_spread_evenly_on_a_log_scale():
    assert baselines.rates(-2, 0, 2) == [0.01, 0.0316, 0.1, 0.316, 1.0]


def test_several_rules_are_tuned_at_once():
    rules = {"SGD": ("sgd", -2, 0), "Adam, linear decay": ("adam", -3, -1, "ld")}
    found = baselines.tuned_each(rules, lambda tried: [*range(len(tried), 0, -1)], 1, total_steps=10)
    assert {label: rate for label, (_, rate) in found.items()} == {"SGD": "1", "Adam, linear decay": "0.1"}
    assert "ld" in str(found["Adam, linear decay"][0].equation)
