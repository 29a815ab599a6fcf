"""Rows to regress on: checked, scaled to unit variance, and split into three parts."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from .. import arguments
from ..errors import DataError
from ..expressions import Expression, Variable, const
from . import tables
from .dataset import Dataset
from .rows import Rows

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike

MIN_ROWS = 30
MAX_SCALE = 1e300
SQUARES = 1e-120, 1e120
"""Standard deviations of targets between which squares of small errors, and of large ones, are floats."""
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
        notes: Sentences on what was dropped or renamed, and why.
        huber: Errors beyond so many standard deviations of the targets count linearly.
        given: Variables of all columns in their order, also of those that are dropped.
        dropped: What each dropped column equals, by name: a constant, or a column that is kept.
        labels: By name, the label in the user's table of each column that could not keep it.
    """

    X: np.ndarray
    y: np.ndarray
    variables: tuple[Variable, ...]
    scales: dict[str, float]
    y_scale: float
    parts: dict[str, np.ndarray]
    notes: tuple[str, ...]
    huber: float = math.inf
    given: tuple[Variable, ...] = ()
    dropped: Mapping[str, Expression] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def unit(self) -> float:
        """The unit of losses, which is 1, or that of the targets where their squares are no floats."""
        return 1.0 if SQUARES[0] < self.y_scale < SQUARES[1] else self.y_scale

    @property
    def fingerprint(self) -> str:
        """A digest of the data, their units and what was dropped, and of the split."""
        dropped = {name: str(instead) for name, instead in self.dropped.items()}
        told = (self.names, self.scales, self.y_scale, self.huber, dropped)
        digest = hashlib.sha256(repr(told).encode())
        for values in (self.X, self.y, *self.parts.values()):
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()[:16]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns in their order, dropped ones among them."""
        return tuple(map(str, self.given))

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
        rows = self.rows(part)
        inputs = {name: self.scales[name] * x for name, x in rows.inputs.items()}
        return Rows(inputs, self.y_scale * rows.y, self.y_scale * rows.huber / self.unit, self.unit)

    def in_scaled_units(self, equation: Expression) -> Expression:
        """An equation in the units of the data, rewritten for scaled inputs and targets.

        What it says of a dropped column, it then says of what that column equals.
        """
        columns = zip(self.variables, self.names, strict=True)
        unscaled = {name: self.scales[name] * Expression((v,)) for v, name in columns}
        return (1 / self.y_scale) * equation.substitute(self.dropped).substitute(unscaled)

    def in_original_units(self, equation: Expression) -> Expression:
        """An equation for scaled inputs and targets, rewritten in the units of the data."""
        columns = zip(self.variables, self.names, strict=True)
        scaled = {name: (1 / self.scales[name]) * Expression((v,)) for v, name in columns}
        return self.y_scale * equation.substitute(scaled)


def prepare(
    X: ArrayLike | pd.DataFrame | Dataset,
    y: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    groups: ArrayLike | None = None,
    seed: int = 0,
    huber: float | None = None,
) -> Problem:
    """Check, clean, scale and split rows, as `distill` does it before the search.

    Rows with a missing value, NaN or infinity, constant columns and columns that repeat another are dropped,
    with a note. All lags of a feature share one scale, the standard deviation after the outermost 0.5 % on
    either side are set to the quantile, so that a few outliers do not set it.

    Args:
        X: Inputs `[n, d]`, an array or a table, or a `Dataset`, which brings its own targets, names and
            groups.
        y: Targets `[n]` or `[n, 1]`.
        names: Names of the columns; default a table's own, else x0, x1, ... One that is no variable, such as
            "bmi (kg/m2)", is written as one, bmi_kg_m2, with a note.
        groups: The trajectory `[n]` that each row is from; whole trajectories go to one part.
        seed: Seed of the split.
        huber: Errors beyond so many standard deviations of the targets count linearly.

    Raises:
        DataError: For data that cannot be used.
        ConfigError: For names that do not fit, arrays beside a `Dataset`, or a negative seed.

    Example:
        >>> X = np.random.default_rng(0).normal(size=(100, 2)) * [1, 1000]
        >>> problem = prepare(X, X.sum(axis=1), ["g", "v"])
        >>> problem.X.std(axis=0).round(1).tolist(), {name: len(part) for name, part in problem.parts.items()}
        ([1.0, 1.0], {'fit': 60, 'select': 20, 'test': 20})
    """
    if huber is not None:
        huber = arguments.positive("huber", huber, "standard deviations", infinite=True)
    seed = arguments.seed("seed", seed)
    table = tables.read(X, y, names, groups)
    whole, gaps = tables.incomplete(table)
    notes = tables.renamed(table.labels) + gaps
    inputs, targets, split_by = (values[whole] for values in (table.inputs, table.targets, table.groups))
    if len(targets) < MIN_ROWS:
        lost = "".join(f" ({gap})" for gap in gaps)
        raise DataError(f"{len(targets)} usable rows{lost}; distillation needs {MIN_ROWS} or more")
    y_scale = _deviation(targets)
    if y_scale == 0:
        raise DataError(f"all targets are {targets[0]:g}: there is nothing to explain")

    informative, dropped = _informative(inputs, table.variables, notes)
    inputs, variables = inputs[:, informative], tuple(table.variables[i] for i in informative)
    features = {v.name: [i for i, w in enumerate(variables) if w.name == v.name] for v in variables}
    scale = {name: _deviation(inputs[:, columns]) for name, columns in features.items()}
    scales = {str(v): scale[v.name] for v in variables}
    for what, size in [("the targets", y_scale), *scales.items()]:
        if not 1 / MAX_SCALE < size < MAX_SCALE:
            raise DataError(f"{what}: {size:.0e} is at the end of the floats' range; use another unit")
    if not SQUARES[0] < y_scale < SQUARES[1]:
        notes.append(
            f"the targets vary by {y_scale:.0e}, whose square is no float: losses are in units of it"
        )
    return Problem(
        X=inputs / [*scales.values()],
        y=targets / y_scale,
        variables=variables,
        scales=scales,
        y_scale=y_scale,
        parts=split_groups(split_by, seed),
        notes=tuple(notes),
        huber=math.inf if huber is None else huber,
        given=table.variables,
        dropped=dropped,
        labels=table.labels,
    )


def _informative(
    X: np.ndarray, variables: Sequence[Variable], notes: list[str]
) -> tuple[list[int], dict[str, Expression]]:
    """Indices of the columns that vary and do not repeat an earlier one, and what the others equal."""
    seen: dict[bytes, Variable] = {}
    found: list[int] = []
    dropped: dict[str, Expression] = {}
    for i, variable in enumerate(variables):
        if _deviation(X[:, i]) == 0:
            notes.append(f"dropped column {variable}: constant")
            dropped[str(variable)] = const(float(X[0, i]))
        elif (twin := seen.setdefault((X[:, i] + 0.0).tobytes(), variable)) != variable:
            notes.append(f"dropped column {variable}: the same as {twin}")
            dropped[str(variable)] = Expression((twin,))
        else:
            found.append(i)
    if not found:
        raise DataError("every input column is constant: there is nothing to explain the targets with")
    return found, dropped


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


def split_groups(groups: np.ndarray, seed: int) -> dict[str, np.ndarray]:
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
