"""Mutations: whatever happens, a valid rule within its bounds comes out, and reads back as it was."""

import random

import pytest
import torch

from l2o_core import meta, tasks
from l2o_core.discovery.grammar import STATES, Grammar, explicit
from l2o_core.expressions import Expression, parse, parse_rule
from l2o_core.features import NAMES
from l2o_core.models import Equation
from l2o_core.optim import zoo

STARTS = [
    "-0.01 * g",
    "p = 0.9 * p[1] + 0.1 * g; -0.01 * p",
    "p = 0.9 * p[1] + 0.1 * g; q = 0.99 * q[1] + 0.01 * g^2; -0.01 * p / sqrt(q) + 0.5 * u[1]",
]


def test_a_thousand_mutations_are_rules_that_read_back():
    grammar, draw = Grammar(max_complexity=25), random.Random(0)
    family = [grammar.tidy(parse_rule(text).equations) for text in STARTS]
    seen = set()
    for _ in range(1000):
        parent, other = draw.choice(family[-50:]), draw.choice(family)
        child = grammar.mutate(parent, draw, other)
        if child is None:
            continue
        assert child.complexity <= 25
        assert parse_rule(str(child)) == child
        names = [name for name, _ in child.equations]
        assert names == [*STATES[: len(names) - 1], "u"]
        assert "g" in {variable.name for variable in child.variables}
        assert {variable.name for variable in child.variables} <= {"g", "t", "u"}
        assert grammar.tidy(child.equations) is not None
        assert len(names) <= 5
        Equation(child)
        family.append(child)
        seen.add(str(child))
    assert len(seen) > 600
    assert any(len(rule.equations) > 3 for rule in family)


def test_the_same_numbers_make_the_same_children():
    grammar, parent = Grammar(), parse_rule(STARTS[1])
    first, second = ([grammar.mutate(parent, draw) for _ in range(20)] for draw in map(random.Random, (7, 7)))
    assert first == second
    assert len({*first}) > 10


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("w = 2 * 3 * g; x = 0.5 * x[1] + g; -x", "p = g + 0.5 * p[1]; -p"),
        ("w = g; -0.5 * 2 * w", "p = g; -p"),
        ("w = x[1]; x = 0.5 * w + g; -x", "p = q[1]; q = g + 0.5 * p; -q"),
        ("0.1 * t", None),
        ("g * (t + 1) * (t + 2) * (t + 3)", None),
    ],
)
def test_tidy(text, expected):
    found = Grammar(max_complexity=10).tidy(parse_rule(text).equations)
    assert (found and str(found)) == expected


def test_no_valid_rule_out_of_order():
    grammar = Grammar()
    assert grammar.tidy([("p", parse("q")), ("q", parse("g")), ("u", parse("p"))]) is None
    assert grammar.tidy([("u", parse("u + g"))]) is None
    assert isinstance(grammar.tidy([("u", parse("0.5 * u[1] - g"))]), Expression)


@pytest.mark.parametrize(
    "text", ["-0.001 * m[0] - 0.001 * g[2]", "-0.01 * b[1]", "-0.01 * g / sqrt(s)", "0.001 * g_hat * v[1]"]
)
def test_explicit_averages_do_what_the_features_do(text):
    task, options = tasks.load("p1"), {"beta1": 0.8, "beta2": 0.9}
    features = Equation(text, bias_correction=False, eps=0.0, **options)
    expected = meta.evaluate(features, task, steps=12, instances=4)
    rule = explicit(parse(text), **options)
    assert {variable.name for variable in rule.variables} == {"g"}
    found = meta.evaluate_rules([rule], task, steps=12, instances=4)[0]
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", ["adam", "lion", "rmsprop_momentum", "cautious_adamw", "amsgrad"])
def test_rules_of_the_zoo_written_out(name):
    entry = zoo.get(name)
    numbers = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8, **entry.defaults}
    rule = explicit(entry.equation.substitute({k: v for k, v in numbers.items() if isinstance(v, float)}))
    read = {variable.name for variable in rule.variables}
    assert not read & {*NAMES} - {"g", "t"}
    assert parse_rule(str(rule)) == rule
