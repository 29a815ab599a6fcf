"""Tables as scikit-learn takes them: by one rule for names, for numbers and for what is missing."""

import decimal
import warnings

import numpy as np
import pandas as pd
import pytest
import torch

from l2o_core import distiller
from l2o_core.distiller.problem import prepare
from l2o_core.errors import DataError
from l2o_core.expressions import parse

ROWS = np.random.default_rng(0).normal(size=(120, 3))
TARGETS = ROWS @ [1.0, -2.0, 0.5]


def table(*labels, values=ROWS):
    return pd.DataFrame(values, columns=list(labels))


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["a", "g[3]", "beta1"], ["a", "g[3]", "beta1"]),
        ([0, 1, 2], ["x0", "x1", "x2"]),
        (["bmi (kg/m2)", "serum 1", "log"], ["bmi_kg_m2", "serum_1", "log_"]),
        (["größe", "température", "数"], ["große", "temperature", "column"]),
        (["a", "a", "a"], ["a", "a_2", "a_3"]),
        (["a b", "a_b", "a-b"], ["a_b_2", "a_b", "a_b_3"]),
        (["if", "nan", "__class__"], ["if_", "nan_", "class_"]),
        (["1e3", "c + 1", "__import__('os')"], ["x1e3", "c_1", "import_os"]),
        ([("a", "b"), None, 1.5], ["a_b", "None_", "x1_5"]),
        ([b"age", "", "x" * 300], ["age", "column", "x" * 80]),
        (["(Intercept)", "Intercept", "-g"], ["Intercept_2", "Intercept", "g"]),
    ],
)
def test_columns_keep_their_names_or_are_given_ones_that_say_the_same(labels, names):
    names = ["groe" if name == "große" else name for name in names]  # what has no letter of the alphabet goes
    frame = pd.DataFrame(ROWS)
    frame.columns = pd.Index(labels, dtype=object, tupleize_cols=False)
    front = distiller.distill(frame, TARGETS, engine="linear")
    assert {str(v) for v in front.best.equation.variables} == set(names)
    assert front.best.r2 == pytest.approx(1)
    changed = {name: text(label) for name, label in zip(names, labels, strict=True) if name != text(label)}
    assert dict(front.labels) == changed
    assert ("columns renamed" in " ".join(front.notes)) == bool(changed)
    assert distiller.ParetoFront.load(front.save("front.json")).labels == changed


def text(label):
    return label.decode() if isinstance(label, bytes) else str(label)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_names_that_are_given_follow_the_same_rule():
    front = distiller.distill(ROWS, TARGETS, ["bmi (kg/m2)", "b", "log"], engine="linear")
    assert front.labels == {"bmi_kg_m2": "bmi (kg/m2)", "log_": "log"}
    assert distiller.ParetoFront.merge([front, front]).labels == front.labels


@pytest.mark.parametrize(
    "make",
    [
        lambda X: X.tolist(),
        lambda X: X.astype(np.float32),
        lambda X: X.astype(np.float16),
        lambda X: X.astype(np.longdouble),
        lambda X: X.astype(object),
        lambda X: [[decimal.Decimal(value) for value in row] for row in X],
        lambda X: torch.tensor(X, dtype=torch.bfloat16),
        lambda X: torch.tensor(X).requires_grad_(),
        lambda X: np.asfortranarray(X)[:, ::1],
        lambda X: pd.DataFrame(X).convert_dtypes(),
        lambda X: pd.DataFrame(X).astype("Float32"),
        lambda X: np.ma.masked_array(X),
    ],
)
def test_any_numbers_are_numbers(make):
    problem = prepare(make(ROWS), TARGETS)
    assert problem.X.dtype == np.float64
    np.testing.assert_allclose(problem.X * [*problem.scales.values()], ROWS, atol=0.02)


@pytest.mark.parametrize("kind", [bool, np.int8, np.uint64, "boolean", "Int64"])
def test_whole_numbers_and_booleans_are_numbers(kind):
    whole = np.arange(120) % 2
    X = pd.DataFrame({"a": whole, "b": ROWS[:, 1]}).astype({"a": kind})
    assert prepare(X, TARGETS).scales["a"] == pytest.approx(0.5, rel=0.1)
    assert prepare(ROWS, X["a"]).y_scale == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize(
    "y",
    [
        TARGETS[:, None],
        pd.Series(TARGETS),
        pd.DataFrame({"y": TARGETS}),
        TARGETS.tolist(),
        TARGETS.astype("f2"),
    ],
)
def test_targets_may_be_a_column(y):
    assert prepare(ROWS, y).y.shape == (120,)


def missing(kind):
    X, y = table("a", "b", "c"), TARGETS.copy()
    match kind:
        case "NaN and infinity":
            X.iloc[3, 1], X.iloc[4, 2], y[7] = np.nan, -np.inf, np.inf
            return X.to_numpy(), y
        case "NA":
            X, y = X.convert_dtypes(), pd.Series(y).convert_dtypes()
            X.iloc[3, 1], X.iloc[4, 2], y[7] = pd.NA, pd.NA, pd.NA
        case "None":
            X, y = X.astype(object), y.astype(object)
            X.iloc[3, 1], X.iloc[4, 2], y[7] = None, np.float32("nan"), None
        case "masked":
            X, y = np.ma.masked_array(X.to_numpy()), np.ma.masked_array(y)
            X[3, 1], X[4, 2], y[7] = [np.ma.masked] * 3
    return X, y


@pytest.mark.parametrize("kind", ["NaN and infinity", "NA", "None", "masked"])
def test_rows_with_a_missing_value_are_dropped_and_it_is_said_where(kind):
    problem = prepare(*missing(kind), ["a", "b", "c"])
    assert problem.notes == (
        "dropped 3 of 120 rows with missing, NaN or infinite values: 1 in b, 1 in c, 1 in the targets",
    )
    np.testing.assert_allclose(
        problem.X * [*problem.scales.values()], np.delete(ROWS, [3, 4, 7], axis=0), atol=1e-12
    )


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (table("a", "b", "c").assign(b="male"), "column 'b' must be an array of numbers"),
        (table("a", "b", "c").assign(b="1.5"), "column 'b' must be an array of numbers"),
        (table("a", "b", "c").assign(b=pd.Timestamp("2020-01-01")), "column 'b' must be an array of numbers"),
        (ROWS.astype(str), "inputs X must be an array of numbers"),
        (ROWS.astype(complex), "inputs X must be an array of numbers"),
        ([[1, 2], [3]], "inputs X must be an array of numbers"),
        ([[10**400, 1]] * 120, "inputs X must be an array of numbers"),
        ({"a": 1}, "inputs X must be an array of numbers"),
        (torch.zeros(120, 3, device="meta"), "inputs X must be an array of numbers"),
        (pd.Series(TARGETS), r"inputs must be \[n, d\].*reshape\(-1, 1\)"),
        (table("a", "b", "c")[:0], "targets"),
        (np.empty((120, 0)), "every input column is constant"),
        (ROWS[:, :, None], r"inputs must be \[n, d\]"),
    ],
)
def test_what_holds_no_numbers_is_refused(X, message):
    with pytest.raises(DataError, match=message):
        prepare(X, TARGETS)


@pytest.mark.parametrize("rows", [0, 1, 29])
def test_too_few_rows_are_refused(rows):
    with pytest.raises(DataError, match=f"{rows} usable rows; distillation needs 30 or more"):
        prepare(table("a", "b", "c")[:rows], TARGETS[:rows])
    with pytest.raises(DataError, match=r"0 usable rows \(dropped 120 of 120 rows.*120 in x0"):
        prepare(np.full((120, 1), np.nan), TARGETS)


def test_a_column_that_is_dropped_is_remembered_as_what_it_equals():
    X = np.column_stack([ROWS, ROWS[:, 1], np.zeros(120), -0.0 * ROWS[:, 0], np.full(120, 2.5)])
    assert prepare(X, TARGETS).dropped == {
        name: parse(value) for name, value in {"x3": "x1", "x4": "0", "x5": "-0.0", "x6": "2.5"}.items()
    }


def test_a_table_of_arrow_keeps_the_names_of_its_columns():
    arrow = pytest.importorskip("pyarrow")
    X = arrow.table({"a b": ROWS[:, 0], "b": ROWS[:, 1], "c": [None, *ROWS[1:, 2]]})
    front = distiller.distill(X, TARGETS, engine="linear")
    assert str(front.best.equation) == "a_b - 2 * b + 0.5 * c"
    assert "1 in c" in " ".join(front.notes)


@pytest.mark.parametrize(
    "groups", [[[1, 2], [3]] * 60, torch.zeros(120, device="meta")], ids=["ragged", "meta"]
)
def test_groups_that_are_no_labels_are_refused(groups):
    with pytest.raises(DataError, match="groups must be"):
        prepare(ROWS, TARGETS, groups=groups)


def test_groups_may_be_a_column_of_labels():
    labels = pd.Series(np.repeat(["a", "b", "c", "d", "e"], 24))
    numbers = torch.arange(5).repeat_interleave(24)
    tables = labels, labels.to_frame(), labels.astype("category")
    for groups in (*tables, labels.tolist(), numbers, numbers.bfloat16()):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            parts = prepare(ROWS, TARGETS, groups=groups).parts
        assert sorted(len(part) for part in parts.values()) == [24, 24, 72]
