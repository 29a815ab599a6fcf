"""What is dropped is noted, what cannot be used is refused, and units go out as they came in."""

import numpy as np
import pytest

from l2o_core.distiller.problem import prepare
from l2o_core.errors import ConfigError, DataError
from l2o_core.expressions import parse


@pytest.fixture
def rows():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(200, 3))
    return X, X @ [1.0, 2.0, 3.0]


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e6])
def test_scaled_to_unit_variance_and_back(rows, scale):
    X, y = rows
    problem = prepare(scale * X, y / scale, ["g[0]", "g[1]", "v"])
    assert problem.X.std(axis=0) == pytest.approx(1, rel=0.1)
    assert problem.y.std() == pytest.approx(1, rel=0.1)
    inputs = problem.rows("test").inputs
    scaled = parse("2 * g[0] - 3 * v + g[1]^2")
    original = problem.in_original_units(scaled)
    unscaled = {name: problem.scales[name] * x for name, x in inputs.items()}
    np.testing.assert_allclose(original.evaluate(unscaled), problem.y_scale * scaled.evaluate(inputs))


def test_one_outlier_does_not_set_the_scale(rows):
    X, y = rows
    X[0, 2] = 1e6
    assert prepare(X, y).scales["x2"] == pytest.approx(1, rel=0.2)


def test_all_lags_of_a_feature_share_a_scale(rows):
    X, y = rows
    problem = prepare(X * [1, 2, 5], y, ["g[0]", "g[1]", "v"])
    assert problem.scales["g[0]"] == problem.scales["g[1]"] != problem.scales["v"]


def test_whole_groups_go_to_one_part(rows):
    X, y = rows
    groups = np.arange(200) // 20
    parts = prepare(X, y, groups=groups, seed=3).parts
    assert sorted(np.concatenate([*parts.values()])) == list(range(200))
    assert [len(set(groups[rows])) for rows in parts.values()] == [6, 2, 2]
    assert len({group for rows in parts.values() for group in set(groups[rows])}) == 10


@pytest.mark.parametrize("groups", [3, 4])
def test_no_part_stays_empty(rows, groups):
    X, y = rows
    uneven = np.minimum(np.arange(200) // 5, groups - 1)
    assert all(len(part) for part in prepare(X, y, groups=uneven).parts.values())


def test_what_is_dropped_is_noted(rows):
    X, y = rows
    X = np.column_stack([X, np.full(200, 7.0), X[:, 0]])
    X[5, 0] = X[5, 4] = np.nan
    y[9] = np.inf
    problem = prepare(X, y)
    assert problem.names == ("x0", "x1", "x2")
    assert len(problem.y) == 198
    assert problem.notes == (
        "dropped 2 of 200 rows with missing, NaN or infinite values: 1 in x0, 1 in x4, 1 in the targets",
        "dropped column x3: constant",
        "dropped column x4: the same as x0",
    )
    assert problem.dropped == {"x3": parse("7"), "x4": parse("x0")}
    assert problem.columns == ("x0", "x1", "x2", "x3", "x4")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (X[:, 0], y), r"inputs must be \[n, d\]"),
        (lambda X, y: (X, y[:-1]), "targets"),
        (lambda X, y: (X, 0 * y + 3), "all targets are 3"),
        (lambda X, y: (X, 0 * y + 3 + 1e-15 * X[:, 0]), "all targets are 3"),
        (lambda X, y: (0 * X, y), "every input column is constant"),
        (lambda X, y: (X[:10], y[:10]), "10 usable rows"),
        (lambda X, y: (X * np.nan, y), "0 usable rows"),
        (lambda X, y: (np.full((200, 1), "a"), y), "array of numbers"),
    ],
)
def test_rows_that_cannot_be_used(rows, change, message):
    with pytest.raises(DataError, match=message):
        prepare(*change(*rows))


def test_too_few_trajectories(rows):
    with pytest.raises(DataError, match="2 trajectories"):
        prepare(*rows, groups=np.arange(200) // 100)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "b"], "2 names for 3 columns"),
        (["a", "b", "a"], "share the name a"),
        (["g[3]", "b", "g [3]"], r"share the name g\[3\]"),
    ],
)
def test_names_that_do_not_fit(rows, names, message):
    with pytest.raises(ConfigError, match=message):
        prepare(*rows, names)


def test_the_seed_of_the_split_is_not_negative(rows):
    with pytest.raises(ConfigError, match="seed must be a whole number, 0 or more"):
        prepare(*rows, seed=-1)
