"""Optimizers compared on one problem: their training and losses in a record, a ranking and a figure.

`result` is the entry of one optimizer in a record: its runs are one for each training seed and, within a
seed, one for each instance. `results` holds the entries of several, by label.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from . import curves, plots

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from l2o_core.meta import History
    from l2o_core.models import LearnedOptimizer

Result = Mapping[str, Any]
TICKS = (0.001, 0.01, 0.1, 0.2, 0.5, 1, 1.5, 2)


def result(runs: Tensor, rate: str | None = None) -> dict[str, Any]:
    """The entry of an optimizer with losses [R, T + 1] and learning rate `rate`.

    Smoothed curves, and for each run its loss averaged over all steps and over the last ten.
    """
    steps, smoothed = curves.averaged(runs)
    mean, end = runs.mean(1).tolist(), curves.ends(runs).tolist()
    return {"steps": steps, "curves": smoothed, "mean": mean, "end": end, "lr": rate}


def training(found: Sequence[tuple[LearnedOptimizer, History]]) -> dict[str, Any]:
    """The entry for the meta-training of one kind of optimizer, trained with several seeds."""
    histories = [history for _, history in found]
    return {
        "seconds": [history.seconds for history in histories],
        "validation": [history.validation for history in histories],
        "diverged": [len(history.diverged) for history in histories],
        "weights": sum(weights.numel() for weights in found[0][0].parameters()),
        "epochs": len(histories[0].losses),
    }


def by_seed(result: Result, instances: int, key: str = "end") -> list[float]:
    """The mean over instances for each training seed; hand-made rules have a single one."""
    return np.reshape(result[key], (-1, instances)).mean(1).tolist()


def of_seed(result: Result, number: int, instances: int) -> dict[str, Any]:
    """The entry with the runs of one training seed only."""
    rows = slice(number * instances, (number + 1) * instances)
    return dict(result) | {key: result[key][rows] for key in ("curves", "mean", "end")}


def ranking(results: Mapping[str, Result], key: str = "end") -> list[str]:
    """Labels from the lowest mean loss up; optimizers that diverged come last."""
    means = {label: float(np.mean(found[key])) for label, found in results.items()}
    return sorted(means, key=lambda label: means[label] if math.isfinite(means[label]) else math.inf)


def draw(ax: Axes, results: Mapping[str, Result], labels: Iterable[str], **line: Any) -> None:
    """Curves of the labelled optimizers, median and central 68 % of the runs, on a log axis from 3 down."""
    for label in labels:
        plots.band(ax, results[label]["curves"], label, x=results[label]["steps"], **line)
    lowest = np.nanmin([np.mean(found["end"]) for found in results.values()])
    ax.set(yscale="log", ylim=(0.7 * lowest, 3))
    coarse = lowest < 0.1
    ticks = [tick for tick in TICKS if tick > 0.7 * lowest and not (coarse and tick in (0.2, 0.5, 1.5, 2))]
    ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
