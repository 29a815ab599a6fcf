"""The LSTM optimizers against their papers, one coordinate and one step at a time."""

import pytest
import torch

from l2o_core import models
from l2o_core.features import Features, log_and_sign


@pytest.fixture
def gradients():
    return torch.randn(6, 9, generator=torch.Generator().manual_seed(0))


def run(model, gradients):
    state, updates = model.init_state(gradients[0]), []
    for g in gradients:
        update, state = model(g, state)
        updates.append(update)
    return torch.stack(updates)


def test_dm_is_a_two_layer_lstm_over_the_preprocessed_gradient(gradients):
    """The same weights in torch.nn.LSTM, whole sequences at once."""
    model = models.DM()
    lstm = torch.nn.LSTM(2, 20, num_layers=2)
    for layer, cell in enumerate(model.cells):
        for name, value in cell.named_parameters():
            getattr(lstm, f"{name}_l{layer}").data.copy_(value)
    hidden, _ = lstm(log_and_sign(gradients, 10.0))
    want = 0.01 * model.readout(hidden).squeeze(-1)
    torch.testing.assert_close(run(model, gradients), want)


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


def test_n_hat_starts_as_m_hat_when_the_exponents_are_zero(gradients):
    model = models.RPSmallExtra()
    model.extra.alpha.data.zero_()
    m_hat = Features(("m_hat",))
    state, own = m_hat.init(gradients[0]), model.extra.init(gradients[0])
    for g in gradients:
        want, state = m_hat.step(g, state)
        got, own = model.extra(g, own)
        torch.testing.assert_close(got, want[:, 0], rtol=1e-4, atol=1e-5)


def test_n_hat_averages_the_papers_powers(gradients):
    """Two steps written out from SymL2O 4.3."""
    extra = models.RPSmallExtra().extra
    extra.k.data, extra.l.data = torch.tensor([0.3, 0.9]), torch.tensor([0.2, 0.7])
    extra.alpha.data = torch.tensor([0.25, 0.4])
    state = extra.init(gradients[0])
    for g in gradients[:2]:
        got, state = extra(g, state)
    size, sign = gradients[:2].abs(), gradients[:2].sign()
    first = sign * (0.3 * size**1.25 + 0.9 * size**0.75)
    second = 0.2 * size**2.4 + 0.7 * size**1.6
    weights = torch.tensor([[0.95], [1.0]]) / 1.95
    torch.testing.assert_close(
        got, (weights * first).sum(0) / (weights * second).sum(0).sqrt(), rtol=1e-4, atol=1e-5
    )


def test_every_learnable_exponent_gets_a_finite_gradient():
    model = models.RPSmallExtra()
    g = torch.tensor([0.0, 1e-30, 1.0, -2.0])
    update, _ = model(g, model.init_state(g))
    update.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.extra.parameters())
