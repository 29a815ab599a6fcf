"""Any optimizer can be watched: it does what it does, and what it did can be distilled."""

import pytest
import torch

from l2o_core.distiller import Memory, distill, distill_recurrent, watch
from l2o_core.errors import ConfigError, DataError
from l2o_core.features import Features

STEPS = 25


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3)).double()


def train(
    model: torch.nn.Module, optimizer: torch.optim.Optimizer, scheduler=None, steps: int = STEPS
) -> None:
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        x = torch.randn(16, 6, generator=generator).double()
        optimizer.zero_grad()
        (model(x) - x[:, :3]).square().mean().backward()
        optimizer.step()
        if scheduler is not None:
            scheduler.step()


def watched(make, per_layer: int = 10, **options):
    model = network()
    optimizer = make(model.parameters())
    with watch(optimizer, per_layer=per_layer, **options) as recording:
        train(model, optimizer)
    return recording


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
        lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
        lambda p: torch.optim.Rprop(p),
    ],
)
def test_a_watched_optimizer_does_what_it_does_unwatched(make):
    alone, seen = network(), network()
    train(alone, make(alone.parameters()))
    optimizer = make(seen.parameters())
    with watch(optimizer):
        train(seen, optimizer)
    assert all(torch.equal(a, b) for a, b in zip(alone.parameters(), seen.parameters(), strict=True))


def test_gradient_descent_changes_by_the_gradient():
    way = watched(lambda p: torch.optim.SGD(p, lr=0.1)).trajectories()
    assert way.updates.shape == (STEPS, 10 + 8 + 10 + 3)
    assert [*way.features] == ["g", "m_hat", "g_hat"]
    torch.testing.assert_close(way.updates, -way.features["g"])
    assert sorted(set(way.layers)) == [f"parameter {k}" for k in range(4)]


def test_adam_changes_by_its_moments():
    recording = watched(lambda p: torch.optim.Adam(p, lr=0.01))
    way = recording.trajectories(Features(("m", "v"), beta1=0.9, beta2=0.999))
    m, v = way.features.values()
    torch.testing.assert_close(way.updates, -m / (v.sqrt() + 1e-8), rtol=1e-9, atol=1e-11)


def test_momentum_is_distilled_from_a_window_and_from_its_memory():
    way = watched(lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.5)).trajectories(Features(("g",)))
    rows = way.windows(lags=20, samples=600)
    equation = distill(rows, engine="linear", time_limit=300).best.equation
    assert equation.evaluate({f"g[{k}]": torch.tensor(float(k == 3)) for k in range(20)}).item() == (
        pytest.approx(-0.125, abs=1e-4)
    )
    memory = Memory(updates=1, lags=1, averages=(), cells=0)
    best = distill_recurrent(way, memory, engine="linear", time_limit=300).best
    assert str(best.equation.rounded(3)) == "0.5 * u[1] - g"


def test_learning_rates_of_groups_and_schedules_are_divided_out():
    model = network()
    first, second = model[0].parameters(), model[2].parameters()
    optimizer = torch.optim.SGD([{"params": first, "lr": 0.1}, {"params": second, "lr": 0.01}])
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    with watch(optimizer) as recording:
        train(model, optimizer, schedule)
    way = recording.trajectories()
    torch.testing.assert_close(way.updates, -way.features["g"])
    whole = recording.trajectories(per_lr=False)
    torch.testing.assert_close(whole.updates[1, 0], -0.09 * whole.features["g"][1, 0])


def test_the_choice_of_coordinates_is_seeded():
    def sgd(p):
        return torch.optim.SGD(p, lr=0.1)

    first, again, other = (watched(sgd, seed=seed).trajectories().updates for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_parameters_without_a_gradient_are_not_watched():
    model = network()
    model[0].requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with watch(optimizer) as recording:
        train(model, optimizer)
    assert recording.trajectories().coordinates == 10 + 3


def test_a_recording_ends_after_its_steps_and_the_training_goes_on():
    recording = watched(lambda p: torch.optim.SGD(p, lr=0.1), max_steps=7)
    assert recording.steps == 7
    assert recording.ended == "7 steps were recorded"


def broken_by(act) -> tuple:
    """A recording of five good steps, then an act, then five more steps that raise nothing."""
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recording = watch(optimizer)
    train(model, optimizer, steps=5)
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.ones(2, 6).double()).sum().backward()
        optimizer.step(act(model) or None)
    return recording


def without_gradient(model):
    model[0].bias.grad = None


def not_finite(model):
    model[0].bias.grad.fill_(torch.nan)


def sparse(model):
    model[0].weight.grad = model[0].weight.grad.to_sparse()


def closure(model):
    return lambda: torch.tensor(0.0)


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (without_gradient, "parameter 1 has no gradient at step 6"),
        (not_finite, "step 6 has a gradient or a parameter that is not finite"),
        (sparse, "parameter 0 has a sparse gradient"),
        (closure, "closure"),
    ],
)
def test_where_a_step_cannot_be_told_the_recording_ends_and_keeps_what_it_has(act, why):
    recording = broken_by(act)
    assert why in recording.ended
    assert recording.steps == 5
    assert recording.trajectories().steps == 5


@pytest.mark.parametrize("shape", [(3,), (20,), (2, 4)])
def test_a_parameter_that_was_resized_ends_it(shape):
    x = torch.nn.Parameter(torch.ones(8).double())
    optimizer = torch.optim.SGD([x], lr=0.1)
    with watch(optimizer) as recording:
        for size in ((8,), shape):
            x.data = torch.ones(size).double()
            x.grad = torch.ones(size).double()
            optimizer.step()
    assert recording.ended == "parameter 0 was resized before step 2"


def test_a_parameter_that_was_replaced_ends_it():
    x, y = (torch.nn.Parameter(torch.ones(8).double()) for _ in range(2))
    x.grad = y.grad = torch.ones(8).double()
    optimizer = torch.optim.SGD([x], lr=0.1)
    with watch(optimizer) as recording:
        optimizer.step()
        optimizer.param_groups[0]["params"][0] = y
        optimizer.step()
    assert recording.ended == "parameter 0 was replaced before step 2"
    assert recording.steps == 1


def test_nothing_recorded_is_said():
    x = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([x], lr=0.1)
    with pytest.raises(DataError, match=r"no step was recorded$"):
        watch(optimizer).trajectories()
    with watch(optimizer) as recording:
        optimizer.step()
    with pytest.raises(DataError, match="no step was recorded: no parameter has a gradient"):
        recording.trajectories()


def test_a_learning_rate_of_zero_cannot_be_divided_out():
    recording = watched(lambda p: torch.optim.SGD(p, lr=0.0))
    with pytest.raises(DataError, match="step 1 was 0"):
        recording.trajectories()
    assert recording.trajectories(per_lr=False).updates.eq(0).all()


class WithoutRate(torch.optim.SGD):
    """An optimizer whose groups say nothing of a learning rate, or that it has none."""

    def __init__(self, parameters, **group):
        super().__init__(parameters, lr=0.1)
        self.taken = self.param_groups[0].pop("lr")
        self.param_groups[0] |= group

    @torch.no_grad()
    def step(self):
        for parameter in self.param_groups[0]["params"]:
            parameter -= self.taken * parameter.grad


@pytest.mark.parametrize("group", [{}, {"lr": None}], ids=["no rate", "None"])
def test_an_optimizer_without_a_learning_rate_is_watched_too(group):
    recording = watched(lambda p: WithoutRate(p, **group))
    with pytest.raises(DataError, match="no learning rate: ask for changes with per_lr=False"):
        recording.trajectories()
    way = recording.trajectories(per_lr=False)
    torch.testing.assert_close(way.updates, -0.1 * way.features["g"])


@pytest.mark.parametrize("options", [{"per_layer": 0}, {"max_steps": 0}, {"seed": -1}])
def test_numbers_out_of_range_are_refused(options):
    with pytest.raises(ConfigError):
        watch(torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], lr=0.1), **options)


def test_only_pytorchs_optimizers_can_be_watched():
    with pytest.raises(ConfigError, match="a PyTorch optimizer is wanted, not a str"):
        watch("adam")
