"""The teachers of the pages on distillation: hand-made rules, and optimizers that were meta-trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from l2o_core import meta, models
from l2o_core.distiller import Dataset
from l2o_core.features import Features
from l2o_core.models import Equation, LearnedOptimizer

from . import sources
from .pipeline import Pipeline


@dataclass(frozen=True)
class Teacher:
    """An optimizer that is distilled: a hand-made rule, or the recipe of a learned one ("dm").

    The inputs of its equations are its own features, or `inputs`, over the pipeline's lags, or `lags`.
    """

    name: str
    recipe: str = ""
    rule: str = ""
    betas: tuple[float, float] = (0.95, 0.95)
    inputs: Features | None = None
    lags: int = 0

    @property
    def learned(self) -> bool:
        """Whether it was meta-trained."""
        return bool(self.recipe)

    def optimizer(self, pipeline: Pipeline, problem: str, seed: int) -> LearnedOptimizer:
        """The rule, or the optimizer that was meta-trained on the problem."""
        if self.learned:
            return pipeline.teacher(self.recipe, problem, seed)
        return Equation(self.rule, beta1=self.betas[0], beta2=self.betas[1])

    def windows(self, pipeline: Pipeline, problem: str, seed: int) -> Dataset:
        """What it saw and did on fresh instances of the problem."""
        optimizer = self.optimizer(pipeline, problem, seed)
        return pipeline.trajectories(optimizer, problem, seed, self.inputs, self.lags)


RECIPES = {
    "DM": "dm",
    "DM+CL+IL": "dm_cl_il",
    "RP": "rp",
    "RP+CL+IL": "rp_cl_il",
    "RPSmall": "rp_small",
    "RPSmallExtra": "rp_small_extra",
}
"""Recipes of the learned optimizers of SymL2O Table 3, without the problem: "dm" of "dm/p2"."""

GRADIENTS = Features(("g",))
MOMENTS = Features(("m", "v"), beta1=0.9, beta2=0.9)
ADAM = "-0.01 * m / (sqrt(v) + 1e-8)"

TEACHERS = {
    teacher.name: teacher
    for teacher in (
        Teacher("mom(0.5)", rule="-0.01 * b", betas=(0.5, 0.95), inputs=GRADIENTS),
        Teacher("Adam(0.9, 0.9)", rule=ADAM, betas=(0.9, 0.9), inputs=GRADIENTS),
        Teacher("Adam from m, v", rule=ADAM, betas=(0.9, 0.9), inputs=MOMENTS, lags=1),
        *(Teacher(name, recipe=RECIPES[name]) for name in ("DM", "RP", "RPSmallExtra")),
    )
}
"""The rows of SymL2O Table 7, and Adam with its moments as inputs; in the papers' order."""


def trained(
    recipes: Sequence[meta.recipes.Recipe],
    seeds: Sequence[int],
    folder: str | Path,
    workers: int,
    device: str = "cpu",
    retrain: bool = False,
) -> dict[str, list[tuple[LearnedOptimizer, meta.History]]]:
    """`meta.train_teachers`, with each teacher in the record of the run.

    Those that come with the library are trained again only where `retrain` asks for it.
    """
    kept = {(recipe.name, seed): recipe.path(folder, seed).is_file() for recipe in recipes for seed in seeds}
    found = meta.train_teachers(
        recipes, seeds, folder, workers, progress=False, device=device, pretrained=not retrain
    )
    for recipe in recipes:
        for seed, (model, _) in zip(seeds, found[recipe.name], strict=True):
            found_at = recipe.source(seed, folder) or recipe.path(folder, seed)
            cached = kept[recipe.name, seed] or isinstance(found_at, str)
            training = models.describe(found_at)["training"]
            sources.teacher(f"{recipe.name}, seed {seed}", model, training, cached=cached)
    return found
