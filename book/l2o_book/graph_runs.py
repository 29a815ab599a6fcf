"""Trainings of graph networks by equations: one run, the choice among several, and the entry of a record.

Accuracies are in percent. A run whose loss is not finite has none: it is recorded as "nan", and counts as the
worst wherever it is compared.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from l2o_core.optim import SymbolicOptimizer
from l2o_core.storage import NO_CACHE, Cache
from l2o_core.tasks import GraphNetwork, NodeTraining, train_on_graph

from . import curves
from .contestants import Contestant


def trained(
    task: GraphNetwork, contestant: Contestant, epochs: int, seed: int, cache: Cache = NO_CACHE
) -> NodeTraining:
    """One network, trained by a contestant; a run that is in the cache is read."""
    key = {"task": task.identity, "optimizer": contestant.equation.identity, "rate": contestant.rate}

    def run() -> dict[str, Any]:
        optimizer = partial(SymbolicOptimizer.of, contestant.equation, lr=contestant.rate, compile=False)
        found = train_on_graph(task, optimizer, epochs=epochs, seed=seed)
        return {"losses": found.losses, "accuracies": found.accuracies}

    return NodeTraining(**cache.call("node trainings", key | {"epochs": epochs, "seed": seed}, run))


def entry(runs: Sequence[NodeTraining], constants: dict[str, float] | None = None) -> dict[str, Any]:
    """The runs of one contestant, a seed each: accuracies at the last and the best epoch, losses, curves.

    "last" is the test accuracy after the last epoch, "best" that after the epoch with the highest validation
    accuracy; "loss" is the mean training loss of the last ten epochs.
    """
    losses = torch.stack([run.losses for run in runs])
    steps, smoothed = curves.averaged(torch.cat([losses[:, :1], losses], dim=1))
    return {
        "last": [_percent(run, run.last) for run in runs],
        "best": [_percent(run, run.best) for run in runs],
        "loss": curves.ends(losses).tolist(),
        "steps": steps,
        "curves": smoothed,
        "constants": constants or None,
    }


def validation(
    task: GraphNetwork,
    contestants: Iterable[Contestant],
    epochs: int,
    seeds: Sequence[int],
    cache: Cache = NO_CACHE,
) -> list[float]:
    """Mean validation accuracy of each contestant after the last epoch; -inf if a run diverges."""
    found = []
    for contestant in contestants:
        runs = [trained(task, contestant, epochs, seed, cache) for seed in seeds]
        mean = float(np.mean([_percent(run, run.accuracies["choose"][-1].item()) for run in runs]))
        found.append(mean if math.isfinite(mean) else -math.inf)
    return found


def _percent(run: NodeTraining, share: float) -> float:
    return 100 * share if run.losses.isfinite().all() else math.nan
