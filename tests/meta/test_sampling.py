"""A sample of the coordinates stands for all of them."""

import pytest
import torch

from l2o_core import models
from l2o_core.meta.estimators import TBPTT
from l2o_core.meta.sampling import stratified
from l2o_core.tasks import Rastrigin


class TwoLayers(Rastrigin):
    """P1 with its ten coordinates called two layers, as unequal as a weight and a bias."""

    def __init__(self):
        super().__init__()
        self.layers = {"w": 9, "b": 1}


def draw(fraction, generator, instances=3):
    return stratified(TwoLayers(), instances, fraction, generator, torch.zeros(1))


def test_everything_is_each_coordinate_once():
    sample = draw(1.0, torch.Generator())
    assert sample.coordinates.sort().values.tolist() == list(range(30))
    assert torch.equal(sample.weights, torch.ones(30))


def test_every_layer_is_represented():
    """A tenth of three biases is less than one coordinate; one is drawn all the same."""
    sample = draw(0.1, torch.Generator().manual_seed(0))
    biases = sample.coordinates % 10 == 9
    assert biases.sum() == 1
    assert sample.weights[biases].tolist() == [3.0]
    assert sample.weights[~biases].sum() == 27


@pytest.mark.parametrize("fraction", [0.1, 0.4, 0.77])
def test_every_coordinate_counts_as_one_on_average(fraction):
    generator, draws = torch.Generator().manual_seed(0), 4000
    total = torch.zeros(30)
    for _ in range(draws):
        sample = draw(fraction, generator)
        total.index_add_(0, sample.coordinates, sample.weights)
    torch.testing.assert_close(total / draws, torch.ones(30), rtol=0, atol=0.2)


def test_the_mean_of_sampled_gradients_is_the_exact_one():
    """Within four standard errors of the mean over draws, in every parameter of a small LSTM."""
    torch.manual_seed(0)
    model, task = models.RPSmall(hidden=2, projection=2, scale=0.1), TwoLayers()

    def gradient(fraction, draw):
        model.zero_grad()
        estimator = TBPTT(model, task, seed=0, instances=4, fraction=fraction)
        estimator.generator.manual_seed(draw)
        estimator.unroll(4)
        return torch.cat([p.grad.flatten() for p in model.parameters()])

    exact = gradient(1.0, 0)
    draws = torch.stack([gradient(0.3, k) for k in range(150)])
    error = draws.std(0) / len(draws) ** 0.5
    assert ((draws.mean(0) - exact).abs() <= 4 * error + 1e-6 * exact.abs().max()).all()
