"""Curves get smaller and stay what they were."""

import torch
from l2o_book import curves

RUNS = torch.linspace(1, 0, 101).expand(2, 101) ** 2


def test_thinned_curves_are_points_of_the_curves():
    steps, values = curves.thinned(RUNS, 11)
    assert steps == list(range(0, 101, 10))
    torch.testing.assert_close(torch.tensor(values), RUNS[:, ::10], rtol=5e-4, atol=0)


def test_averages_are_over_equal_stretches_without_the_start():
    steps, values = curves.averaged(RUNS, 25)
    assert (steps[0], steps[-1]) == (2.5, 98.5)
    assert values[0][0] == float(f"{RUNS[0, 1:5].mean():.4g}")


def test_any_number_of_steps_can_be_averaged():
    for steps in (1, 7, 30, 99):
        middles, values = curves.averaged(RUNS[:, : steps + 1], 25)
        assert len(middles) == len(values[0]) == min(25, steps)
        assert 1 <= middles[0] <= middles[-1] <= steps


def test_the_end_is_a_mean_over_the_last_steps():
    torch.testing.assert_close(curves.ends(RUNS, 10), RUNS[:, -10:].mean(1))
