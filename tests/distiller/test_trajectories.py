"""Trajectories hold every step of some coordinates, of the optimizer that is asked and of whoever drives."""

import numpy as np
import pytest
import torch

from l2o_core import models, tasks
from l2o_core.distiller import Trajectories, collect, record
from l2o_core.errors import ConfigError, DataError
from l2o_core.features import Features

SMALL = {"steps": 12, "instances": 6, "per_layer": 5}


def test_updates_are_the_rule_applied_to_the_features():
    rule = models.Equation("0.5 * u[1] - 0.01 * g")
    way = record(rule, tasks.load("p1"), **SMALL)
    assert way.updates.shape == way.features["g"].shape == (12, 30)
    expected = torch.zeros(30, dtype=torch.float64)
    for g, update in zip(way.features["g"], way.updates, strict=True):
        expected = 0.5 * expected - 0.01 * g
        torch.testing.assert_close(update, expected, rtol=1e-5, atol=1e-7)


def test_the_same_seed_gives_the_same_trajectories_and_another_one_others():
    rule = models.Equation("-0.01 * g")
    first, again = (record(rule, tasks.load("p1"), **SMALL) for _ in range(2))
    other = record(rule, tasks.load("p1"), seed=1, **SMALL)
    assert torch.equal(first.updates, again.updates)
    assert not torch.equal(first.updates, other.updates)


def test_a_driver_moves_the_optimizee_and_the_optimizer_says_what_it_would_do():
    teacher, driver = models.Equation("-0.01 * g"), models.Equation("-0.002 * g")
    labelled = record(teacher, tasks.load("p1"), driver=driver, **SMALL)
    driven = record(driver, tasks.load("p1"), **SMALL)
    torch.testing.assert_close(labelled.features["g"], driven.features["g"])
    torch.testing.assert_close(labelled.updates, -0.01 * driven.features["g"])


def test_features_are_the_optimizers_own_or_those_that_are_asked_for():
    assert [*record(models.RP(), tasks.load("p1"), **SMALL).features] == ["m_hat", "g_hat"]
    way = record(models.RP(), tasks.load("p1"), features=Features(["g", "v"], beta2=0.9), **SMALL)
    assert [*way.features] == ["g", "v"]
    assert way.options["beta2"] == 0.9


def test_the_bound_of_a_teacher_comes_with_its_trajectories():
    assert record(models.RP(scale=0.1), tasks.load("p1"), **SMALL).bound == 0.1
    assert record(models.DM(), tasks.load("p1"), **SMALL).bound is None


def test_rollouts_that_diverge_are_left_out_and_if_all_do_it_is_said():
    with pytest.raises(DataError, match="every one of 6 trajectories on p1 diverged"):
        record(models.Equation("1e30 * g^2"), tasks.load("p1"), **SMALL)


def test_windows_are_those_of_collected_rows():
    rule, options = models.Equation("-0.01 * g - 0.005 * g[2]"), {"lags": 3, "samples": 200}
    data = record(rule, tasks.load("p1"), steps=12, instances=5).windows(**options)
    assert data.names == collect(rule, tasks.load("p1"), steps=12, instances=5, **options).names
    np.testing.assert_allclose(data.targets, data.inputs @ [-0.01, 0, -0.005], rtol=1e-4, atol=1e-6)


def way(**changes) -> Trajectories:
    g = torch.arange(12.0).view(4, 3)
    return Trajectories(**{"features": {"g": g}, "updates": -g, "groups": np.array([0, 0, 1])} | changes)


def test_arrays_do_as_well_as_tensors():
    g = np.arange(8.0, dtype=np.float32).reshape(4, 2)
    found = Trajectories({"g": g}, (-g).tolist(), np.arange(2))
    assert found.features["g"].dtype == found.updates.dtype == torch.float64
    assert torch.equal(found.updates, -torch.tensor(g).double())


def test_the_seed_of_windows_is_not_negative():
    with pytest.raises(ConfigError, match="seed must be a whole number, 0 or more"):
        way().windows(lags=2, samples=4, seed=-1)


def test_some_coordinates_and_the_first_steps():
    part = way().select(np.array([0, 2]), 2)
    assert part.updates.tolist() == [[0, -2], [-3, -5]]
    assert part.groups.tolist() == [0, 1]
    assert way().select(np.array([False, True, False])).coordinates == 1


def test_rollouts_of_different_recordings_stay_different():
    both = Trajectories.concatenate([way(), way(groups=np.array([4, 4, 4]))])
    assert both.groups.tolist() == [0, 0, 1, 2, 2, 2]
    assert both.updates.shape == (4, 6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"updates": torch.zeros(3, 3)}, r"g is \[4, 3\], the updates are \[3, 3\]"),
        ({"updates": torch.full((4, 3), torch.nan)}, "updates is not finite"),
        ({"features": {}}, "features by name"),
        ({"features": {"p": torch.zeros(4, 3)}}, "'p' is no feature"),
        ({"groups": np.zeros(2)}, "label for each of 3"),
    ],
)
def test_what_makes_no_trajectories_is_refused(changes, message):
    with pytest.raises(DataError, match=message):
        way(**changes)


def test_only_what_fits_is_joined():
    for other in (way(bound=1.0), way(options={"beta1": 0.9}), way().select(np.arange(3), 2)):
        with pytest.raises(DataError, match="can be joined"):
            Trajectories.concatenate([way(), other])
    with pytest.raises(DataError, match="no trajectories"):
        Trajectories.concatenate([])


def test_a_rollout_has_a_step():
    with pytest.raises(ConfigError, match="steps must be a whole number, 1 or more"):
        record(models.DM(), tasks.load("p1"), steps=0)
