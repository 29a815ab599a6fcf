"""Meta-tuning of equations: what is trained, in which units, and that the rule gets better."""

import pytest
import torch

from l2o_core import meta, models, tasks
from l2o_core.errors import ConfigError
from l2o_core.models import Equation

P1 = tasks.load("p1")
FEW = {"epochs": 4, "steps": 20, "instances": 8, "validation_instances": 8, "progress": False}


def loss(rule: Equation) -> float:
    return meta.evaluate(rule, P1, steps=40, instances=16, seed=99).mean().item()


def test_a_rule_gets_better_and_the_given_one_stays():
    rule = Equation("-0.003 * g[0] - 0.001 * tanh(g[1])")
    tuned, history = meta.tune(rule, P1, lr=0.1, **FEW)
    assert loss(tuned) < loss(rule)
    assert str(rule.equation) == str(Equation("-0.003 * g[0] - 0.001 * tanh(g[1])").equation)
    assert len(history.losses) == 4
    assert type(tuned) is Equation
    assert {*tuned.state_dict()} == {"constants"}


@pytest.mark.parametrize(
    "text",
    ["0.5 * u[1] - 0.001 * g", "p = 0.5 * p[1] + g; q = 0.9 * q[1] + 0.1 * g^2; -0.003 * p / sqrt(q + 1)"],
)
def test_a_rule_with_a_memory_gets_better(text):
    rule = Equation(text)
    tuned, _ = meta.tune(rule, P1, lr=0.1, **FEW)
    assert loss(tuned) < loss(rule)
    assert tuned.equation.memory == rule.equation.memory
    assert not torch.isclose(tuned.constants, rule.constants).any()


def test_text_can_be_tuned():
    tuned, _ = meta.tune("-0.003 * g", P1, **FEW)
    assert tuned.equation.variables == Equation("-g").equation.variables


def test_constants_move_by_a_share_of_themselves():
    """Whatever their sizes; one that is 0 moves by a share of the others' mean."""
    rule = Equation("-0.01 * g[0] - 0.00001 * g[1] + 0 * g[2]")
    tuned, _ = meta.tune(rule, P1, lr=0.1, **FEW | {"epochs": 1, "decay": False, "validate_every": 1})
    before, after = rule.constants.detach(), tuned.constants.detach()
    unit = torch.where(before == 0, before.abs().mean(), before.abs())
    torch.testing.assert_close((after - before).abs() / unit, torch.full((3,), 0.1), rtol=0.02, atol=0)


def test_a_coefficient_is_one_number_wherever_it_stands():
    text, given = (
        "-gamma * (w0 * tanh(g[0] / gamma) + w1 * tanh(g[1] / gamma))",
        {"gamma": 5.0, "w0": 3e-3, "w1": 1e-3},
    )
    rule = Equation(text, given)
    tuned, _ = meta.tune(rule, P1, lr=0.1, **FEW)
    assert not torch.equal(tuned.coefficients, rule.coefficients)
    assert loss(tuned) < loss(rule)
    divisors = [tuned.equation.constants[i] for i in (0, 2, 4)]
    assert divisors == [pytest.approx(tuned.coefficients[0].item())] * 3


def test_the_powers_of_n_hat_are_tuned_too(tmp_path):
    rule = Equation("-0.01 * n_hat[0] - 0.001 * m_hat[1]")
    tuned, _ = meta.tune(rule, P1, lr=0.1, **FEW)
    for name in ("k", "l", "alpha"):
        assert not torch.equal(getattr(tuned.features, name), getattr(rule.features, name))
    again = models.load(models.save(tmp_path / "rule.safetensors", tuned))
    assert loss(again) == loss(tuned)


def test_a_stopped_tuning_goes_on(tmp_path):
    rule, path = Equation("-0.003 * g"), tmp_path / "tuning.pt"
    meta.tune(rule, P1, checkpoint=path, decay=False, **FEW | {"epochs": 2})
    tuned, history = meta.tune(rule, P1, checkpoint=path, decay=False, **FEW)
    whole, _ = meta.tune(rule, P1, decay=False, **FEW)
    assert len(history.losses) == 4
    assert torch.equal(tuned.constants, whole.constants)


def test_normalised_networks_can_be_tuned_on():
    """BatchNorm's running statistics are nobody's business here."""
    task = tasks.Network("tiny", "digits", tiny, batch=16)
    tuned, history = meta.tune("-0.02 * m_hat", task, epochs=1, steps=20, progress=False, fraction=0.2)
    assert tuned.constants.item() != pytest.approx(-0.02, rel=1e-3)
    assert history.validation[-1][1] < float("inf")


def tiny() -> torch.nn.Module:
    layers = torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.ReLU(), torch.nn.Flatten()
    return torch.nn.Sequential(*layers, torch.nn.Linear(72, 10))


def test_other_features_beside_n_hat_are_refused():
    with pytest.raises(ConfigError, match="beside n_hat"):
        Equation("-n_hat - g")


def test_what_has_no_number_or_is_no_rule_is_refused():
    with pytest.raises(ConfigError, match="nothing to train"):
        meta.tune("-g", P1, **FEW)
    with pytest.raises(ConfigError, match="a rule is text, an Expression or a System, not an object of RP"):
        meta.tune(models.RP(), P1, **FEW)
