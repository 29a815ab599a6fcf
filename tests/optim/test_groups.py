"""Groups, schedulers and wrappers, and states that are refused as a whole."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import CyclicLR, OneCycleLR

from l2o_core.errors import CheckpointError, ConfigError
from l2o_core.optim import SymbolicOptimizer, zoo


def made(n: int = 4, rule: str = "adam", **options) -> tuple[nn.Parameter, SymbolicOptimizer]:
    """An optimizer that has taken three steps."""
    p = nn.Parameter(torch.ones(n))
    optimizer = SymbolicOptimizer([p], rule, lr=0.1, **options)
    for _ in range(3):
        p.grad = torch.ones(n)
        optimizer.step()
    return p, optimizer


class TestBetas:
    @pytest.mark.parametrize(
        ("schedule", "options"),
        [(OneCycleLR, {"max_lr": 0.1, "total_steps": 9}), (CyclicLR, {"base_lr": 0.01, "max_lr": 0.1})],
    )
    def test_schedules_of_momentum_are_those_of_adam(self, schedule, options):
        ours, theirs = (nn.Parameter(torch.ones(3, dtype=torch.float64)) for _ in range(2))
        pairs = [(ours, SymbolicOptimizer([ours], "adam")), (theirs, torch.optim.Adam([theirs]))]
        for p, optimizer in pairs:
            cycle = schedule(optimizer, **options)
            for step in range(8):
                p.grad = torch.full_like(p, 1.0 + step)
                optimizer.step()
                cycle.step()
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)

    @pytest.mark.parametrize("again", [lambda o: o, copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
    def test_whichever_was_changed_counts(self, again):
        optimizer = again(made()[1])
        group = optimizer.param_groups[0]
        group["betas"] = (0.5, 0.6)
        assert optimizer.state_dict()["param_groups"][0]["beta1"] == 0.5
        group["beta2"] = 0.7
        optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        assert optimizer.param_groups[0]["betas"] == (0.5, 0.7)

    def test_a_group_may_give_them(self):
        p = nn.Parameter(torch.ones(1))
        optimizer = SymbolicOptimizer([{"params": [p], "betas": (0.5, 0.6)}], "adam")
        assert (optimizer.param_groups[0]["beta1"], optimizer.param_groups[0]["beta2"]) == (0.5, 0.6)
        optimizer.param_groups[0]["betas"] = 3
        with pytest.raises(ConfigError, match="betas must be two numbers"):
            optimizer.step()

    def test_momentum_is_no_name_of_ours(self):
        for options, group in (({"momentum": 0.9}, {}), ({}, {"momentum": 0.9})):
            with pytest.raises(ConfigError, match="its decay rate is beta1"):
                SymbolicOptimizer([{"params": [nn.Parameter(torch.ones(1))], **group}], "momentum", **options)


def test_a_rule_of_the_zoo_in_a_group_has_its_defaults():
    groups = [{"params": [nn.Parameter(torch.ones(1))], "rule": rule} for rule in ("rmsprop", "adamw", "-g")]
    optimizer = SymbolicOptimizer(groups, "lion", eps=1e-5)
    found = [
        [group[name] for name in ("lr", "beta2", "eps", "weight_decay")] for group in optimizer.param_groups
    ]
    assert found == [[0.01, 0.99, 1e-5, 0.0], [1e-3, 0.999, 1e-5, 0.01], [1e-3, 0.999, 1e-5, 0.0]]
    optimizer.param_groups[2]["rule"] = "sgd"
    optimizer.param_groups[2]["params"][0].grad = torch.ones(1)
    optimizer.step()


def test_a_rule_of_the_zoo_that_a_group_is_given_later_comes_with_its_numbers():
    p, optimizer = made(rule="sgd")
    group, before = optimizer.param_groups[0], p.detach().clone()
    group["rule"] = "rmsprop"
    with pytest.raises(ConfigError, match=r"values are beta2=0\.99, .*and has beta2=0\.999, .*give it these"):
        optimizer.step()
    assert torch.equal(p, before)
    group.update(zoo.get("rmsprop").defaults)
    optimizer.step()
    assert group["rule"] == str(zoo.get("rmsprop").equation)
    group["rule"] = "-n_hat"
    with pytest.raises(ConfigError, match="k1 must be a number"):
        optimizer.step()


def test_a_rule_that_is_given_later_keeps_what_the_constructor_was_told():
    p, optimizer = made(rule="sgd", beta2=0.9, eps=1e-6, bias_correction=False)
    optimizer.param_groups[0]["rule"] = "rmsprop"
    optimizer.step()
    assert (optimizer.param_groups[0]["beta2"], optimizer.state[p]["step"]) == (0.9, 4)


@pytest.mark.parametrize("value", ["x", None, True, float("nan"), [1.0], 1j, torch.ones(2)])
def test_a_coefficient_is_a_number(value):
    p, optimizer = made(rule="-c * g", c=0.5)
    optimizer.param_groups[0]["c"] = value
    before = p.detach().clone()
    with pytest.raises(ConfigError, match=r"c must be a|names c"):
        optimizer.step()
    assert torch.equal(p, before)


def freed(n: int) -> torch.Tensor:
    x = torch.ones(n)
    x.untyped_storage().resize_(0)
    return x


DAMAGES = {
    "step is text": lambda s: s["state"][0].update(step="x"),
    "no step": lambda s: s["state"][0].pop("step"),
    "a negative step": lambda s: s["state"][0].update(step=-3),
    "no m": lambda s: s["state"][0].pop("m"),
    "m is a number": lambda s: s["state"][0].update(m=3.0),
    "m is whole": lambda s: s["state"][0].update(m=torch.ones(4, dtype=torch.int64)),
    "m is sparse": lambda s: s["state"][0].update(m=torch.ones(4).to_sparse()),
    "m is nowhere": lambda s: s["state"][0].update(m=torch.ones(4, device="meta")),
    "m was freed": lambda s: s["state"][0]["m"].untyped_storage().resize_(0),
    "what nobody reads was freed": lambda s: s["state"][0].update(x=freed(4)),
    "what nobody reads is nowhere": lambda s: s["state"][0].update(x=torch.ones(4, device="meta")),
    "another shape": lambda s: s["state"][0].update(m=torch.ones(5), v=torch.ones(5)),
    "no groups": lambda s: s.update(param_groups=[3]),
    "no lr": lambda s: s["param_groups"][0].pop("lr"),
    "no rule": lambda s: s["param_groups"][0].pop("rule"),
    "rule is no text": lambda s: s["param_groups"][0].update(rule=3),
    "beta1 is 2": lambda s: s["param_groups"][0].update(beta1=2),
    "no type": lambda s: s["param_groups"][0].update(history_dtype="nope"),
    "lr is nan": lambda s: s["param_groups"][0].update(lr=float("nan")),
    "for nobody": lambda s: s["state"].update({9: s["state"].pop(0)}),
    "state is a list": lambda s: s.update(state=[]),
    "more parameters": lambda s: s["param_groups"][0].update(params=[0, 1]),
    "of PyTorch's Adam": lambda s: s.update(torch.optim.Adam([nn.Parameter(torch.ones(4))]).state_dict()),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_refused_state_changes_nothing(damage):
    (p, optimizer), (_, other) = made(), made(lag_tolerance=0.1)
    state = copy.deepcopy(other.state_dict())
    state["param_groups"][0]["lr"] = 7.0
    DAMAGES[damage](state)
    before = copy.deepcopy(optimizer.state_dict())
    with pytest.raises(CheckpointError):
        optimizer.load_state_dict(state)
    after = optimizer.state_dict()
    assert after["param_groups"] == before["param_groups"]
    assert all(torch.equal(after["state"][0][name], before["state"][0][name]) for name in ("m", "v"))
    optimizer.step()
    assert optimizer.state[p]["step"] == 4


DAMAGES_OF_A_SYSTEM = {
    "no state": lambda s: s["state"][0].pop("p.0"),
    "a state of another shape": lambda s: s["state"][0].update({"u.0": torch.ones(5)}),
    "another system": lambda s: s["param_groups"][0].update(rule="p = 0.8 * p[1] + g; 0.5 * u[1] - p"),
    "no system": lambda s: s["param_groups"][0].update(rule="p = p + g; -p"),
}


@pytest.mark.parametrize("damage", DAMAGES_OF_A_SYSTEM)
def test_a_refused_state_of_a_system_changes_nothing(damage):
    rule = "p = 0.9 * p[1] + g; 0.5 * u[1] - p"
    (p, optimizer), (q, other) = made(rule=rule), made(rule=rule)
    state = copy.deepcopy(other.state_dict())
    DAMAGES_OF_A_SYSTEM[damage](state)
    with pytest.raises(CheckpointError):
        optimizer.load_state_dict(state)
    optimizer.step()
    other.step()
    assert torch.equal(p, q)


def test_a_state_from_before_an_option_was_there_resumes():
    (p, optimizer), (q, other) = made(), made()
    state = copy.deepcopy(other.state_dict())
    for name in ("betas", "moment_dtype", "history_dtype", "lag_tolerance", "compile"):
        del state["param_groups"][0][name]
    optimizer.load_state_dict(state)
    optimizer.step()
    other.step()
    assert torch.equal(p, q)


def test_hooks_of_loading_see_and_change_the_state():
    (_, optimizer), (_, other) = made(), made()
    optimizer.register_load_state_dict_pre_hook(lambda _, state: {**state, "state": {}})
    optimizer.register_load_state_dict_post_hook(lambda o: o.param_groups[0].update(lr=0.5))
    optimizer.load_state_dict(other.state_dict())
    assert not optimizer.state
    assert optimizer.param_groups[0]["lr"] == 0.5
