"""An equation as a model does what the equation says."""

import pytest
import torch

from l2o_core import models
from l2o_core.errors import ConfigError
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


@pytest.mark.parametrize("rule", ["-0.1 * g", "-0.1 * g - 0.2 * tanh(m[2]) * m[1]"])
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
