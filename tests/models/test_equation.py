"""An equation as a model does what the equation says."""

import math

import numpy as np
import pytest
import torch

from l2o_core import models
from l2o_core.errors import ConfigError, ExpressionError
from l2o_core.expressions import parse, var
from l2o_core.optim import zoo
from tests.models.running import run


@pytest.fixture
def gradients():
    return torch.randn(7, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_lags_read_the_past_and_zero_before_it(gradients):
    updates = run(models.Equation("-0.1 * g - 0.2 * g[2]").double(), gradients)
    past = torch.cat([torch.zeros(2, 4, dtype=torch.float64), gradients[:-2]])
    torch.testing.assert_close(updates, -0.1 * gradients - 0.2 * past, rtol=1e-7, atol=1e-8)


def test_adam_as_an_equation_is_torch_adam(gradients):
    x = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    adam, rule = (
        torch.optim.Adam([x], lr=0.1),
        models.Equation("-0.1 * m / (sqrt(v) + 1e-8)", beta1=0.9, beta2=0.999),
    )
    updates = run(rule.double(), gradients)
    for g, update in zip(gradients, updates, strict=True):
        before, x.grad = x.detach().clone(), g
        adam.step()
        torch.testing.assert_close(x.detach() - before, update, rtol=1e-6, atol=1e-9)


def test_trained_constants_are_read_back_as_an_equation():
    model = models.Equation("-0.5 * g + 0.25")
    model.constants.data.copy_(torch.tensor([-1.5, 0.75]))
    assert str(model.equation) == str(models.Equation("-1.5 * g + 0.75").rule)


def test_a_rule_without_variables_still_moves_every_coordinate(gradients):
    assert torch.equal(run(models.Equation("0.5").double(), gradients), torch.full_like(gradients, 0.5))


def test_unknown_features_are_refused():
    with pytest.raises(ConfigError, match="unknown feature 'q'"):
        models.Equation("q[0] + g")


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (
            "adam",
            r"'adam'; for a rule of the zoo, give optim.zoo.get\('adam'\).equation, .*SymbolicOptimizer$",
        ),
        ("-c * g", "'c'; a number is named .*given as coefficients={'c': ...}; features are g, m, v"),
        ("-0.1 * M_hat", r"'M_hat'; .*coefficients={'M_hat': ...}; did you mean 'm_hat'\?$"),
        ("momentum = g; momentun[1] + momentum", r"'momentun'; .*; did you mean 'momentum'\?$"),
    ],
)
def test_a_name_without_a_value_is_told_how_to_get_one(rule, message):
    with pytest.raises(ConfigError, match=f"unknown feature {message}"):
        models.Equation(rule)


def test_the_equation_of_a_rule_of_the_zoo_is_one(gradients):
    updates = run(models.Equation(zoo.get("adam").equation, {"eps": 0.5}).double(), gradients)
    torch.testing.assert_close(
        updates, run(models.Equation("-m / (sqrt(v) + 0.5)").double(), gradients), rtol=1e-7, atol=1e-8
    )


def test_an_equation_of_n_hat_computes_it_as_its_teacher_does(tmp_path):
    teacher = models.RPSmallExtra(beta1=0.8)
    with torch.no_grad():
        teacher.features.alpha += 0.3
    rule = models.Equation.distilled("-0.01 * n_hat[0] - 0.02 * m_hat[1]", teacher)
    g = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    state, seen, past = rule.init_state(g[0]), teacher.features.init(g[0]), torch.zeros(3)
    for now in g:
        update, state = rule(now, state)
        features, seen = teacher.features.step_dict(now, seen)
        torch.testing.assert_close(update, -0.01 * features["n_hat"] - 0.02 * past)
        past = features["m_hat"]
    again = models.load(models.save(tmp_path / "rule.safetensors", rule))
    assert torch.equal(again.features.alpha, teacher.features.alpha)


RECURRENT = [
    "0.9 * u[1] - 0.2 * u[3] - 0.1 * m_hat[1]",
    "p = 0.9 * p[1] + 0.1 * g; q = max(q[1], g^2); -0.1 * p / (sqrt(q) + 1e-8)",
    "p = q[1]; q = p[1] + g[2]; r = p + q[2] + u[1]; -0.1 * tanh(r) + 0.1 * r[2]",
    "p = t; q = 0.1 + q[1]; -p * q",
]


@pytest.mark.parametrize("rule", ["-0.1 * g", "-0.1 * g - 0.2 * tanh(m[2]) * m[1]", *RECURRENT])
@pytest.mark.parametrize("state_dtype", [None, torch.float16])
def test_advancing_in_place_is_the_same(rule, state_dtype):
    model = models.Equation(rule)
    g = torch.randn(6, 20_000, generator=torch.Generator().manual_seed(0))  # more than two blocks
    expected = run(model, g)
    state = model.init_state(g[0], state_dtype)
    buffers = {part.data_ptr() for part in state if part.dim()}
    for now, before in zip(g, expected, strict=True):
        update, state = model.advance(now, state)
        torch.testing.assert_close(update, before, atol=2e-4 if state_dtype else 1e-7, rtol=1e-6)
    assert {part.data_ptr() for part in state if part.dim()} == buffers


@pytest.mark.parametrize("rule", RECURRENT)
def test_a_rule_with_a_memory_computes_each_value_in_turn(rule, gradients):
    """The whole past of features and of the rule's own values is kept, and read."""
    model = models.Equation(rule).double()
    features, equations = model.features, model.equation.equations
    state, past, want = features.init(gradients[0]), [], []
    for g in gradients:
        now, state = features.step_dict(g, state)
        for name, value in equations:
            inputs = now | {
                str(v): past[-v.lag][v.name] if v.lag <= len(past) else torch.zeros_like(g)
                for v in value.variables
                if v.lag
            }
            now[name] = value.evaluate(inputs | {"": g})
        past.append(now)
        want.append(now["u"].expand_as(g))
    torch.testing.assert_close(run(model, gradients), torch.stack(want), rtol=1e-7, atol=1e-9)


def test_momentum_is_a_rule_that_reads_its_own_update(gradients):
    x = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    momentum = torch.optim.SGD([x], lr=0.1, momentum=0.9)
    updates = run(models.Equation("0.9 * u[1] - 0.1 * g").double(), gradients)
    for g, update in zip(gradients, updates, strict=True):
        before, x.grad = x.detach().clone(), g
        momentum.step()
        torch.testing.assert_close(x.detach() - before, update, rtol=1e-6, atol=1e-7)


def test_trained_constants_of_a_system_are_read_back(tmp_path):
    model = models.Equation("p = c * p[1] + 0.5 * g; -0.25 * p", {"c": 0.75})
    model.constants.data.copy_(torch.tensor([1.5, -0.125]))
    assert str(model.equation) == "p = 0.75 * p[1] + 1.5 * g; -0.125 * p"
    again = models.load(models.save(tmp_path / "rule.safetensors", model))
    assert again.equation == model.equation


@pytest.mark.parametrize("rule", ["0.9 * u", "p = p + g; p", parse("u[0]"), var("u")])
def test_what_is_not_computed_yet_is_refused(rule):
    with pytest.raises(ExpressionError, match="one step ago"):
        models.Equation(rule)


@pytest.mark.parametrize("state_dtype", [None, torch.float16])
def test_theta_begins_as_it_is_given_and_moves_with_the_updates(gradients, state_dtype):
    model = models.Equation("w = theta; 0.9 * (theta - w[1]) - 0.1 * g[1] - 0.01 * theta").double()
    theta, before = torch.ones(4, dtype=torch.float64), torch.zeros(4, dtype=torch.float64)
    state, past = model.init_state(theta, state_dtype), torch.zeros(4, dtype=torch.float64)
    for g in gradients:
        want = 0.9 * (theta - before) - 0.1 * past - 0.01 * theta
        update, state = model.advance(g, state)
        torch.testing.assert_close(
            update, want, rtol=1e-3 if state_dtype else 1e-6, atol=1e-3 if state_dtype else 1e-7
        )
        theta, before, past = theta + update, theta, g
    assert torch.equal(state[-1], theta)


@pytest.mark.parametrize("name", ["u", "theta", "p"])
def test_a_coefficient_cannot_have_a_name_of_the_rule(name):
    with pytest.raises(ConfigError, match=f"{name} has its value from the rule"):
        models.Equation("p = 0.5 * p[1] + g; u[1] - p - theta", {name: 0.1})


@pytest.mark.parametrize(
    ("rule", "coefficients", "message"),
    [
        ("-g", {"g": 0.5}, "g is a feature: give the coefficient another name"),
        ("-c * m_hat", {"m_hat": 0.5, "c": 2.0}, "m_hat is a feature: give the coefficient another name"),
        ("-g", {"c": 0.5}, "the coefficient c has no use; leave it out"),
        ("-g", {"beta1": 0.5}, r"the coefficient beta1 has no use; give it by keyword, beta1=\.\.\."),
        ("-gamma * g", {"gama": 0.5}, r"the coefficient gama has no use; did you mean 'gamma'\?"),
        ("-c * g", {"c": math.nan}, "the coefficient c must be a finite number, not nan"),
        ("-c * g", {"c": -math.inf}, "the coefficient c must be a finite number, not -inf"),
        ("-c * g", {"c": 10**400}, "the coefficient c must be a finite number"),
        ("-c * g", {"c": "0.5"}, "the coefficient c must be a finite number, not '0.5'"),
        ("-c * g", {"c": torch.ones(2)}, "the coefficient c must be a finite number"),
        ("-c * g", {3: 0.5}, "coefficients must be numbers by name, not 3: 0.5"),
        ("-c * g - c[1]", {"c": 0.5}, "c is a coefficient, which has no past"),
        ("-c * g", [0.5], "coefficients must be numbers by name"),
    ],
)
def test_a_coefficient_is_a_finite_number_of_a_name_without_a_value(rule, coefficients, message):
    with pytest.raises(ConfigError, match=message):
        models.Equation(rule, coefficients)
    if not isinstance(coefficients, list):
        with pytest.raises(ConfigError, match=message):
            models.Equation.distilled(rule, models.RPSmall(), coefficients)


def test_coefficients_of_other_packages_are_numbers():
    given = {"a": np.float64(0.5), "b1": torch.tensor(0.25), "c": 2}
    model = models.Equation("-a * g - b1 * m - c", given)
    assert model.options["coefficients"] == {"a": 0.5, "b1": 0.25, "c": 2}
    assert model.coefficients.tolist() == [0.5, 0.25, 2.0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"total_steps": -5}, "total_steps must be 1 or more, not -5"),
        ({"total_steps": 0}, "total_steps must be 1 or more, not 0"),
        ({}, "give total_steps, 1 or more"),
        ({"total_steps": 5, "eps": -1.0}, "eps must be 0 or larger, not -1.0"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        models.Equation("-ld * g_hat", **options)


def test_a_distilled_rule_computes_features_as_its_teacher_does():
    options = {"beta1": 0.9, "beta2": 0.99, "eps": 0.1, "bias_correction": False, "total_steps": 7}
    rule = "-0.1 * m_hat * ld"
    assert (
        models.Equation.distilled(rule, models.Equation("-0.2 * m_hat", **options)).options
        == {"rule": rule} | options
    )
    assert models.Equation.distilled("-0.1 * ad * ld", models.SOL(total_steps=20)).features.eps == 1e-8
    assert models.Equation.distilled("-0.1 * m_hat", models.RPSmallExtra(beta1=0.5)).features.beta1 == 0.5
