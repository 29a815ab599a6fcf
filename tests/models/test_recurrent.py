"""The LSTM optimizers against their papers, one coordinate and one step at a time."""

import pytest
import torch

from l2o_core import models
from l2o_core.features import log_and_sign


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


@pytest.mark.parametrize("model", [models.DM(), models.RP()], ids=["DM", "RP"])
def test_coordinates_do_not_see_each_other(model, gradients):
    together = run(model, gradients)
    alone = run(model, gradients[:, 4:5])
    torch.testing.assert_close(together[:, 4:5], alone)


def test_rp_moves_no_coordinate_by_more_than_its_scale(gradients):
    assert run(models.RP(scale=0.01), 1e6 * gradients).abs().max() <= 0.01


def test_rp_does_not_see_the_scale_of_the_gradient(gradients):
    model = models.RP()
    torch.testing.assert_close(run(model, gradients), run(model, 1e4 * gradients), rtol=1e-4, atol=1e-7)
