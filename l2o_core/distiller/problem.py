"""Rows to regress on: checked, scaled to unit variance, and split into three parts."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..errors import ConfigError, DataError, ExpressionError
from ..expressions import Expression, Variable, parse
from .dataset import Dataset
from .rows import Rows

MIN_ROWS = 30
PARTS = {"fit": 0.6, "select": 0.2, "test": 0.2}
"""Constants are fitted on `fit`, equations are chosen on `select`, and r2 is measured on `test`."""


@dataclass(frozen=True)
class Problem:
    """A regression problem as engines see it: rows scaled to unit variance and split; made by `prepare`.

    Args:
        X: Scaled inputs, `[n, d]`.
        y: Scaled targets, `[n]`.
        variables: Variables of the columns.
        scales: Unit of each column, by name: the inputs are `X * scales`.
        y_scale: Unit of the targets.
        parts: Row numbers by part: constants are fitted on `fit`, equations are chosen on `select`, and R2 is
            measured on `test`.
        notes: Sentences on what was dropped, and why.
        huber: Errors beyond so many standard deviations of the targets count linearly.
    """

    X: np.ndarray
    y: np.ndarray
    variables: tuple[Variable, ...]
    scales: dict[str, float]
    y_scale: float
    parts: dict[str, np.ndarray]
    notes: tuple[str, ...]
    huber: float = math.inf

    @property
    def fingerprint(self) -> str:
        """A digest of the data and of its split."""
        digest = hashlib.sha256(repr((self.names, self.y_scale, self.huber)).encode())
        for values in (self.X, self.y, *self.parts.values()):
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()[:16]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns, as variables print."""
        return tuple(map(str, self.variables))

    def rows(self, part: str) -> Rows:
        """Columns by name and targets of a part ("fit", "select" or "test"), float64, in scaled units."""
        X, y = torch.tensor(self.X[self.parts[part]].T), torch.tensor(self.y[self.parts[part]])
        return Rows(dict(zip(self.names, X.unbind(), strict=True)), y, self.huber)

    def unscaled(self, part: str) -> Rows:
        """Columns by name and targets of a part, float64, in the units of the data."""
        inputs, y, huber = self.rows(part)
        inputs = {name: self.scales[name] * x for name, x in inputs.items()}
        return Rows(inputs, self.y_scale * y, self.y_scale * huber)

    def in_scaled_units(self, equation: Expression) -> Expression:
        """An equation in the units of the data, rewritten for scaled inputs and targets."""
        columns = zip(self.variables, self.names, strict=True)
        unscaled = {name: self.scales[name] * Expression((v,)) for v, name in columns}
        return (1 / self.y_scale) * equation.substitute(unscaled)

    def in_original_units(self, equation: Expression) -> Expression:
        """An equation for scaled inputs and targets, rewritten in the units of the data."""
        columns = zip(self.variables, self.names, strict=True)
        scaled = {name: (1 / self.scales[name]) * Expression((v,)) for v, name in columns}
        return self.y_scale * equation.substitute(scaled)


def prepare(
    X: np.ndarray | Dataset,
    y: np.ndarray | None = None,
    names: Sequence[str] | None = None,
    groups: np.ndarray | None = None,
    seed: int = 0,
    huber: float | None = None,
) -> Problem:
    """Check, clean, scale and split rows, as `distill` does it before the search.

    Rows with NaN or infinity, constant columns and repeated columns are dropped, with a note. All lags of a
    feature share one scale, the standard deviation after the outermost 0.5 % on either side are set to the
    quantile, so that a few outliers do not set it.

    Args:
        X: Inputs `[n, d]`, or a `Dataset`, which brings its own targets, names and groups.
        y: Targets `[n]`.
        names: Names of the columns; default x0, x1, ...
        groups: The trajectory `[n]` that each row is from; whole trajectories go to one part.
        seed: Seed of the split.
        huber: Errors beyond so many standard deviations of the targets count linearly.

    Raises:
        DataError: For data that cannot be used.
        ConfigError: For names that do not fit, or arrays beside a `Dataset`.

    Example:
        >>> X = np.random.default_rng(0).normal(size=(100, 2)) * [1, 1000]
        >>> problem = prepare(X, X.sum(axis=1), ["g", "v"])
        >>> problem.X.std(axis=0).round(1).tolist(), {name: len(part) for name, part in problem.parts.items()}
        ([1.0, 1.0], {'fit': 60, 'select': 20, 'test': 20})
    """
    inputs, targets, names, groups = _arrays(X, y, names, groups)
    if huber is not None and not huber > 0:
        raise ConfigError(f"huber must be a positive number of standard deviations, not {huber!r}")
    variables, notes = _variables(names, inputs.shape[1]), []

    finite = np.isfinite(inputs).all(axis=1) & np.isfinite(targets)
    if not finite.all():
        notes.append(f"dropped {(~finite).sum()} of {len(targets)} rows with NaN or infinite values")
        inputs, targets, groups = inputs[finite], targets[finite], groups[finite]
    if len(targets) < MIN_ROWS:
        raise DataError(f"{len(targets)} usable rows; distillation needs {MIN_ROWS} or more")
    y_scale = _deviation(targets)
    if y_scale == 0:
        raise DataError(f"all targets are {targets[0]:g}: there is nothing to explain")

    informative = _informative(inputs, [str(v) for v in variables], notes)
    inputs, variables = inputs[:, informative], tuple(variables[i] for i in informative)
    features = {v.name: [i for i, w in enumerate(variables) if w.name == v.name] for v in variables}
    scale = {name: _deviation(inputs[:, columns]) for name, columns in features.items()}
    scales = {str(v): scale[v.name] for v in variables}
    return Problem(
        X=inputs / [*scales.values()],
        y=targets / y_scale,
        variables=variables,
        scales=scales,
        y_scale=y_scale,
        parts=_split(groups, seed),
        notes=tuple(notes),
        huber=math.inf if huber is None else float(huber),
    )


def _arrays(
    X: np.ndarray | Dataset,
    y: np.ndarray | None,
    names: Sequence[str] | None,
    groups: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray, Sequence[str] | None, np.ndarray]:
    """Inputs [n, d], targets [n], names if there are any, and groups [n], of shapes that fit."""
    if isinstance(X, Dataset):
        if not (y is None and names is None and groups is None):
            raise ConfigError("a Dataset brings its own targets, names and groups: give it alone")
        return _arrays(X.inputs, X.targets, X.names, X.groups)
    if y is None:
        raise DataError("inputs X need targets y beside them, or a Dataset in the place of both")
    X, y = _numbers(X, "inputs X"), _numbers(y, "targets y")
    if X.ndim != 2 or y.shape != X.shape[:1]:
        raise DataError(f"inputs must be [n, d] and targets [n], not {list(X.shape)} and {list(y.shape)}")
    groups = np.arange(len(y)) if groups is None else np.asarray(groups)
    if groups.shape != y.shape:
        raise DataError(f"groups must be [n] = [{len(y)}], not {list(groups.shape)}")
    return X, y, names, groups


def _numbers(values: np.ndarray, what: str) -> np.ndarray:
    try:
        values = values.detach().cpu() if isinstance(values, Tensor) else values
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{what} must be an array of numbers: {error}") from None


def _variables(names: Sequence[str] | None, columns: int) -> tuple[Variable, ...]:
    names = [f"x{i}" for i in range(columns)] if names is None else list(names)
    if len(names) != columns:
        raise ConfigError(f"{len(names)} names for {columns} columns")
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ConfigError(f"two columns share the name {', '.join(repeated)}")
    try:
        roots = {name: parse(name).root for name in names}
    except ExpressionError as error:
        raise ConfigError(f"a column's name must be a variable such as g[3]: {error}") from None
    variables = tuple(root for root in roots.values() if isinstance(root, Variable))
    for name, root in roots.items():
        if root not in variables:
            raise ConfigError(f"a column's name must be a variable such as g[3], not {name!r}")
    return variables


def _informative(X: np.ndarray, names: list[str], notes: list[str]) -> list[int]:
    """Indices of the columns that vary and do not repeat an earlier one."""
    seen: dict[bytes, str] = {}
    found = []
    for i, name in enumerate(names):
        if _deviation(X[:, i]) == 0:
            notes.append(f"dropped column {name}: constant")
        elif (twin := seen.setdefault(X[:, i].tobytes(), name)) != name:
            notes.append(f"dropped column {name}: the same as {twin}")
        else:
            found.append(i)
    if not found:
        raise DataError("every input column is constant: there is nothing to explain the targets with")
    return found


def _deviation(values: np.ndarray) -> float:
    """Standard deviation without the outermost 0.5 % on either side; 0 where only rounding varies."""
    largest = np.abs(values).max()
    if largest == 0:
        return 0.0
    values = values / largest  # neither 1e-200 nor 1e200 may leave the range when squared
    plain = values.std()
    if plain <= 1e-12:
        return 0.0
    low = np.quantile(values, 0.005, method="higher")
    high = np.quantile(values, 0.995, method="lower")
    robust = values.clip(low, high).std()
    return float(largest * (robust if robust > 1e-9 * plain else plain))


def _split(groups: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Row numbers of each part, in `PARTS`' proportions, whole groups together.

    The proportions are those of rows, also where groups are uneven; scikit-learn's GroupShuffleSplit counts
    groups, and would split the rows of the recorded fronts in another way.
    """
    labels, inverse, counts = np.unique(groups, return_inverse=True, return_counts=True)
    if len(labels) < len(PARTS):
        raise DataError(
            f"rows come from {len(labels)} trajectories (groups); holding out whole trajectories takes "
            f"{len(PARTS)} or more; leave groups out to hold out single rows"
        )
    order = np.random.default_rng(seed).permutation(len(labels))
    middle = (np.cumsum(counts[order]) - counts[order] / 2) / len(groups)
    edges = np.cumsum([*PARTS.values()])[:-1]
    part = np.searchsorted(edges, middle)
    part[0], part[-1] = 0, len(PARTS) - 1  # few, uneven groups: no part stays empty
    if 1 not in part:
        part[-2] = 1
    of_label = np.empty(len(labels), int)
    of_label[order] = part
    return {name: np.flatnonzero(of_label[inverse] == k) for k, name in enumerate(PARTS)}
