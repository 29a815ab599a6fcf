"""The LSTM optimizers against their papers, one coordinate and one step at a time."""

import numpy as np
import pytest
import torch

from l2o_core import models
from l2o_core.features import log_and_sign
from l2o_core.models import base
from l2o_core.models.cell import LSTMCell, _Cell
from tests.models.running import run


@pytest.fixture
def gradients():
    return torch.randn(6, 9, generator=torch.Generator().manual_seed(0))


def torch_gates(cell: LSTMCell):
    """Our one matrix in torch's order of gates: weights of input and hidden state, and the bias."""
    i, f, o, g = cell.weight.chunk(4)
    width = cell.weight.shape[1] - len(i) - 1
    return torch.cat([i, f, g, o]).split([width, len(i), 1], dim=1)


def test_dm_is_a_two_layer_lstm_over_the_preprocessed_gradient(gradients):
    """The same weights in torch.nn.LSTM, whole sequences at once."""
    model = models.DM()
    lstm = torch.nn.LSTM(2, 20, num_layers=2)
    for layer, cell in enumerate(model.cells):
        w, u, b = torch_gates(cell)
        ours = {"weight_ih": w, "weight_hh": u, "bias_ih": b[:, 0], "bias_hh": 0 * b[:, 0]}
        for name, value in ours.items():
            getattr(lstm, f"{name}_l{layer}").data.copy_(value)
    hidden, _ = lstm(log_and_sign(gradients, 10.0))
    want = 0.01 * model.readout(hidden).squeeze(-1)
    torch.testing.assert_close(run(model, gradients), want)


def test_the_cells_written_out_derivative_is_its_derivative():
    cell, generator = LSTMCell(3, 4).double(), torch.Generator().manual_seed(0)
    shapes = ((5, 3), (5, 4), (5, 4))
    inputs = [torch.randn(*s, generator=generator, dtype=torch.float64, requires_grad=True) for s in shapes]
    assert torch.autograd.gradcheck(cell, inputs)

    def by_weight(weight):
        return _Cell.apply(weight, *(part.detach().T for part in inputs))

    assert torch.autograd.gradcheck(by_weight, cell.weight.detach().clone().requires_grad_())


EVERY = [models.DM(), models.RP(), models.RPSmall(), models.RPSmallExtra()]


@pytest.mark.parametrize("model", EVERY, ids=lambda model: type(model).__name__)
def test_coordinates_do_not_see_each_other(model, gradients):
    together = run(model, gradients)
    alone = run(model, gradients[:, 4:5])
    torch.testing.assert_close(together[:, 4:5], alone)


def test_rp_moves_no_coordinate_by_more_than_its_scale(gradients):
    assert run(models.RP(scale=0.01), 1e6 * gradients).abs().max() <= 0.01


def test_rp_does_not_see_the_scale_of_the_gradient(gradients):
    model = models.RP()
    torch.testing.assert_close(run(model, gradients), run(model, 1e4 * gradients), rtol=1e-4, atol=1e-7)


def test_small_variants_have_the_papers_sizes():
    small = models.RPSmall()
    assert (small.projection.out_features, len(small.cells)) == (6, 1)
    assert models.RPSmallExtra().projection.in_features == 3


def test_n_hat_without_alpha_is_m_hat(gradients):
    """k1 + k2 = l1 + l2 = 1 and alpha = 0 take the replacement back (SymL2O 4.3)."""
    features = models.RPSmallExtra().features
    torch.nn.init.zeros_(features.alpha)
    state = features.init(gradients[0])
    for g in gradients:
        values, state = features.step(g, state)
        torch.testing.assert_close(values[:, 2], values[:, 0])


def test_n_hat_averages_the_papers_powers(gradients):
    """Two steps written out from SymL2O 4.3."""
    features = models.RPSmallExtra().features
    features.k.data, features.l.data = torch.tensor([0.3, 0.9]), torch.tensor([0.2, 0.7])
    features.alpha.data = torch.tensor([0.25, 0.4])
    state = features.init(gradients[0])
    for g in gradients[:2]:
        values, state = features.step_dict(g, state)
    size, sign = gradients[:2].abs(), gradients[:2].sign()
    first = sign * (0.3 * size**1.25 + 0.9 * size**0.75)
    second = 0.2 * size**2.4 + 0.7 * size**1.6
    weights = torch.tensor([[0.95], [1.0]]) / 1.95
    want = (weights * first).sum(0) / (weights * second).sum(0).sqrt()
    torch.testing.assert_close(values["n_hat"], want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("g", [[0.0, 1e-30, 1.0, -2.0], [0.0, 0.0]])
def test_every_learnable_number_of_n_hat_gets_a_finite_gradient(g):
    """Where an input is dead, g is 0 for ever; logarithms and roots hide in the powers' derivatives."""
    model = models.RPSmallExtra()
    run(model, torch.tensor(g).expand(3, -1)).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.features.parameters())


def test_advancing_in_blocks_is_one_step_at_once(gradients, monkeypatch):
    monkeypatch.setattr(base, "BLOCK", 4)
    for model in (models.DM(), models.RPSmallExtra(), models.Equation("-0.1 * m_hat - g[2]")):
        state, kept = model.init_state(gradients[0]), model.init_state(gradients[0])
        for g in gradients:
            want, kept = model(g, kept)
            update, state = model.advance(g, state)
            torch.testing.assert_close(update, want)
        for a, b in zip(state, kept, strict=True):
            torch.testing.assert_close(a, b)


def test_a_state_in_float16_is_the_same_state(gradients):
    model = models.RPSmallExtra()
    exact, half = model.init_state(gradients[0]), model.init_state(gradients[0], torch.float16)
    for g in gradients:
        want, exact = model.advance(g, exact)
        update, half = model.advance(g, half)
        torch.testing.assert_close(update, want, rtol=0.01, atol=1e-5)
    assert [part.dtype for part in half] == [torch.float32] * 5 + [torch.float16] * 2
    assert [part.shape for part in half] == [part.shape for part in exact]


@pytest.mark.parametrize(
    ("length", "size", "want"),
    [(0, 4, []), (3, 4, [(0, 3)]), (8, 4, [(0, 4), (4, 8)]), (9, 8, [(0, 8), (8, 9)])],
)
def test_blocks_cover_every_coordinate_once(length, size, want):
    assert [(block.start, block.stop) for block in base.blocks(length, size)] == want


@pytest.mark.parametrize(
    ("make", "options"),
    [(models.RP, {"hidden": np.int64(4), "beta1": np.float64(0.9), "scale": np.float32(0.5)}),
     (models.SOL, {"total_steps": np.int64(9), "scale": np.float64(0.1)}),
     (lambda **options: models.Equation("-a * m", {"a": np.float64(0.1)}, **options),
      {"beta1": np.float64(0.9), "total_steps": np.int64(9), "bias_correction": np.bool_(False)})],
)  # fmt: skip
def test_options_are_plain_values(make, options):
    model = make(**options)
    named = {name: value for name, value in model.options.items() if name in options}
    assert named == {name: value.item() for name, value in options.items()}
    assert {type(value) for value in named.values()} <= {bool, int, float}
    assert all(type(value) is float for value in model.options.get("coefficients", {}).values())
