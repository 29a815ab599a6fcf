"""Raw rows to a well-posed regression problem: cleaned, split by trajectory, scaled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import DataError, ExpressionError
from ..expressions import Variable, parse

HELD_OUT = 0.2
MIN_ROWS = 20


@dataclass(frozen=True)
class Problem:
    """Training and held-out rows in original units, the scales of columns and targets, and what was dropped.

    `X` [n, d], `y` [n], `train` [n] marks the training rows; `scales` [d] and `scale` are root-mean-square
    deviations on them, one for all lags of a feature; `variables`: one per column.
    """

    X: NDArray[np.float64]
    y: NDArray[np.float64]
    train: NDArray[np.bool_]
    scales: NDArray[np.float64]
    scale: float
    variables: list[Variable]
    notes: list[str]


def prepare(
    X: ArrayLike, y: ArrayLike, names: Sequence[str] | None, groups: ArrayLike | None, seed: int
) -> Problem:
    """Check, clean and split the rows; a fifth of the trajectories (or rows, without groups) is held out.

    Rows that are not finite and columns that are constant are dropped and noted. Raises DataError for
    shapes that do not fit, names that repeat or cannot stand in an equation, too few rows, constant targets.
    """
    X, y = _numbers(X, "X"), _numbers(y, "y")
    if X.ndim != 2 or y.shape != (len(X),):
        raise DataError(f"X must be [n, d] and y [n], not {list(X.shape)} and {list(y.shape)}")
    variables = _variables(names, X.shape[1])
    group = np.arange(len(y)) if groups is None else np.asarray(groups)
    if group.shape != y.shape:
        raise DataError(f"groups must be [n] like y, not {list(group.shape)}")
    notes = []
    finite = np.isfinite(X).all(1) & np.isfinite(y)
    if not finite.all():
        notes.append(f"{(~finite).sum()} of {len(y)} rows were dropped: NaN or infinity in them")
        X, y, group = X[finite], y[finite], group[finite]
    if len(y) < MIN_ROWS:
        raise DataError(f"{len(y)} usable rows are too few: give at least {MIN_ROWS}")
    train = _split(group, seed)
    scale = float(y[train].std())
    if not scale > 1e-300 or y[train].max() == y[train].min():
        raise DataError("the targets are constant: there is nothing to learn")
    scales = X[train].std(0)
    varies = (X[train].max(0) > X[train].min(0)) & (scales > 1e-300)
    if not varies.all():
        gone = ", ".join(str(v) for v, kept in zip(variables, varies, strict=True) if not kept)
        notes.append(f"constant columns were dropped: {gone}")
        variables = [v for v, kept in zip(variables, varies, strict=True) if kept]
        X, scales = X[:, varies], scales[varies]
    if not variables:
        raise DataError("every column is constant: there is nothing to learn from")
    return Problem(X, y, train, _shared(scales, variables), scale, variables, notes)


def _numbers(values: ArrayLike, name: str) -> NDArray[np.float64]:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} must hold numbers only: {error}") from error


def _variables(names: Sequence[str] | None, columns: int) -> list[Variable]:
    names = [f"x{i}" for i in range(columns)] if names is None else list(names)
    if len(names) != columns:
        raise DataError(f"{len(names)} names for {columns} columns")
    if repeated := {name for name in names if names.count(name) > 1}:
        raise DataError(f"names must differ; {min(repeated)!r} stands for several columns")
    variables = []
    for name in names:
        try:
            variables.append(parse(name).root)
        except ExpressionError as error:
            raise DataError(f"the column name {name!r} cannot stand in an equation: {error}") from error
        if not isinstance(variables[-1], Variable):
            raise DataError(f"the column name {name!r} is not a variable, like g[3]")
    return variables


def _split(group: NDArray, seed: int) -> NDArray[np.bool_]:
    """True for training rows: whole groups are held out, at least one, never all."""
    labels = np.unique(group)
    if len(labels) == 1:
        raise DataError("one trajectory cannot be split: give rows of at least two groups, or no groups")
    shuffled = np.random.default_rng(seed).permutation(labels)
    held_out = shuffled[: max(1, round(HELD_OUT * len(labels)))]
    return ~np.isin(group, held_out)


def _shared(scales: NDArray[np.float64], variables: list[Variable]) -> NDArray[np.float64]:
    """One scale for all lags of a feature, so that a sum over lags keeps its shape."""
    names = np.array([v.name for v in variables])
    mean_square = {name: np.square(scales[names == name]).mean() for name in set(names.tolist())}
    return np.sqrt([mean_square[v.name] for v in variables])
