"""Sums of exponentials in the place of weights, and what they cost."""

import numpy as np
import pytest

from l2o_core.errors import ConfigError
from l2o_core.optim._compile.exponential_sums import exponential_sum

LAGS = np.arange(40)


@pytest.mark.parametrize(
    ("amplitudes", "decays"), [([0.1], [0.7]), ([1.0, -0.5], [0.8, 0.3]), ([1.0, 0.4], [0.6, -0.4])]
)
def test_what_is_a_sum_of_exponentials_comes_back(amplitudes, decays):
    weights = np.array(decays) ** LAGS[:, None] @ np.array(amplitudes)
    found = exponential_sum(weights, tolerance=0.01)
    assert len(found.decays) == len(decays)
    np.testing.assert_allclose(sorted(found.decays), sorted(decays), atol=1e-3)
    np.testing.assert_allclose(found.weights(40), weights, atol=1e-4)


def test_the_bound_holds_for_the_worst_inputs():
    weights = 1 / (1.0 + LAGS) ** 2
    found = exponential_sum(weights, tolerance=0.05)
    assert found.error <= 0.05
    gap = found.weights(4000) - np.concatenate([weights, np.zeros(3960)])
    worst = np.sign(gap)  # inputs in [-1, 1]
    assert (gap @ worst) / weights.sum() == pytest.approx(found.error, rel=1e-6)


def test_fewer_terms_where_more_is_allowed():
    weights = 1 / (1.0 + LAGS) ** 2
    counts = [len(exponential_sum(weights, tolerance).decays) for tolerance in (0.3, 0.05)]
    assert counts == sorted(counts)
    assert counts[0] < counts[1]


def test_what_is_no_such_sum_is_left_alone():
    assert exponential_sum(np.random.default_rng(0).normal(size=20), tolerance=0.01) is None


@pytest.mark.parametrize(
    ("weights", "tolerance"), [([0, 0], 0.1), ([1, np.nan], 0.1), ([1, 0.5], 0), ([1], 2)]
)
def test_what_makes_no_sense_is_refused(weights, tolerance):
    with pytest.raises(ConfigError):
        exponential_sum(weights, tolerance)
