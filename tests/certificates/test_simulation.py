"""Descent on quadratics, coordinate by coordinate as the optimizer descends."""

import numpy as np
import pytest
import torch

from l2o_core.certificates import descend
from l2o_core.errors import ConfigError
from l2o_core.optim import SymbolicOptimizer


@pytest.mark.parametrize("rule", ["adam", "momentum", "-m_hat[1] - 0.1 * theta"])
def test_the_optimizer_takes_the_same_steps(rule):
    curvatures = torch.tensor([0.5, 1.0, 4.0], dtype=torch.float64)
    x = torch.nn.Parameter(torch.full((3,), 2.0, dtype=torch.float64))
    optimizer = SymbolicOptimizer([x], rule, lr=0.1, compile=False)
    for _ in range(20):
        optimizer.zero_grad()
        (curvatures * x**2 / 2).sum().backward()
        optimizer.step()
    way = descend(rule, 0.1, curvatures.numpy(), steps=20, start=2.0)
    assert way.shape == (21, 3)
    assert way[-1] == pytest.approx(x.detach().numpy(), rel=1e-9)


def test_rates_and_curvatures_broadcast():
    way = descend("sgd", np.array([[0.1], [0.2]]), np.array([1.0, 2.0, 3.0]), steps=1)
    assert way[1] == pytest.approx(np.array([[0.9, 0.8, 0.7], [0.8, 0.6, 0.4]]))


def test_numbers_of_numpy_and_what_is_none():
    assert descend("sgd", 0.5, 1.0, steps=np.int64(3), start=np.float32(2)).tolist() == [2, 1, 0.5, 0.25]
    with pytest.raises(ConfigError, match="start must be a finite number"):
        descend("sgd", 0.5, 1.0, start=float("nan"))
