"""The network of operators is the equation that it is read out as, and it learns."""

import pytest
import torch
from tqdm import tqdm

from l2o_core import expressions, meta, models, optim, tasks
from l2o_core.errors import ConfigError, L2OError
from l2o_core.expressions import linear
from l2o_core.meta import training
from l2o_core.meta.estimators import TBPTT
from l2o_core.models.gates import GatedLinear
from tests.models.running import run


def seeded(**options) -> models.SOL:
    torch.manual_seed(1)
    return models.SOL(**options)


def shaken(**options) -> models.SOL:
    """A network in which every kind of unit matters, and some gates are shut, some half open."""
    model = seeded(**options)
    generator = torch.Generator().manual_seed(2)
    for parameter in model.parameters():
        parameter.data += 0.7 * torch.randn(parameter.shape, generator=generator)
    for layer in (*model.layers, model.readout):
        layer.log_alpha.data *= 4
    return model


@pytest.fixture
def inputs():
    return torch.randn(50, len(models.SOL.inputs), generator=torch.Generator().manual_seed(0))


def named(model, inputs):
    return dict(zip(model.features.names, inputs.T, strict=True))


@pytest.mark.parametrize("hidden", [1, 2])
@pytest.mark.parametrize("copies", [1, 3])
def test_the_network_is_its_equation(hidden, copies, inputs):
    model = shaken(hidden=hidden, copies=copies).double()
    inputs = 0.3 * inputs.double()
    update, memory = model.update(inputs, ())
    assert (update.shape, memory) == ((50,), ())
    torch.testing.assert_close(
        model.equation.evaluate(named(model, inputs)), update.detach(), rtol=1e-6, atol=1e-9
    )


def test_one_hidden_layer_is_the_papers_sum(inputs):
    """SOL Eq. 3 written out unit by unit, gates open."""
    model = seeded(scale=1.0)
    for layer in (*model.layers, model.readout):
        layer.log_alpha.data.fill_(20.0)
    (layer,) = model.layers
    x = torch.cat([inputs.T, torch.ones(1, 50), 2 * torch.ones(1, 50)])
    c = layer.weight @ x
    h = [c[0], c[1] ** 2, c[2].exp(), c[3].sign(), -c[4], c[5] + c[6], c[7] - c[8], c[9] * c[10]]
    want = -(model.readout.weight @ torch.stack([*h, torch.ones(50)]))[0]
    torch.testing.assert_close(model.update(inputs, ())[0], want)


def test_linear_units_are_gathered_into_one_sum():
    """Whatever is linear in the inputs has one coefficient each: 12 of them, and a constant."""
    model = seeded()
    for unit in (1, 2, 3, 7):  # square, exp, sign and the product
        model.readout.weight.data[0, unit] = 0
    rule = model.equation
    assert {str(variable) for variable in rule.variables} == set(models.SOL.inputs)
    assert rule.complexity == 4 * len(models.SOL.inputs) + 1


@pytest.mark.parametrize(
    ("operator", "x", "y", "want"),
    [
        ("*", {"g": 2.0}, {"1": 3.0}, "6 * g"),
        ("*", {"1": -2.0}, {"g": 1.0, "m": 1.0}, "-2 * g - 2 * m"),
        ("*", {"g": 2.0}, {}, "0"),
        ("*", {"g": 2.0}, {"m": 1.0}, "2 * (g * m)"),
        ("-", {"g": 2.0, "1": 1.0}, {"g": 2.0}, "1"),
        ("square", {"1": 3.0}, None, "9"),
        ("exp", {}, None, "1"),
        ("sign", {"g": 1.0, "1": -1.0}, None, "sign(g - 1)"),
    ],
)
def test_forms_stay_as_small_as_they_can(operator, x, y, want):
    def form(terms):
        return {expressions.parse(term): value for term, value in terms.items()}

    got = linear.expression(linear.apply(operator, *(form(terms) for terms in (x, y) if terms is not None)))
    inputs = {name: torch.tensor([0.3, -1.7]) for name in ("g", "m")}
    torch.testing.assert_close(got.evaluate(inputs), expressions.parse(want).evaluate(inputs))
    assert got.complexity <= expressions.parse(want).complexity


def test_the_equation_runs_as_a_model_and_as_an_optimizer():
    model, steps = shaken(total_steps=6), 6
    g = 0.1 * torch.randn(steps, 5, generator=torch.Generator().manual_seed(3))
    want = run(model, g)
    assert want.shape == (6, 5)
    rule = models.Equation(model.equation, beta1=0.9, beta2=0.999, eps=1e-8, total_steps=steps)
    torch.testing.assert_close(run(rule, g), want, rtol=1e-5, atol=1e-6)
    x = torch.nn.Parameter(torch.zeros(5))
    optimizer = optim.SymbolicOptimizer.of(model, [x])
    for now in g:
        x.grad = now.clone()
        optimizer.step()
    torch.testing.assert_close(x.detach(), want.sum(0), rtol=1e-5, atol=1e-6)


def test_a_gate_is_shut_as_often_as_it_should_be():
    layer, generator = GatedLinear(20, 50, (), std=1.0), torch.Generator().manual_seed(0)
    layer.log_alpha.data.fill_(0.5)
    open_fraction = []
    for _ in range(40):
        layer.sample_gates(generator)
        open_fraction.append((layer.gated != 0).float().mean())
    assert torch.stack(open_fraction).mean() == pytest.approx(layer.open_probability.mean().item(), abs=0.01)


def test_sampled_gates_stay_until_the_next_sample(inputs):
    model = seeded()
    mean = model.update(inputs, ())[0]
    model.sample_gates(torch.Generator().manual_seed(0))
    sampled = model.update(inputs, ())[0]
    assert not torch.equal(sampled, mean)
    assert torch.equal(model.update(inputs, ())[0], sampled)
    model.sample_gates(None)
    assert torch.equal(model.update(inputs, ())[0], mean)


def test_meta_training_lowers_the_loss_and_leaves_no_gate_sampled():
    task, model = tasks.MLP("tiny", "digits", (8,), "sigmoid", batch=32), seeded(total_steps=20, scale=0.1)
    options = {"steps": 20, "unroll": 10, "epochs": 8, "lr": 0.1, "validate_every": 4}
    history = meta.meta_train(model, task, validation_instances=1, progress=False, **options)
    assert history.best[1] < 0.9 * history.validation[0][1]
    again = meta.evaluate(model, task, steps=20, instances=1, seed=~0).mean().item()
    assert again == pytest.approx(history.best[1], rel=1e-6)


def test_a_killed_training_samples_the_same_gates_again(tmp_path):
    task = tasks.Rastrigin(dim=2)
    options = {"steps": 4, "unroll": 2, "validation_instances": 1, "progress": False}
    whole, resumed = seeded(), seeded()
    meta.meta_train(whole, task, epochs=3, **options)
    for epochs in (1, 3):
        meta.meta_train(resumed, task, epochs=epochs, checkpoint=tmp_path / "sol.pt", **options)
    assert str(resumed.equation) == str(whole.equation)


def test_sparsity_is_what_all_gates_open_cost():
    model = seeded(sparsity=0.5)
    for log_alpha, cost in ((20.0, 0.5), (-20.0, 0.0)):
        for layer in (*model.layers, model.readout):
            layer.log_alpha.data.fill_(log_alpha)
        assert model.penalty().item() == pytest.approx(cost, abs=1e-6)


def test_sparsity_shuts_gates_that_do_nothing():
    model, task = seeded(total_steps=10, sparsity=1.0, scale=0.0), tasks.Rastrigin(dim=2)
    before, meta_optimizer = model.penalty().item(), torch.optim.Adam(model.parameters(), lr=0.1)
    training._epoch(TBPTT(model, task, seed=0), meta_optimizer, 10, 5, clip=1.0, bar=tqdm(disable=True))
    assert model.penalty().item() < before - 0.02


def test_pruning_leaves_what_carries_the_update(inputs):
    model = shaken()
    same = model.pruned(inputs, 0.0)
    assert torch.equal(same.update(inputs, ())[0], model.update(inputs, ())[0])
    small = model.pruned(inputs, 0.3)
    assert small.equation.complexity < model.equation.complexity / 2
    inputs[:, 2] *= 1e-9  # g3: whatever its weights, nothing comes through them
    assert "g3" not in str(model.pruned(inputs, 1e-6).equation)
    assert "g3" in str(model.equation)


def test_round_trip(tmp_path):
    model = shaken(hidden=2, sparsity=0.5)
    again = models.load(models.save(tmp_path / "sol.safetensors", model))
    assert (again.options, str(again.equation)) == (model.options, str(model.equation))


@pytest.mark.parametrize(
    "options", [{"total_steps": 0}, {"hidden": 0}, {"copies": 0}, {"sparsity": -1.0}], ids=str
)
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ConfigError, match=f"{next(iter(options))} must be at least"):
        models.SOL(**options)


def test_a_fraction_that_makes_no_sense_is_refused(inputs):
    with pytest.raises(L2OError, match="fraction must lie in"):
        seeded().pruned(inputs, 1.0)


def test_its_parts_can_be_listed_without_a_network():
    """Twelve features and two constants in; eight operators, three of which take two components."""
    model = models.SOL(copies=2)
    assert model.features.names == models.SOL.inputs
    assert len(models.SOL.inputs) == 12
    assert models.SOL.constants == (1.0, 2.0)
    assert [name for name, arity in models.SOL.operators.items() if arity == 2] == ["+", "-", "*"]
    assert model.readout.weight.shape[1] == 2 * len(models.SOL.operators) + 1
