"""Many trainings side by side, one core each: twenty steps of one LSTM are too little work for two cores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .. import models
from ..errors import L2OError, optional_import
from ..models.base import LearnedOptimizer
from .history import History
from .recipes import Recipe

Job = tuple[str, int]


def train_teachers(
    recipes: Sequence[Recipe],
    seeds: Sequence[int],
    folder: str | Path,
    workers: int = 2,
    progress: bool = True,
) -> dict[str, list[tuple[LearnedOptimizer, History]]]:
    """Follow every recipe with every seed, each in a process of its own with one thread.

    Args:
        recipes: Those to be followed; their names must differ.
        seeds: Of each recipe.
        folder: Where weights and checkpoints are: a finished training is read back, a stopped one goes on.
        workers: Processes side by side.
        progress: Show a progress bar of the trainings.

    Returns:
        By recipe, the trained optimizers and their histories, in the order of the seeds.

    Raises:
        L2OError: As `Recipe.train` does, once the other trainings have ended.
    """
    with optional_import("training side by side", extra="distill"):
        from joblib import Parallel, delayed, parallel_config
        from tqdm.auto import tqdm

    jobs = [delayed(_train)(recipe, seed, folder) for seed in seeds for recipe in recipes]
    histories: dict[Job, History] = {}
    errors: list[L2OError] = []
    with parallel_config("loky", n_jobs=workers, inner_max_num_threads=1):
        ended = Parallel(return_as="generator_unordered")(jobs)
        for job, outcome in tqdm(ended, total=len(jobs), unit="teacher", disable=not progress):
            if isinstance(outcome, L2OError):
                errors.append(outcome)
            else:
                histories[job] = outcome
    for error in errors:
        raise error
    return {
        recipe.name: [
            (models.load(recipe.path(folder, seed)), histories[recipe.name, seed]) for seed in seeds
        ]
        for recipe in recipes
    }


def _train(recipe: Recipe, seed: int, folder: str | Path) -> tuple[Job, History | L2OError]:
    try:
        return (recipe.name, seed), recipe.train(seed, folder, progress=False)[1]
    except L2OError as error:
        return (recipe.name, seed), error
