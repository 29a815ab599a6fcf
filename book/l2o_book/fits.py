"""Other fits of the rows that an equation was distilled from, to compare its R2 with."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np

from l2o_core import metrics
from l2o_core.distiller import Dataset, prepare
from l2o_core.models import LearnedOptimizer

from .mapping import updates
from .pipeline import SPLIT_SEED


def held_out(data: Dataset) -> Dataset:
    """The rows on which the R2 of a front is measured: no search and no choice has seen them."""
    rows = prepare(data, seed=SPLIT_SEED).parts["test"]
    return replace(
        data,
        inputs=data.inputs[rows],
        targets=data.targets[rows],
        groups=data.groups[rows],
        memory=tuple(part[rows] for part in data.memory),
        origin={key: values[rows] for key, values in data.origin.items()},
    )


def network(data: Dataset) -> float:
    """Held-out R2 of a perceptron with two layers of 64, on inputs cut off at ten standard deviations."""
    from sklearn.neural_network import MLPRegressor

    problem = prepare(data, seed=SPLIT_SEED)
    train = np.concatenate([problem.parts["fit"], problem.parts["select"]])
    X, y, test = problem.X.clip(-10, 10), problem.y, problem.parts["test"]
    fitted = MLPRegressor(hidden_layer_sizes=(64, 64), max_iter=60, early_stopping=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says when 60 epochs were too few
        fitted.fit(X[train], y[train])
    return float(fitted.score(X[test], y[test]))


def restarted(optimizer: LearnedOptimizer, data: Dataset) -> float:
    """R2 of the optimizer itself, restarted with an empty memory at the beginning of each window.

    It is what the steps of a window alone determine; the rest depends on what came before.
    """
    return metrics.r2(data.targets, updates(optimizer, data).double().numpy())
