"""Collected rows hold what the optimizer saw and what it did."""

import numpy as np
import pytest
import torch

from l2o_core import distiller, models, tasks
from l2o_core.errors import ConfigError, DataError
from l2o_core.features import Features

SETTING = {"lags": 4, "samples": 500, "steps": 12, "instances": 5}


def test_targets_are_the_rule_applied_to_the_inputs():
    rule = models.Equation("-0.01 * g - 0.005 * g[3]")
    data = distiller.collect(rule, tasks.load("p1"), **SETTING)
    assert data.names == ["g[0]", "g[1]", "g[2]", "g[3]"]
    np.testing.assert_allclose(data.targets, data.inputs @ [-0.01, 0, 0, -0.005], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("model", "features"), [(models.RPSmall(), 2), (models.RPSmallExtra(), 3)])
def test_features_come_one_after_another_newest_first(model, features):
    data = distiller.collect(model, tasks.load("p1"), **SETTING)
    assert data.inputs.shape == (500, 4 * features)
    assert data.names[:5] == ["m_hat[0]", "m_hat[1]", "m_hat[2]", "m_hat[3]", "g_hat[0]"]


def test_a_row_is_a_window_of_one_trajectory():
    """The gradient at lag 1 of a row is that at lag 0 of the step before, or 0 before the first."""
    data = distiller.collect(models.DM(), tasks.load("p1"), **SETTING)
    assert set(data.groups) <= set(range(5))
    assert np.isin(data.inputs[:, 1], [*data.inputs[:, 0], 0.0]).mean() > 0.5
    again = distiller.collect(models.DM(), tasks.load("p1"), **SETTING)
    assert not np.array_equal(data.targets, again.targets)  # other weights
    torch.manual_seed(0)
    first = distiller.collect(model := models.DM(), tasks.load("p1"), **SETTING)
    second = distiller.collect(model, tasks.load("p1"), **SETTING)
    np.testing.assert_array_equal(first.inputs, second.inputs)


def test_fewer_steps_than_lags_are_refused():
    with pytest.raises(DataError, match="windows of 20 lags need 20 steps or more, the trajectory has 10"):
        distiller.collect(models.DM(), tasks.load("p1"), lags=20, steps=10)


def test_diverged_trajectories_are_left_out():
    with pytest.raises(DataError, match="every one of 5 trajectories on p1 diverged"):
        distiller.collect(models.Equation("-1e30 * g"), tasks.load("p1"), **SETTING)


def test_other_features_than_its_own_can_be_recorded():
    adam = models.Equation("-0.01 * m / (sqrt(v) + 1e-8)", beta1=0.9, beta2=0.9)
    data = distiller.collect(adam, tasks.load("p1"), features=Features(("g",)), **SETTING)
    own = distiller.collect(adam, tasks.load("p1"), **SETTING)
    assert data.names == ["g[0]", "g[1]", "g[2]", "g[3]"]
    np.testing.assert_array_equal(data.targets, own.targets)
    first = data.origin["step"] == 1  # m / sqrt(v) is then the sign of the gradient
    np.testing.assert_allclose(data.targets[first], -0.01 * np.sign(data.inputs[first, 0]), rtol=1e-3)


def test_every_row_knows_where_it_comes_from():
    task = tasks.load("digits")
    data = distiller.collect(models.Equation("-0.01 * g"), task, lags=3, samples=400, steps=10, instances=4)
    assert set(data.origin) == {"task", "layer", "step"}
    assert set(data.origin["layer"]) == set(task.layers)
    assert set(data.origin["step"]) == set(range(1, 11))
    assert not data.inputs[data.origin["step"] == 1, 1:].any()  # nothing before the first gradient


def test_time_is_a_column_where_it_is_asked_for():
    rule = models.Equation("-0.01 * g")
    data = distiller.collect(rule, tasks.load("p1"), time=True, **SETTING)
    assert data.names[-1] == "t"
    np.testing.assert_array_equal(data.inputs[:, -1], data.origin["step"])


def test_rows_of_several_tasks_join_and_stay_apart():
    parts = [
        distiller.collect(models.Equation("-0.01 * g"), tasks.load(name), lags=2, samples=200, instances=4)
        for name in ("p1", "digits")
    ]
    data = distiller.Dataset.concatenate(parts)
    assert len(data) == 400
    assert set(data.groups[:200]).isdisjoint(data.groups[200:])
    assert set(data.origin["task"]) == {"p1", "digits"}
    with pytest.raises(DataError, match="no data sets to join"):
        distiller.Dataset.concatenate([])
    with pytest.raises(DataError, match="same columns"):
        distiller.Dataset.concatenate([parts[0], distiller.collect(models.DM(), tasks.load("p1"), **SETTING)])


def test_rows_of_different_optimizers_join_without_their_memories():
    parts = [
        distiller.collect(model, tasks.load("p1"), lags=2, samples=20, steps=5, instances=2)
        for model in (models.RP(), models.RPSmall(), models.RPSmall())
    ]
    assert distiller.Dataset.concatenate(parts).memory == ()
    same = distiller.Dataset.concatenate(parts[1:])
    assert [len(part) for part in same.memory] == [40, 40]


@pytest.mark.parametrize(
    ("option", "message"),
    [({"samples": -1}, "samples must be a whole number, 1 or more"),
     ({"samples": 0}, "samples must be a whole number, 1 or more"),
     ({"steps": 2.5}, "steps must be a whole number, 1 or more"),
     ({"lags": 0}, "lags must be a whole number, 1 or more"),
     ({"instances": 0}, "instances must be a whole number, 1 or more"),
     ({"per_layer": 0}, "per_layer must be a whole number, 1 or more")],
)  # fmt: skip
def test_numbers_below_one_are_refused_by_name(option, message):
    with pytest.raises(ConfigError, match=message):
        distiller.collect(models.DM(), tasks.load("p1"), **SETTING | option)


ROWS = {"inputs": np.ones((6, 2)), "targets": np.ones(6), "names": ["a", "b"], "groups": np.arange(6)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"inputs": np.ones(6)}, r"inputs must be \[n, d\], rows by columns, not \[6\]"),
     ({"targets": np.ones(3)}, r"targets must be \[n\] = \[6\], as the inputs, not \[3\]"),
     ({"targets": np.ones((6, 1))}, r"targets must be .* not \[6, 1\]"),
     ({"groups": np.arange(5)}, r"groups must be \[n\] = \[6\], as the inputs, not \[5\]"),
     ({"names": ["a"]}, "names must hold one for each of 2 columns, not 1"),
     ({"memory": (torch.ones(5, 3),)}, r"memory 0 must be \[n, ...\] = \[6, ...\].* not \[5, 3\]"),
     ({"origin": {"step": np.ones(4)}}, r"origin 'step' must be \[n\] = \[6\], as the inputs, not \[4\]")],
)  # fmt: skip
def test_parts_that_are_not_one_for_each_row_or_column_are_refused(changes, message):
    with pytest.raises(DataError, match=message):
        distiller.Dataset(**ROWS | changes)


HISTORY = {"features": {"g": torch.ones(5, 3)}, "targets": torch.ones(5, 3), "groups": torch.arange(3)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"targets": torch.ones(3, 3)}, r"g must be \[3, 3\], as the targets \[3, 3\], not \[5, 3\]"),
     ({"targets": torch.ones(5)}, r"targets must be \[T, N\], steps by coordinates, not \[5\]"),
     ({"groups": torch.arange(2)}, r"groups must be \[3\], as the targets \[5, 3\], not \[2\]"),
     ({"memory": (torch.ones(4, 3, 7),)}, r"memory 0 must be \[5, 3\].* not \[4, 3\]"),
     ({"layers": np.array(["a"])}, r"layers must be \[3\].* not \[1\]")],
)  # fmt: skip
def test_histories_of_other_shapes_are_refused(changes, message):
    with pytest.raises(DataError, match=message):
        distiller.sample_windows(**HISTORY | changes, lags=2, samples=4)


def test_the_seed_of_windows_is_not_negative():
    with pytest.raises(ConfigError, match="seed must be a whole number, 0 or more"):
        distiller.sample_windows(**HISTORY, lags=2, samples=4, seed=-1)


class TestSave:
    def test_labels_that_are_objects_become_text(self, tmp_path):
        labels = np.array(["a", "a", "b"], object)
        rows = distiller.Dataset(np.eye(3), np.arange(3.0), ["x", "y", "z"], labels, origin={"task": labels})
        again = distiller.Dataset.load(rows.save(tmp_path / "rows.npz"))
        assert again.groups.tolist() == again.origin["task"].tolist() == ["a", "a", "b"]

    def test_rows_come_back_as_they_were(self, tmp_path):
        teacher = models.RPSmallExtra()
        rows = distiller.collect(teacher, tasks.load("p1"), lags=3, samples=50, steps=5, instances=2)
        again = distiller.Dataset.load(rows.save(tmp_path / "kept" / "rows.npz"))
        assert again.names == rows.names
        for name in ("inputs", "targets", "groups"):
            np.testing.assert_array_equal(getattr(again, name), getattr(rows, name))
        assert len(again.memory) == len(rows.memory) > 0
        assert all(torch.equal(a, b) for a, b in zip(again.memory, rows.memory, strict=True))
        assert again.origin.keys() == rows.origin.keys() == {"task", "layer", "step"}
        assert all((again.origin[key] == rows.origin[key]).all() for key in rows.origin)

    def test_another_file_is_refused(self, tmp_path):
        np.savez(tmp_path / "rows.npz", inputs=np.zeros((2, 1)))
        with pytest.raises(DataError, match="no targets and no names and no groups"):
            distiller.Dataset.load(tmp_path / "rows.npz")
        np.savez(tmp_path / "rows.npz", **ROWS | {"targets": np.ones(3)})
        with pytest.raises(DataError, match=r"rows\.npz does not hold the rows .* targets must be \[n\]"):
            distiller.Dataset.load(tmp_path / "rows.npz")
        (tmp_path / "rows.npz").write_bytes(b"PK")
        with pytest.raises(DataError, match=r"not a \.npz file"):
            distiller.Dataset.load(tmp_path / "rows.npz")


@pytest.mark.parametrize("watch", [distiller.collect, distiller.record])
def test_the_name_of_a_task_is_none(watch):
    with pytest.raises(ConfigError, match=r'a task is wanted, not \'p2\'; tasks.load\("p2"\) makes one'):
        watch(models.RPSmall(), "p2")
