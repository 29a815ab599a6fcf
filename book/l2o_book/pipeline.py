"""Cached pipeline of the notebooks: load a learned optimizer, record, distil and evaluate it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from l2o_core import discovery, distiller, meta, models, tasks
from l2o_core.distiller import Dataset, ParetoFront, Trajectories
from l2o_core.distiller.search import FRONT
from l2o_core.features import Features
from l2o_core.models import Equation, LearnedOptimizer
from l2o_core.storage import Cache, Format

from . import provenance, sources
from .problems import original

ROWS = Format(".npz", Dataset.save, Dataset.load)
SPLIT_SEED = 0
"""All fronts of the book hold out the same rows of a data set, whatever the seed of the search."""


@dataclass(frozen=True)
class Pipeline:
    """Settings shared by notebooks; equal settings and folder reuse each other's data sets and fronts.

    `folder`: cache of trained optimizers, data sets, fronts and evaluations; with None nothing is cached, and
    learned optimizers are the pretrained ones. `device`: where optimizers run and are trained. Other options
    are those of `distill` and `collect`.
    """

    folder: Path | None = None
    engine: str = "operon"
    time_limit: float = 60.0
    max_complexity: int = 200
    samples: int = 5000
    lags: int = 20
    workers: int = 1
    device: str = "cpu"

    @property
    def cache(self) -> Cache:
        """The results in `folder`."""
        return sources.TracedCache(self.folder, provenance.code())

    def teacher(self, recipe: str, problem: str, seed: int) -> LearnedOptimizer:
        """The learned optimizer of a recipe ("dm") and seed: from the folder, pretrained, or trained now.

        Without a folder nothing is trained: a seed that is not among the pretrained is a ConfigError.
        """
        name = f"{recipe}/{original(problem)}"
        file = meta.recipes.source(name, seed, self.folder)
        cached = file is not None
        if file is None and self.folder is not None:
            meta.recipes.load(name).train(seed, self.folder, device=self.device)
            file = meta.recipes.source(name, seed, self.folder)
        model = meta.recipes.teacher(name, seed, self.folder)
        training = models.describe(file or name)["training"]
        sources.teacher(f"{name}, seed {seed}", model, training, cached=cached)
        return model

    def trajectories(
        self,
        rule: LearnedOptimizer,
        problem: str,
        seed: int,
        features: Features | None = None,
        lags: int = 0,
    ) -> Dataset:
        """Windows of 200 steps of an optimizer on problems or images that no teacher was trained on.

        Nor are they those that optimizers and equations are compared on.
        """
        synthetic = problem == "p1"
        task = tasks.load(problem, part="choose", device=self.device)
        options: dict[str, Any] = {
            "lags": lags or self.lags,
            "samples": self.samples,
            "steps": 200,
            "features": features,
        }
        options |= {"instances": 128 if synthetic else 16, "seed": seed}
        key = options | {"task": task.identity, "rule": rule.identity}
        return self.cache.call("rows", key, lambda: distiller.collect(rule, task, **options), ROWS)

    def eq6(self, teacher: LearnedOptimizer, problem: str, seed: int) -> Equation:
        """SymL2O's Eq. 6, its coefficients fitted to what a teacher does in `trajectories`."""
        found = distiller.fit_eq6(self.trajectories(teacher, problem, seed))
        return Equation.distilled(found.equation, teacher, found.coefficients)

    def distill(self, data: Dataset, seed: int, **options: Any) -> ParetoFront:
        """The front of a data set, whose rows are split alike in every search.

        `seed` is that of the search; `options` replace the pipeline's settings.
        """
        own: dict[str, Any] = {"engine": self.engine, "time_limit": self.time_limit, "seed": seed}
        return distiller.distill(
            data,
            max_complexity=self.max_complexity,
            split_seed=SPLIT_SEED,
            cache=self.cache,
            **(own | options),
        )

    def distill_recurrent(self, way: Trajectories, seed: int, **options: Any) -> ParetoFront:
        """The front of rules with a memory of their own; rollouts are split alike in every search."""
        own: dict[str, Any] = {"engine": self.engine, "time_limit": self.time_limit, "seed": seed}
        return distiller.distill_recurrent(way, split_seed=SPLIT_SEED, cache=self.cache, **(own | options))

    def with_memory(self, teacher: LearnedOptimizer, problem: str, seed: int) -> ParetoFront:
        """The front of rules with a memory of a teacher at work where `trajectories` are recorded."""
        task = tasks.load(problem, part="choose", device=self.device)
        size: dict[str, Any] = (
            {"instances": 100, "per_layer": 5} if problem == "p1" else {"instances": 16, "per_layer": 10}
        )
        return self.distill_recurrent(distiller.record(teacher, task, seed=seed, steps=100, **size), seed)

    def discover(
        self, several: Sequence[tasks.Task], choice: Sequence[tasks.Task], **options: Any
    ) -> ParetoFront:
        """The front of rules searched without a teacher on some tasks, and chosen on others."""
        key = options | {"tasks": [task.identity for task in several]}
        key |= {"choice": [task.identity for task in choice]}
        return self.cache.call(
            "discovered", key, lambda: discovery.discover(several, choice=choice, **options), FRONT
        )

    def tuned_adam(self, several: Sequence[tasks.Task], **options: Any) -> tuple[Equation, dict[str, float]]:
        """Adam with the rate and betas that serve tasks best, and these three constants."""

        def tuned() -> dict[str, Any]:
            rule, constants = discovery.tuned_adam(several, **options)
            return {"text": str(rule), "constants": constants}

        found = self.cache.call("adam", options | {"tasks": [task.identity for task in several]}, tuned)
        return Equation(found["text"]), found["constants"]

    def evaluate(
        self, rules: Sequence[LearnedOptimizer], task: tasks.Task, steps: int, instances: int, seed: int
    ) -> list[Tensor]:
        """Losses [instances, steps + 1] of each optimizer on the same instances, `workers` side by side."""

        def losses(rule: LearnedOptimizer) -> Tensor:
            return meta.evaluate(rule, task, steps=steps, instances=instances, seed=seed, cache=self.cache)

        with ThreadPoolExecutor(self.workers) as pool:  # PyTorch works without Python's lock
            return list(pool.map(losses, rules))
