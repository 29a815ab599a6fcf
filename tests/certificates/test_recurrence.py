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
