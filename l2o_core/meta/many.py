"""Many trainings side by side, one core each: twenty steps of one LSTM are too little work for two cores."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

from .. import models
from ..arguments import whole
from ..errors import L2OError, optional_import
from ..models.base import LearnedOptimizer
from ..processes import deaf_children, end_with
from .history import History
from .recipes import Recipe

Job = tuple[str, int]


def train_teachers(
    recipes: Sequence[Recipe],
    seeds: Sequence[int],
    folder: str | Path,
    workers: int = 2,
    progress: bool = True,
    device: str = "cpu",
    pretrained: bool = False,
) -> dict[str, list[tuple[LearnedOptimizer, History]]]:
    """Follow every recipe with every seed, each in a process of its own with one thread.

    Args:
        recipes: Those to be followed; their names must differ.
        seeds: Of each recipe.
        folder: Where weights and checkpoints are: a finished training is read back, a stopped one goes on.
        workers: Processes side by side.
        progress: Show a progress bar of the trainings.
        device: Where the work is done, such as "cuda"; the processes share it.
        pretrained: Take the pretrained model of the very recipe and seed, with the history of its card, where
            there is one and the folder has none.

    Returns:
        By recipe, the trained optimizers and their histories, in the order of the seeds.

    Raises:
        L2OError: As `Recipe.train` does, once the other trainings have ended; and where one is killed.
        ConfigError: For fewer than one worker.
    """
    workers = whole("workers", workers, 1)
    with optional_import("training side by side", extra="distill"):
        from joblib import Parallel, delayed, parallel_config
        from joblib.externals.loky import BrokenProcessPool, get_reusable_executor
        from tqdm.auto import tqdm

    shipped = {
        (recipe.name, seed): name
        for recipe in recipes
        for seed in seeds
        if pretrained and isinstance(name := recipe.source(seed, folder), str)
    }
    jobs = [
        delayed(_train)(recipe, seed, folder, device, os.getpid())
        for seed in seeds
        for recipe in recipes
        if (recipe.name, seed) not in shipped
    ]
    histories: dict[Job, History] = {
        job: History.from_summary(models.describe(name)["training"]["history"])
        for job, name in shipped.items()
    }
    errors: list[L2OError] = []
    count = max(1, min(workers, len(jobs)))  # a process that is given nothing to do would outlive this one
    with parallel_config("loky", n_jobs=count, inner_max_num_threads=1):
        try:
            with deaf_children():
                ended = Parallel(return_as="generator_unordered")(jobs)
            for job, outcome in tqdm(ended, total=len(jobs), unit="teacher", disable=not progress):
                if isinstance(outcome, L2OError):
                    errors.append(outcome)
                else:
                    histories[job] = outcome
        except BrokenProcessPool as broken:
            raise L2OError(
                "a training was killed, for want of memory perhaps; start again, and it goes on from its "
                "checkpoint, with fewer workers if need be"
            ) from broken
        except KeyboardInterrupt:
            get_reusable_executor().shutdown(wait=True, kill_workers=True)
            raise
    for error in errors:
        raise error

    def trained(recipe: Recipe, seed: int) -> LearnedOptimizer:
        job = (recipe.name, seed)
        return recipe.read(shipped.get(job) or recipe.path(folder, seed), seed)

    return {
        recipe.name: [(trained(recipe, seed), histories[recipe.name, seed]) for seed in seeds]
        for recipe in recipes
    }


def _train(
    recipe: Recipe, seed: int, folder: str | Path, device: str, parent: int
) -> tuple[Job, History | L2OError]:
    if os.getpid() != parent:  # a single worker is this very process
        from tqdm import tqdm

        end_with(parent)
        # its own lock is one of the system's, which outlives a killed process
        tqdm.set_lock(threading.RLock())
    try:
        return (recipe.name, seed), recipe.train(seed, folder, progress=False, device=device)[1]
    except L2OError as error:
        return (recipe.name, seed), error
