"""Optimizers compared on one problem: their training and losses in a record, a ranking and a figure.

`result` is the entry of one optimizer in a record: its runs are one for each training seed and, within a
seed, one for each instance. `results` holds the entries of several, by label.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from . import baselines, curves, plots

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from l2o_core.meta import History
    from l2o_core.models import LearnedOptimizer

Result = Mapping[str, Any]
GUESSING = math.log(10)
"""The cross-entropy of ten equal probabilities."""
TICKS = (0.001, 0.01, 0.1, 0.2, 0.5, 1, 1.5, 2)


def result(runs: Tensor, constants: Mapping[str, float] | None = None) -> dict[str, Any]:
    """The entry of an optimizer with losses [R, T + 1] and, if it is a hand-made rule, its tuned constants.

    Smoothed curves, and for each run its loss averaged over all steps and over the last ten.
    """
    steps, smoothed = curves.averaged(runs)
    mean, end = runs.mean(1).tolist(), curves.ends(runs).tolist()
    return {"steps": steps, "curves": smoothed, "mean": mean, "end": end, "constants": constants}


def evaluated(
    optimizers: Mapping[str, Sequence[LearnedOptimizer]],
    losses: Callable[[list[LearnedOptimizer], int], Iterable[Tensor]],
    seeds: Iterable[int],
) -> dict[str, Tensor]:
    """The losses [seeds * instances, T + 1] of each contestant by label, for `result`.

    A contestant has an optimizer for each training seed, or a single one. Each seed has starts of its own, on
    which all contestants run, so that differences by seed also hold the luck of the starts.
    `losses` gives the losses [instances, T + 1] of some optimizers on the starts of a seed.
    """
    runs: dict[str, list[Tensor]] = {label: [] for label in optimizers}
    for number, seed in enumerate(seeds):
        field = [of[number] if len(of) > 1 else of[0] for of in optimizers.values()]
        for found, of_one in zip(runs.values(), losses(field, seed), strict=True):
            found.append(of_one)
    return {label: torch.cat(found) for label, found in runs.items()}


def constants(entry: Result) -> str | None:
    """The tuned constants of a hand-made rule, for a table; older records have its learning rate only."""
    if entry.get("constants"):
        return baselines.text(entry["constants"])
    return f"rate {entry['lr']}" if entry.get("lr") else None


def tuning(record: Mapping[str, Any]) -> str:
    """How the hand-made rules of a record were tuned, as "hand-made rules are ..."."""
    if "trials" in record:
        return f"tuned over all their constants with {record['trials']} trials each"
    return "tuned in their learning rates only"


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
    """The mean over instances for each training seed; of hand-made rules, for the starts of each.

    In older records hand-made rules have a single one.
    """
    return np.reshape(result[key], (-1, instances)).mean(1).tolist()


def of_seed(result: Result, number: int, instances: int) -> dict[str, Any]:
    """The entry with the runs of one training seed only."""
    rows = slice(number * instances, (number + 1) * instances)
    return dict(result) | {key: result[key][rows] for key in ("curves", "mean", "end")}


def guessing(results: Mapping[str, Result], instances: int) -> list[str]:
    """The optimizers that end within 2 % of the loss of guessing, as "DM (2 of 3 seeds)"."""
    words = []
    for name, one in results.items():
        ends = by_seed(one, instances)
        if stuck := sum(abs(end - GUESSING) < 0.02 * GUESSING for end in ends):
            words.append(name if stuck == len(ends) else f"{name} ({stuck} of {len(ends)} seeds)")
    return words


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
