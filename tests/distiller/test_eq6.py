"""Eq. 6 fitted to a rule at work."""

import numpy as np
import pytest
import torch

from l2o_core.distiller import Dataset, fit_eq6
from l2o_core.errors import ConfigError, DataError
from l2o_core.models import Equation
from l2o_core.optim import SymbolicOptimizer


@pytest.fixture
def data():
    random = np.random.default_rng(0)
    names = [f"{name}[{lag}]" for name in ("m_hat", "g_hat") for lag in range(3)]
    X = random.normal(size=(900, 6))
    y = -0.3 * (0.7 * np.tanh(X[:, 0] / 0.5) + 0.2 * np.tanh(X[:, 2] / 0.5) - 0.4 * np.tanh(X[:, 4] / 0.5))
    return Dataset(X, y, names, np.arange(900) // 30)


@pytest.mark.parametrize("name", ["gamma", "w1"])
def test_columns_called_like_its_coefficients_are_refused(name):
    X = np.random.default_rng(0).normal(size=(300, 2))
    with pytest.raises(DataError, match=f"{name} is a coefficient of Eq. 6"):
        fit_eq6(Dataset(X, X[:, 0], ["g[0]", name], np.arange(300) // 10))


def test_a_rule_of_this_form_is_found(data):
    gamma = 0.5 / np.median(data.inputs.std(0))
    found = fit_eq6(data, gammas=(0.1, gamma, 10.0))
    assert found.r2 > 0.9999
    assert found.coefficients["gamma"] == pytest.approx(0.5, rel=0.02)
    weights = [-found.coefficients["gamma"] * found.coefficients[f"w{i}"] for i in range(6)]
    assert weights == pytest.approx([-0.21, 0, -0.06, 0, 0.12, 0], abs=2e-3)


def test_the_equation_says_what_was_fitted(data):
    found = fit_eq6(data)
    columns = dict(zip(data.names, torch.from_numpy(data.inputs.T.copy()), strict=True))
    value = found.equation.substitute(found.coefficients).evaluate(columns)
    assert 1 - np.var(value.numpy() - data.targets) / np.var(data.targets) == pytest.approx(
        found.r2, abs=0.01
    )


def test_it_can_be_trained_and_put_to_work(data):
    found = fit_eq6(data)
    model = Equation(found.equation, found.coefficients)
    p, gradients = torch.nn.Parameter(torch.zeros(5)), torch.randn(8, 5)
    optimizer, state, x = SymbolicOptimizer.of(model, [p]), model.init_state(torch.zeros(5)), torch.zeros(5)
    for g in gradients:
        with torch.no_grad():
            update, state = model(g, state)
        x, p.grad = x + update, g.clone()
        optimizer.step()
    torch.testing.assert_close(p.detach(), x)


def test_the_seed_of_its_split_is_not_negative(data):
    with pytest.raises(ConfigError, match="split_seed must be a whole number, 0 or more"):
        fit_eq6(data, split_seed=-1)
