"""An optimizer run through its own recorded windows repeats its updates, from the first step on."""

import numpy as np
import pytest
import torch

from l2o_core import distiller, metrics, models, tasks
from l2o_core.distiller import Dataset, replay
from l2o_core.errors import DataError
from l2o_core.features import Features

LAGS, STEPS = 4, 9
EQUATION = models.Equation("0.5 * u[1] - 0.01 * b - 0.02 * g[2]", beta1=0.5)
OPTIMIZERS = {
    "DM": models.DM,
    "RP": models.RP,
    "RPSmallExtra": models.RPSmallExtra,
    "RPSmall": models.RPSmall,
    "an equation with a memory": lambda: EQUATION,
}


def recorded(optimizer, lags=LAGS, samples=200, **options):
    return distiller.collect(
        optimizer, tasks.load("p1"), lags=lags, samples=samples, steps=STEPS, instances=8, **options
    )


def from_the_first_step(optimizer, lag):
    """Sensitivity to a lag, by differentiating the optimizer along runs that reach back so far."""
    data = recorded(optimizer, lags=STEPS, samples=8 * 2 * STEPS)
    windows = torch.tensor(data.inputs).float().requires_grad_()
    squares = []
    for row, step in enumerate(data.origin["step"]):
        now = optimizer.init_memory(torch.zeros(1))
        for back in reversed(range(step)):
            inputs = windows[row : row + 1, back::STEPS]
            update, now = optimizer.update(inputs, now)
        slope = torch.autograd.grad(update.sum(), windows)[0][row, lag].item()
        squares += [slope**2] if step > lag else []
    return np.sqrt(np.mean(squares)), data


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_repeats_every_recorded_update(name):
    torch.manual_seed(0)
    optimizer = OPTIMIZERS[name]()
    data = recorded(optimizer)
    assert {1, LAGS - 1, LAGS, STEPS} <= set(data.origin["step"])
    again = replay(optimizer, data).double()
    torch.testing.assert_close(again, torch.tensor(data.targets), rtol=1e-4, atol=1e-7)


def test_without_its_memory_only_the_first_windows_are_repeated():
    torch.manual_seed(0)
    optimizer = models.RPSmall()
    data = recorded(optimizer)
    same = np.isclose(replay(optimizer, data, memory=False), data.targets, rtol=1e-4, atol=1e-9)
    assert same[data.origin["step"] <= LAGS].all()
    assert not same[data.origin["step"] > LAGS].any()


@pytest.mark.parametrize("lag", [0, 1, 5])
def test_sensitivities_of_a_network_are_those_of_its_whole_run(lag):
    torch.manual_seed(0)
    optimizer = models.DM()
    expected, data = from_the_first_step(optimizer, lag)
    assert metrics.sensitivities(optimizer, data)["g"][lag] == pytest.approx(expected, rel=1e-4)


def test_rows_without_a_step_are_whole_windows():
    rows = Dataset(np.ones((3, 2)), np.ones(3), ["g[0]", "g[1]"], np.arange(3))
    assert replay(models.Equation("-g - 0.5 * g[1]"), rows).tolist() == [-1.5] * 3


def test_an_optimizer_of_other_features_is_given_raw_gradients():
    rule = models.Equation("-0.01 * b", beta1=0.5)
    data = recorded(rule, features=Features(("g",)))
    weights = -0.01 * 0.5 ** np.arange(LAGS)
    assert np.allclose(replay(rule, data), data.inputs @ weights, rtol=1e-4, atol=1e-7)
    adam = models.Equation("-0.01 * m_hat", beta1=0.5, beta2=0.5)
    early = recorded(adam, features=Features(("g",)))
    first = early.origin["step"] <= LAGS
    assert np.allclose(replay(adam, early)[first], early.targets[first], rtol=1e-4, atol=1e-7)


def test_data_that_an_optimizer_cannot_read_is_refused():
    with pytest.raises(DataError, match="reads b, the data has m_hat, g_hat"):
        replay(models.Equation("-0.01 * b", beta1=0.5), recorded(models.RPSmall()))
    with pytest.raises(DataError, match="no column has a lag"):
        replay(models.DM(), Dataset(np.ones((3, 1)), np.ones(3), ["x"], np.arange(3)))


def test_the_memory_of_another_optimizer_is_no_past():
    data = recorded(models.RP(), lags=6)
    rule = models.Equation("-0.01 * m_hat[0] - 0.02 * m_hat[4] + 0 * g_hat[0]")
    for other in (rule, models.Equation("-0.01 * m_hat - 0.01 * g_hat"), models.RPSmall()):
        with pytest.raises(DataError, match="another optimizer's; memory=False begins with none"):
            replay(other, data)
    m_hat = dict(zip(data.names, data.inputs.T, strict=True))
    expected = -0.01 * m_hat["m_hat[0]"] - 0.02 * m_hat["m_hat[4]"]
    assert replay(rule, data, memory=False).numpy() == pytest.approx(expected, rel=1e-5, abs=1e-8)


def test_an_optimizer_may_read_some_of_the_features_in_another_order():
    data = recorded(models.RP())
    columns = dict(zip(data.names, data.inputs.T, strict=True))
    swapped = replay(models.Equation("-0.01 * g_hat[1] - 0.02 * m_hat"), data, memory=False)
    expected = -0.01 * columns["g_hat[1]"] - 0.02 * columns["m_hat[0]"]
    assert swapped.numpy() == pytest.approx(expected, rel=1e-5, abs=1e-8)
    alone = replay(models.Equation("-0.02 * g_hat"), data, memory=False)
    assert alone.numpy() == pytest.approx(-0.02 * columns["g_hat[0]"], rel=1e-5, abs=1e-8)


def test_windows_with_gaps_are_refused():
    rows = Dataset(np.ones((3, 2)), np.ones(3), ["g[0]", "g[2]"], np.arange(3))
    with pytest.raises(DataError, match=r"the data lacks g\[1\]"):
        replay(models.Equation("-g"), rows)
