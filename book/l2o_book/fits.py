"""Other fits of the rows that an equation was distilled from, to compare its R2 with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from l2o_core import metrics
from l2o_core.distiller import Dataset, prepare, replay
from l2o_core.expressions import Expression
from l2o_core.models import LearnedOptimizer

from .mapping import equation_updates
from .pipeline import SPLIT_SEED

TREES = 200


def held_out(data: Dataset) -> Dataset:
    """The rows on which the R2 of a front is measured: no search and no choice has seen them."""
    return _part(data, "test")


def _part(data: Dataset, *names: str) -> Dataset:
    parts = prepare(data, seed=SPLIT_SEED).parts
    rows = np.concatenate([parts[name] for name in names])
    return replace(
        data,
        inputs=data.inputs[rows],
        targets=data.targets[rows],
        groups=data.groups[rows],
        memory=tuple(part[rows] for part in data.memory),
        origin={key: values[rows] for key, values in data.origin.items()},
    )


def trees(data: Dataset) -> float:
    """Held-out R2 of boosted trees on the same inputs, stopped where they fit the rows for choices best."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    problem = prepare(data, seed=SPLIT_SEED)
    X, y, parts = problem.X, problem.y, problem.parts
    with threadpool_limits(1):  # sums of several threads differ in their last digits
        model = HistGradientBoostingRegressor(max_iter=TREES, early_stopping=False, random_state=0)
        model.fit(X[parts["fit"]], y[parts["fit"]])
        tried, stages = (list(model.staged_predict(X[parts[part]])) for part in ("select", "test"))
    choices = [metrics.r2(y[parts["select"]], stage) for stage in tried]
    return metrics.r2(y[parts["test"]], stages[int(np.argmax(choices))])


def interval(equation: Expression, data: Dataset) -> tuple[float, float]:
    """95 % interval of the held-out R2 of an equation, by the bootstrap over the held-out trajectories."""
    rows = held_out(data)
    return metrics.r2_interval(rows.targets, equation_updates(equation, rows), rows.groups)


def written(bounds: Iterable[Sequence[float]]) -> str:
    """Intervals for a table: "0.71 to 0.84; 0.66 to 0.80"."""
    return "; ".join(f"{low:.2f} to {high:.2f}" for low, high in bounds)


def fitted(equation: Expression, data: Dataset) -> float:
    """R2 of an equation on the rows that it was fitted to and chosen by."""
    rows = _part(data, "fit", "select")
    return metrics.r2(rows.targets, equation_updates(equation, rows))


def restarted(optimizer: LearnedOptimizer, data: Dataset) -> float:
    """R2 of the optimizer itself, restarted with an empty memory at the beginning of each window.

    It is what the steps of a window alone determine; the rest depends on what came before.
    """
    return metrics.r2(data.targets, replay(optimizer, data, memory=False).double().numpy())
