"""The zoo: what it holds, the rules against their authors' definitions, and one suite over all of them."""

import copy
import io
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from l2o_core import features
from l2o_core.errors import ConfigError
from l2o_core.optim import SymbolicOptimizer, zoo
from tests.optim import reference

STEPS = 200


def options(name: str) -> dict[str, float]:
    """Values for what a rule leaves open."""
    values = {name: 1.0 if name == "gamma" else 0.01 for name in zoo.get(name).unpublished}
    return values | {"total_steps": STEPS}


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1)).double()


def batches(steps: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(steps, 8, 4, generator=generator, dtype=torch.float64)
    return [(x, torch.sin(x.sum(dim=-1, keepdim=True))) for x in inputs]


def train(net: nn.Module, optimizer: torch.optim.Optimizer, data, scheduler=None) -> list[torch.Tensor]:
    """The parameters after every step, as one vector each."""
    path = []
    for x, y in data:
        optimizer.zero_grad()
        nn.functional.mse_loss(net(x), y).backward()
        optimizer.step()
        if scheduler:
            scheduler.step()
        path.append(nn.utils.parameters_to_vector(net.parameters()).detach().clone())
    return path


REFERENCES = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.05),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.05),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.05),
    "adam": lambda p: torch.optim.Adam(p, lr=0.05),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.05),
    "rmsprop_momentum": lambda p: torch.optim.RMSprop(p, lr=0.05, momentum=0.9),
    "amsgrad": lambda p: torch.optim.Adam(p, lr=0.05, amsgrad=True),
    "nadamw": lambda p: torch.optim.NAdam(p, lr=0.05, weight_decay=0.01, decoupled_weight_decay=True),
    # known rules as systems that compute their moments themselves
    "p = 0.9 * p[1] + g; -p": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    "p = 0.9 * p[1] + 0.1 * g; q = 0.999 * q[1] + 0.001 * g^2; "
    "-p / (1 - 0.9^t) / (sqrt(q / (1 - 0.999^t)) + 1e-8)": lambda p: torch.optim.Adam(p, lr=0.05),
    "p = 0.9 * p[1] + 0.1 * g; q = 0.999 * q[1] + 0.001 * g^2; "
    "-p / (1 - 0.9^t) / (sqrt(q / (1 - 0.999^t)) + 1e-8) - 0.01 * theta": lambda p: torch.optim.AdamW(
        p, lr=0.05
    ),
    "lion": lambda p: reference.Lion(p, lr=0.05),
    "p = 0.99 * p[1] + 0.01 * g; -sign(0.9 * p[1] + 0.1 * g)": lambda p: reference.Lion(p, lr=0.05),
    # those that PyTorch does not ship
    "ademamix": lambda p: reference.AdEMAMix(p, lr=0.05),
    "cautious_adamw": lambda p: reference.CautiousAdamW(p, lr=0.05),
    "signum": lambda p: reference.Signum(p, lr=0.05),
    "schedule_free": lambda p: reference.ScheduleFree(p, lr=0.05),
}


@pytest.mark.parametrize("name", REFERENCES)
def test_equals_a_reference_step_by_step(name):
    ours, theirs = model(), model()
    data = batches(STEPS)
    got = train(ours, SymbolicOptimizer(ours.parameters(), name, lr=0.05), data)
    want = train(theirs, REFERENCES[name](theirs.parameters()), data)
    near = 1e-6 if name == "nadamw" else 1e-9  # PyTorch multiplies NAdam's momenta in single precision
    for a, b in zip(got, want, strict=True):
        torch.testing.assert_close(a, b, rtol=10 * near, atol=near)


OTHER_NUMBERS = {
    "momentum": ({"beta1": 0.7}, lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.7)),
    "nesterov": ({"beta1": 0.7}, lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.7, nesterov=True)),
    "adagrad": ({"eps": 0.1}, lambda p: torch.optim.Adagrad(p, lr=0.05, eps=0.1)),
    "rmsprop": ({"beta2": 0.8, "eps": 0.1}, lambda p: torch.optim.RMSprop(p, lr=0.05, alpha=0.8, eps=0.1)),
    "rmsprop_momentum": (
        {"betas": (0.7, 0.8), "eps": 0.1},
        lambda p: torch.optim.RMSprop(p, lr=0.05, momentum=0.7, alpha=0.8, eps=0.1),
    ),
    "adam": ({"betas": (0.7, 0.8), "eps": 0.1}, lambda p: torch.optim.Adam(p, 0.05, (0.7, 0.8), 0.1)),
    "adamw": (
        {"betas": (0.7, 0.8), "eps": 0.1, "weight_decay": 0.2},
        lambda p: torch.optim.AdamW(p, 0.05, (0.7, 0.8), 0.1, 0.2),
    ),
    "amsgrad": (
        {"betas": (0.7, 0.8), "eps": 0.1},
        lambda p: torch.optim.Adam(p, 0.05, (0.7, 0.8), 0.1, amsgrad=True),
    ),
    "nadamw": (
        {"betas": (0.7, 0.8), "eps": 0.1, "weight_decay": 0.2},
        lambda p: torch.optim.NAdam(p, 0.05, (0.7, 0.8), 0.1, 0.2, decoupled_weight_decay=True),
    ),
    "lion": ({"betas": (0.7, 0.95)}, lambda p: reference.Lion(p, lr=0.05, betas=(0.7, 0.95))),
    "signum": ({"beta1": 0.7}, lambda p: reference.Signum(p, lr=0.05, beta=0.7)),
    "schedule_free": ({"beta1": 0.7}, lambda p: reference.ScheduleFree(p, lr=0.05, beta=0.7)),
}


@pytest.mark.parametrize("name", OTHER_NUMBERS)
def test_a_hyper_parameter_means_what_it_means_at_its_source(name):
    values, made = OTHER_NUMBERS[name]
    ours, theirs = model(), model()
    data = batches(30)
    got = train(ours, SymbolicOptimizer(ours.parameters(), name, lr=0.05, **values), data)
    want = train(theirs, made(theirs.parameters()), data)
    near = 1e-6 if name == "nadamw" else 1e-9
    for a, b in zip(got, want, strict=True):
        torch.testing.assert_close(a, b, rtol=10 * near, atol=near)


class ByHand(torch.optim.Optimizer):
    """`update(g, m_old, m_new, decay)` with m <- beta m + (1 - beta) g."""

    def __init__(self, params, update, beta, decay):
        super().__init__(params, {})
        self.update, self.beta, self.decay, self.t = update, beta, decay, 0

    @torch.no_grad()
    def step(self):
        self.t += 1
        for p in self.param_groups[0]["params"]:
            old = self.state[p].setdefault("m", torch.zeros_like(p))
            new = self.state[p]["m"] = self.beta * old + (1 - self.beta) * p.grad
            p -= 0.01 * self.update(p.grad, old, new, self.decay(self.t / STEPS))


BY_HAND = {
    "powsign": (lambda g, old, new, f: torch.e ** (f * g.sign() * new.sign()) * g, 0.9),
    "addsign": (lambda g, old, new, f: (1 + f * g.sign() * new.sign()) * g, 0.9),
}
DECAYS = {
    "": lambda x: torch.tensor(1.0),
    "_ld": lambda x: torch.tensor(1 - x, dtype=torch.float64),
    "_cd": lambda x: 0.5 * (1 + torch.cos(torch.pi * torch.tensor(x, dtype=torch.float64))),
}


@pytest.mark.parametrize(
    ("name", "decay"),
    [(name, decay) for name in ("powsign", "addsign") for decay in DECAYS],
)
def test_equals_the_authors_definition(name, decay):
    ours, theirs = model(), model()
    data = batches(50)
    update, beta = BY_HAND[name]
    optimizer = SymbolicOptimizer(ours.parameters(), name + decay, lr=0.01, total_steps=STEPS)
    got = train(ours, optimizer, data)
    want = train(theirs, ByHand(theirs.parameters(), update, beta, DECAYS[decay]), data)
    for a, b in zip(got, want, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", zoo.names())
class TestEveryRule:
    def test_is_documented(self, name):
        entry = zoo.get(name)
        assert entry.name == name
        assert entry.source
        assert entry.note.endswith(".")
        assert entry.defaults["lr"] > 0

    def test_resumes_bitwise_in_the_middle(self, name):
        data = batches(20)
        whole = model()
        expected = train(whole, SymbolicOptimizer(whole.parameters(), name, **options(name)), data)[-1]

        first = model()
        optimizer = SymbolicOptimizer(first.parameters(), name, **options(name))
        train(first, optimizer, data[:10])
        file = io.BytesIO()
        torch.save({"model": first.state_dict(), "optimizer": optimizer.state_dict()}, file)
        file.seek(0)
        saved = torch.load(file, weights_only=True)

        second = model()
        second.load_state_dict(saved["model"])
        optimizer = SymbolicOptimizer(second.parameters(), name, **options(name))
        optimizer.load_state_dict(saved["optimizer"])
        assert torch.equal(train(second, optimizer, data[10:])[-1], expected)

    def test_a_deep_copy_goes_its_own_way(self, name):
        data = batches(12)
        net = model()
        optimizer = SymbolicOptimizer(net.parameters(), name, **options(name))
        train(net, optimizer, data[:6])
        net_copy, optimizer_copy = copy.deepcopy((net, optimizer))
        expected = train(net, optimizer, data[6:])[-1]
        assert torch.equal(train(net_copy, optimizer_copy, data[6:])[-1], expected)

    def test_groups_step_with_their_own_learning_rate(self, name):
        data = batches(1)
        paths = []
        for lr in (0.1, 0.2):
            net = model()
            groups = [{"params": net[0].parameters()}, {"params": net[2].parameters(), "lr": lr}]
            before = nn.utils.parameters_to_vector(net.parameters()).detach().clone()
            optimizer = SymbolicOptimizer(groups, name, lr=0.1, **options(name) | {"weight_decay": 0.0})
            paths.append(train(net, optimizer, data)[0] - before)
        split = sum(p.numel() for p in net[0].parameters())
        torch.testing.assert_close(paths[0][:split], paths[1][:split], rtol=0, atol=0)
        torch.testing.assert_close(2 * paths[0][split:], paths[1][split:])

    def test_schedulers_set_the_learning_rate(self, name):
        data = batches(6)
        scheduled, manual = model(), model()
        optimizer = SymbolicOptimizer(scheduled.parameters(), name, lr=0.1, **options(name))
        scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
        got = train(scheduled, optimizer, data, scheduler)
        optimizer = SymbolicOptimizer(manual.parameters(), name, lr=0.1, **options(name))
        for i, batch in enumerate(data):
            optimizer.param_groups[0]["lr"] = 0.1 * 0.5**i
            assert torch.equal(train(manual, optimizer, [batch])[0], got[i])

    def test_takes_a_closure(self, name):
        (x, y), *_ = batches(1)
        with_closure, without = model(), model()
        optimizer = SymbolicOptimizer(with_closure.parameters(), name, **options(name))

        def closure():
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(with_closure(x), y)
            loss.backward()
            return loss

        loss = optimizer.step(closure)
        assert loss.requires_grad
        expected = train(without, SymbolicOptimizer(without.parameters(), name, **options(name)), [(x, y)])
        assert torch.equal(nn.utils.parameters_to_vector(with_closure.parameters()).detach(), expected[0])

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    def test_runs_in_the_type_of_the_parameters(self, name, dtype):
        """Moments are kept in float32 at least: in bfloat16, an average of 1000 steps could not fall."""
        p = nn.Parameter(torch.ones(5, dtype=dtype))
        optimizer = SymbolicOptimizer([p], name, **options(name))
        for scale in (1.0, -0.5, 0.0):
            p.grad = scale * torch.linspace(-1, 1, 5, dtype=dtype)
            optimizer.step()
        assert p.dtype == dtype
        assert p.isfinite().all()
        stored = {key: value.dtype for key, value in optimizer.state[p].items() if key != "step"}
        assert stored == {key: dtype if key.startswith("stream") else torch.float32 for key in stored}


def test_the_zoo_and_the_language_are_read_without_pytorch():
    code = """
import sys
from l2o_core import optim
from l2o_core.expressions import parse
rules = [optim.zoo.get(name) for name in optim.zoo.names()]
print(rules[-1].unpublished, rules[-1].equation.latex(), parse("tanh(x[1]) / 2") + 1)
assert "torch" not in sys.modules
assert optim.SymbolicOptimizer and "torch" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_unknown_names_are_refused():
    with pytest.raises(ConfigError, match=r"no rule 'adm' in the zoo; did you mean 'adam'\?$"):
        zoo.get("adm")
    with pytest.raises(ConfigError, match=r"no rule 'xyz' in the zoo; `l2o zoo` lists them$"):
        zoo.get("xyz")


def test_published_but_incomplete_rules_say_what_they_need():
    with pytest.raises(ConfigError, match=r"names c0, which has no value.*c0=\.\.\."):
        SymbolicOptimizer(model().parameters(), "syml2o_eq2")


@pytest.mark.parametrize("name", zoo.names())
def test_the_text_of_a_rule_is_its_equation_and_names_what_is_not_published(name):
    rule = zoo.get(name)
    found = dict.fromkeys(variable.name for variable in rule.equation.variables)
    known = {*features.NAMES, *zoo.HYPERPARAMETERS, "u", "theta"}
    assert rule.unpublished == tuple(name for name in found if name not in known)
