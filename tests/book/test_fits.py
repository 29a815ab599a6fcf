"""Other fits of the rows of an equation."""

import numpy as np
import pytest
from l2o_book import fits

from l2o_core.distiller import Dataset
from l2o_core.expressions import parse


@pytest.fixture
def data():
    inputs = np.random.default_rng(0).normal(size=(2000, 2))
    return Dataset(inputs, np.abs(inputs[:, 0]), ["g[0]", "g[1]"], np.arange(2000) // 100)


def test_trees_fit_what_is_not_linear_and_the_same_each_time(data):
    found = fits.trees(data)
    assert found > 0.95
    assert fits.trees(data) == found


def test_an_equation_is_scored_on_fitted_rows_and_held_out_trajectories(data):
    assert fits.fitted(parse("sqrt(g[0]^2)"), data) == pytest.approx(1)
    low, high = fits.interval(parse("0.5 * sqrt(g[0]^2) + 0.4"), data)
    assert 0.7 < low < high < 0.8


def test_intervals_are_written_one_after_another():
    assert fits.written([(0.707, 0.84), (0.6, 0.8)]) == "0.71 to 0.84; 0.60 to 0.80"
