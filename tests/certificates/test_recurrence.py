"""A rule written out as one recurrence computes what the optimizer computes."""

from functools import partial

import pytest
import torch

from l2o_core.certificates import certificate, descend, largest_step, linearise
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


@pytest.mark.parametrize(
    "function", [certificate, linearise, largest_step, partial(descend, lr=1.0, curvature=1.9)]
)
def test_a_weight_decay_beside_the_rule_is_refused_with_what_to_write(function):
    with pytest.raises(ConfigError, match=r'write it into the rule, "-g\[0\] - weight_decay \* theta"'):
        function("sgd", weight_decay=0.5)
    function("sgd", weight_decay=0.0)
    function("-g - weight_decay * theta", weight_decay=0.5)


@pytest.mark.parametrize(
    "rule", ["sgd", "rmsprop", "0.5 * u[1] - g", "p = 0.9 * u[1] + g / 10; -p + u[2] / 9"]
)
def test_a_rule_written_as_the_message_says_decays_as_the_optimizer_does(rule):
    with pytest.raises(ConfigError) as refused:
        recurrence(rule, {"weight_decay": 0.5})
    text = str(refused.value).split('"')[1]
    given = {"beta2": 0.99, "bias_correction": False} if rule == "rmsprop" else {}
    assert all(f"{name}={value}" in str(refused.value) for name, value in given.items())
    x = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
    optimizer = SymbolicOptimizer([x], rule, lr=0.3, weight_decay=0.5, compile=False)
    for _ in range(8):
        x.grad = 1.9 * x.detach()
        optimizer.step()
    way = descend(text, 0.3, 1.9, steps=8, weight_decay=0.5, **given)
    assert way[-1] == pytest.approx(x.item(), rel=1e-9)


def test_a_written_weight_decay_is_certified_as_the_optimizer_behaves():
    """SGD at a learning rate of 1 with a decay of 0.5 converges below a curvature of 1.5, not of 2."""
    decayed = linearise("-g - weight_decay * theta", weight_decay=0.5)
    assert decayed.spectral_radius(1.0, 1.9) == pytest.approx(1.4)
    assert decayed.spectral_radius(1.0, 1.4) == pytest.approx(0.9)
    assert certificate("-g - weight_decay * theta", weight_decay=0.5).stable is None
    assert abs(descend("-g - weight_decay * theta", 1.0, 1.9, weight_decay=0.5)[-1]) > 1e20


def test_the_decay_that_the_zoo_gives_a_rule_is_said_to_be_left_out():
    assert certificate("adamw").decay == 0.01
    assert "left out:             a weight decay of 0.01" in str(certificate("adamw"))
    assert certificate("adam").decay == certificate("adamw", weight_decay=0.0).decay == 0
    assert "left out" not in str(certificate("adam"))
