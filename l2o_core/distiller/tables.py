"""Inputs, targets and groups from whatever scikit-learn takes, by one rule for each question.

**Numbers.** Lists, arrays, tensors, tables (pandas, polars, Arrow) of numbers and booleans become float64. A
missing value (None, NA, NaN, a masked entry) becomes NaN, whose row `prepare` drops with a note. Text is
refused, also where it looks like a number; so are dates and complex numbers.

**Names.** A table's columns keep their labels where these are variables of the language ("bmi", "g[3]").
Else accents go, whatever is no letter or digit becomes "_", a name that begins with a digit is preceded by
"x", one that means something else ("log", "if") is followed by "_", and one that is taken by "_2", "_3" ...
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from ..errors import ConfigError, DataError, ExpressionError
from ..expressions import Variable, parse
from .dataset import Dataset

SHOWN = 8
"""Columns that one note names."""


class Table(NamedTuple):
    """Rows as `prepare` takes them.

    `inputs` [n, d] and `targets` [n], NaN where a value is missing; `groups` [n]; `variables` [d]; `labels`:
    by variable, the label of each column that could not keep it.
    """

    inputs: np.ndarray
    targets: np.ndarray
    groups: np.ndarray
    variables: tuple[Variable, ...]
    labels: dict[str, str]


def read(X: Any, y: Any, names: Sequence[Any] | None, groups: Any) -> Table:
    """Rows of matching shapes. Raises DataError or ConfigError for anything else."""
    if isinstance(X, Dataset):
        if not (y is None and names is None and groups is None):
            raise ConfigError("a Dataset brings its own targets, names and groups: give it alone")
        return read(X.inputs, X.targets, X.names, X.groups)
    if hasattr(X, "column_names") and hasattr(X, "to_pandas"):  # Arrow's, whose `columns` have no names
        X = X.to_pandas()
    if y is None:
        raise DataError("inputs X need targets y beside them, or a Dataset in the place of both")
    inputs, targets = _inputs(X), numbers(y, "targets y")
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    if inputs.ndim != 2 or targets.shape != inputs.shape[:1]:
        shapes = f"{list(inputs.shape)} and {list(targets.shape)}"
        one = "; X.reshape(-1, 1) makes a table of one column" if inputs.ndim == 1 else ""
        raise DataError(f"inputs must be [n, d] and targets [n], not {shapes}{one}")
    columns, others = variables(_labels(X, names, inputs.shape[1]), unique=names is not None)
    return Table(inputs, targets, _groups(groups, len(targets)), columns, others)


def _inputs(X: Any) -> np.ndarray:
    if not _is_frame(X):
        return numbers(X, "inputs X")
    parts = (X.iloc[:, i] if hasattr(X, "iloc") else X[:, i] for i in range(len(X.columns)))
    columns = [numbers(part, f"column {label!r}") for label, part in zip(X.columns, parts, strict=True)]
    return np.column_stack(columns) if columns else np.empty((len(X), 0))


def _is_frame(X: Any) -> bool:
    return hasattr(X, "columns") and hasattr(X, "to_numpy")


def numbers(values: Any, what: str) -> np.ndarray:
    """Anything like an array as float64, NaN where a value is missing. DataError for what is no number."""
    if hasattr(values, "toarray"):
        raise DataError(f"{what} must be an array of numbers: this one is sparse, give its toarray()")
    try:
        if isinstance(values, Tensor):
            values = values.detach().cpu().double()
        if isinstance(values, np.ma.MaskedArray):
            return np.where(np.ma.getmaskarray(values), np.nan, numbers(values.data, what))
        array = np.asarray(values)
        if array.dtype.kind == "O":
            if texts := [value for value in array.flat if isinstance(value, str | bytes)]:
                raise TypeError(f"it holds the text {min(texts, key=_reads_as_number)[:20]!r}")
            return np.array([_number(value) for value in array.flat], np.float64).reshape(array.shape)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise DataError(f"{what} must be an array of numbers: {error}") from None
    if array.dtype.kind not in "biuf":
        raise DataError(f"{what} must be an array of numbers, not of {array.dtype}")
    with np.errstate(over="ignore"):  # of a longer float type: infinity, whose row is dropped
        return array.astype(np.float64)


def _number(value: Any) -> float:
    if _is_missing(value):
        return np.nan
    return float(value)


def _reads_as_number(text: str | bytes) -> bool:
    """Whether a text looks like a number, so that another one is what is wrong with its column."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_missing(value: Any) -> bool:
    if value is None or value is np.ma.masked or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))


def _labels(X: Any, names: Sequence[Any] | None, count: int) -> list[Any]:
    if names is None:
        return list(X.columns) if _is_frame(X) else [f"x{i}" for i in range(count)]
    try:
        names = list(names)
    except TypeError:
        raise ConfigError(f"names must be a list with a name for each column, not {names!r}") from None
    if len(names) != count:
        raise ConfigError(f"{len(names)} names for {count} columns")
    return names


def variables(labels: Iterable[Any], unique: bool) -> tuple[tuple[Variable, ...], dict[str, str]]:
    """A variable for each label, and the labels of those that could not keep it.

    Labels that repeat are refused if they must be `unique`.
    """
    labels = [label.decode(errors="replace") if isinstance(label, bytes) else str(label) for label in labels]
    kept: dict[Variable, int] = {}
    for i, label in enumerate(labels):
        variable = _as_variable(label)
        if variable is not None and unique and variable in kept:
            raise ConfigError(f"two columns share the name {variable}")
        if variable is not None:
            kept.setdefault(variable, i)
    found = {i: variable for variable, i in kept.items()}
    taken, last = {str(variable) for variable in kept}, dict[str, int]()
    for i, label in enumerate(labels):
        if i in found:
            continue
        base = name = _identifier(label)
        while name in taken:
            last[base] = last.get(base, 1) + 1
            name = f"{base}_{last[base]}"
        taken.add(name)
        found[i] = Variable(name)
    first = {*kept.values()}
    others = {str(found[i]): label for i, label in enumerate(labels) if i not in first}
    return tuple(found[i] for i in range(len(labels))), others


def _as_variable(label: str) -> Variable | None:
    try:
        expression = parse(label)
    except ExpressionError:
        return None
    variable = expression.root
    if isinstance(variable, Variable) and str(variable) == "".join(label.split()):
        return variable
    return None  # "(g)" is no name, though it reads as one


def _identifier(label: str) -> str:
    """A label as a name of the language, see above."""
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")[:80] or "column"
    name = f"x{name}" if name[0].isdigit() else name
    return name if _as_variable(name) else f"{name}_"


def renamed(labels: dict[str, str]) -> list[str]:
    """A note on columns that are called otherwise; none without any."""
    if not labels:
        return []
    shown = [f"{label!r} is {name}" for name, label in labels.items()]
    more = f", and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
    return [f"columns renamed: {', '.join(shown[:SHOWN])}{more}"]


def incomplete(table: Table) -> tuple[np.ndarray, list[str]]:
    """Which rows have all their values [n], and a note on the others, if any."""
    columns = [*zip(map(str, table.variables), ~np.isfinite(table.inputs.T), strict=True)]
    gaps = {name: int(bad.sum()) for name, bad in (*columns, ("the targets", ~np.isfinite(table.targets)))}
    gaps = {name: count for name, count in gaps.items() if count}
    whole = np.isfinite(table.inputs).all(axis=1) & np.isfinite(table.targets)
    if not gaps:
        return whole, []
    where = [f"{count} in {name}" for name, count in gaps.items()]
    more = f", and {len(where) - SHOWN} more columns" if len(where) > SHOWN else ""
    lost = f"dropped {(~whole).sum()} of {len(whole)} rows with missing, NaN or infinite values"
    return whole, [f"{lost}: {', '.join(where[:SHOWN])}{more}"]


def _groups(groups: Any, count: int) -> np.ndarray:
    """Labels [n] that can be compared. DataError where one is missing."""
    if groups is None:
        return np.arange(count)
    masked = np.ma.getmaskarray(groups) if isinstance(groups, np.ma.MaskedArray) else None
    try:
        labels = np.asarray(groups.detach().cpu().tolist() if isinstance(groups, Tensor) else groups)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(f"groups must be a list of labels: {error}") from None
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (count,):
        raise DataError(f"groups must be [n] = [{count}], not {list(labels.shape)}")
    missing = np.array([_is_missing(label) for label in labels.tolist()], bool)
    missing |= False if masked is None else masked.reshape(count)
    if missing.any():
        raise DataError(
            f"groups: {missing.sum()} of {count} labels are missing, the first in row {missing.argmax()}: "
            "name the trajectory of each row, or leave these rows out"
        )
    try:
        np.unique(labels)
    except TypeError:
        raise DataError("groups must be labels of one kind, all of them text or all numbers") from None
    return labels
