"""A rule written out as one recurrence computes what the optimizer computes."""

import pytest
import torch

from l2o_core.certificates.recurrence import recurrence
from l2o_core.errors import ConfigError
from l2o_core.features import NAMES
from l2o_core.optim import SymbolicOptimizer, zoo

STEPS = 12


def hyperparameters(name):
    given = {name: 1.0 if name == "gamma" else 0.05 for name in zoo.get(name).unpublished}
    return given | ({"total_steps": 20} if name.endswith(("_ld", "_cd")) else {})


def written_out(rule, gradients, **values):
    """The parameters [T + 1, P] along given gradients."""
    whole = recurrence(rule, values)
    theta = [torch.zeros_like(gradients[0])]
    past = gradients.new_zeros(len(whole.slots), gradients.shape[1])
    for t, g in enumerate(gradients, start=1):
        now, past = whole.step(past, g, float(t), theta[-1])
        theta.append(theta[-1] + now["u"])
    return torch.stack(theta)


def optimized(rule, gradients, **values):
    parameter = torch.nn.Parameter(torch.zeros_like(gradients[0]))
    optimizer = SymbolicOptimizer([parameter], rule, lr=1.0, weight_decay=0.0, **values)
    theta = [parameter.detach().clone()]
    for g in gradients:
        parameter.grad = g.clone()
        optimizer.step()
        theta.append(parameter.detach().clone())
    return torch.stack(theta)


@pytest.mark.parametrize("name", zoo.names())
def test_every_rule_of_the_zoo(name):
    gradients = torch.randn(STEPS, 5, dtype=torch.float64)
    values = hyperparameters(name)
    torch.testing.assert_close(
        written_out(name, gradients, **values), optimized(name, gradients, **values), rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("corrected", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_every_feature_and_its_past(name, corrected):
    gradients = torch.randn(STEPS, 5, dtype=torch.float64)
    gradients[3:6, 1] = 1e-6  # where ag is cut off
    values = {"total_steps": 20, "bias_correction": corrected, "beta1": 0.8, "beta2": 0.9}
    rule = f"sum_m = 0.5 * sum_m[1] + {name}; -sum_m + 0.1 * {name}[2] - 0.2 * theta"
    torch.testing.assert_close(
        written_out(rule, gradients, **values), optimized(rule, gradients, **values), rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("name", ["lr", "beta1", "beta2", "eps", "weight_decay", "total_steps", "k1"])
def test_a_state_may_have_the_name_of_a_hyper_parameter(name):
    """In the rule it is the state; features still read the hyper-parameter."""
    gradients = torch.randn(STEPS, 5, dtype=torch.float64)
    values = {"total_steps": 20, "beta1": 0.8, "beta2": 0.9, "eps": 0.1}
    other = "n_hat" if name == "k1" else "ld * m_hat"
    rule = f"{name} = 0.9 * {name}[1] + g; -{name} - 0.1 * {other} + 0.1 * {name}[2]"
    plain = f"p = 0.9 * p[1] + g; -p - 0.1 * {other} + 0.1 * p[2]"
    want = optimized(plain, gradients, **values)
    torch.testing.assert_close(optimized(rule, gradients, **values), want, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(written_out(rule, gradients, **values), want, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("rule", ["-ld * g - 0.1 * cd * g", "-ld[2] * g - cd[1] * g"])
def test_decays_stay_at_zero(rule):
    gradients = torch.randn(STEPS, 5, dtype=torch.float64)
    found = written_out(rule, gradients, total_steps=4)
    torch.testing.assert_close(found, optimized(rule, gradients, total_steps=4), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(found[7:], found[6:-1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0, 3.0])
def test_no_gradient_adds_nothing_to_n_hat(alpha):
    gradients = torch.randn(STEPS, 5, dtype=torch.float64)
    gradients[2:5, 1], gradients[:, 2] = 0.0, 0.0
    values = {"alpha1": alpha, "alpha2": alpha}
    found = written_out("-n_hat", gradients, **values)
    assert found.isfinite().all()
    torch.testing.assert_close(found, optimized("-n_hat", gradients, **values), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("rule", "values", "message"),
    [
        ("-c * g", {}, "needs a number for c"),
        ("-g", {"c": 1.0}, "c has no use in this rule"),
        ("-m", {"beta1": 1.0}, "beta1 must lie in"),
        ("-c * g", {"c": float("nan")}, "c must be a finite number"),
        ("-w[2] * g", {}, "w is no feature"),
        ("-ld * g", {}, "total_steps"),
        ("adamm", {}, "needs a number for adamm"),
    ],
)
def test_what_makes_no_sense_is_refused(rule, values, message):
    with pytest.raises(ConfigError, match=message):
        recurrence(rule, values)
