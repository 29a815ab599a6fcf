"""Many teachers at once, one core each: twenty steps of one LSTM are too little work to share a core pair."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import torch
from tqdm.auto import tqdm

from .. import models
from ..models.base import LearnedOptimizer
from .history import History
from .recipes import Recipe

Trained = tuple[LearnedOptimizer, History]


def train_teachers(
    recipes: Sequence[Recipe],
    seeds: Sequence[int],
    folder: str | Path,
    workers: int = 2,
    progress: bool = True,
) -> dict[str, list[Trained]]:
    """Follow every recipe with every seed; the trained models and their histories by name, in seeds' order.

    `workers` processes of one thread each. Everything is kept in `folder`: what was trained there before is
    read back, what was stopped goes on. Raises what `Recipe.train` raises, once the others have ended.
    """
    jobs = [(recipe, seed) for seed in seeds for recipe in recipes]
    histories: dict[tuple[str, int], History] = {}
    context = multiprocessing.get_context("spawn")  # forking a process with running threads can hang
    with (
        ProcessPoolExecutor(workers, context, torch.set_num_threads, (1,)) as pool,
        tqdm(total=len(jobs), unit="teacher", disable=not progress) as bar,
    ):
        running = {pool.submit(_train, recipe, seed, folder): (recipe.name, seed) for recipe, seed in jobs}
        for done in as_completed(running):
            histories[running[done]] = done.result()
            bar.update()
    return {
        recipe.name: [
            (models.load(recipe.path(folder, seed)), histories[recipe.name, seed]) for seed in seeds
        ]
        for recipe in recipes
    }


def _train(recipe: Recipe, seed: int, folder: str | Path) -> History:
    return recipe.train(seed, folder, progress=False)[1]
