"""The largest step: found where theory has it, and never above what is proven."""

import math

import pytest
import torch

from l2o_core.certificates import largest_step
from l2o_core.certificates.recurrence import recurrence
from l2o_core.errors import ConfigError


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.9)])
def test_adams_is_the_one_of_cauchy_and_schwarz(betas):
    first, second = betas
    want = (1 - first) / math.sqrt((1 - second) * (1 - first**2 / second))
    found = largest_step("adam", beta1=first, beta2=second)
    assert found.found == pytest.approx(want, rel=1e-2)
    assert found.found < want * (1 + 1e-9)
    assert found.late
    assert found.bound == math.inf


def test_the_sequence_brings_the_step_about():
    found = largest_step("rmsprop")
    whole, past, steps = recurrence("rmsprop", {}), torch.zeros(1, 1, dtype=torch.float64), []
    for t, g in enumerate(found.gradients, start=1_000_000 if found.late else 1):
        values, past = whole.step(past, torch.tensor([g]), float(t))
        steps.append(abs(values["u"].item()))
    assert max(steps) == found.found
    assert found.found == pytest.approx(1 / math.sqrt(1 - 0.99), rel=1e-3)


@pytest.mark.parametrize(
    "rule", ["-g", "momentum", "-asinh(g)", "-sqrt(g)", "-exp(abs(g))", "p = p[1] + g; -p"]
)
def test_some_grow_with_the_gradient(rule):
    found = largest_step(rule)
    assert found.found == found.bound == math.inf
    assert str(found) == "grows with the gradient"


@pytest.mark.parametrize(
    ("rule", "want"),
    [
        ("lion", 1.0),
        ("signum", 1.0),
        ("-tanh(g) + 0.5 * tanh(g[1])", 1.5),
        ("p = 0.9 * p[1] + 0.1 * tanh(g); -2 * p", 2.0),
        ("p = 0.5 * p[1] - 0.5 * sign(g); p + u[1] / 4", 4 / 3),
        ("-sign(g) * (1 - 0.5^t)", 1.0),
        ("0 * g", 0.0),
    ],
)
def test_others_have_a_bound_that_gradients_reach(rule, want):
    found = largest_step(rule)
    assert found.found == pytest.approx(want, abs=1e-3)
    assert found.bound == pytest.approx(want, abs=1e-3)
    assert "whatever the gradients" in str(found)


def test_a_sum_of_steps_of_one_size_does_not_grow_with_the_gradient():
    found = largest_step("rmsprop_momentum")
    assert 80 < found.found < 100
    assert str(found).endswith("no bound was proven")


def test_what_is_proven_may_lie_above_what_is_found():
    found = largest_step("tanh(g) - tanh(2 * g)")
    assert found.found < 0.4
    assert found.bound == pytest.approx(2)
    assert "at most 2 x lr" in str(found)


def test_a_memory_that_climbs_has_no_bound():
    assert largest_step("p = 1.01 * p[1] + sign(g); -p").bound == math.inf
    assert largest_step("p = p[1] + sign(g); -p").bound == math.inf
    assert not largest_step("-g^3").runs_away


@pytest.mark.parametrize(
    "rule", ["p = 2 * p[1] + tanh(g); -p", "p = p[1] + (p[1] + tanh(g)) * relu(tanh(g) - 0.9) * 90; -p"]
)
def test_an_unstable_memory_is_named(rule):
    runaway = largest_step(rule)
    assert runaway.runs_away
    assert runaway.found == runaway.bound == math.inf
    assert "from step to step" in str(runaway)


def test_what_rises_towards_a_bound_does_not_grow_without_end():
    found = largest_step("-tanh(sqrt(sqrt(abs(g))) / 1e3)")
    assert 0.5 < found.found < found.bound == 1


@pytest.mark.parametrize("rule", ["p = 0.9 * p[1] + sign(g); q = 0.99 * q[1] - tanh(p); q - p[3]", "lion"])
def test_no_gradients_exceed_what_is_proven(rule):
    found, whole = largest_step(rule), recurrence(rule, {})
    gradients = torch.randn(300, 200, dtype=torch.float64).cauchy_()
    past = gradients.new_zeros(len(whole.slots), 200)
    for t, g in enumerate(gradients, start=1):
        values, past = whole.step(past, g, float(t))
        assert values["u"].abs().max() <= found.bound


def test_coefficients_need_values():
    with pytest.raises(ConfigError, match="needs a number for a"):
        largest_step("-a * g")
    assert largest_step("-a * sign(g)", a=3.0).found == 3
