"""Cached pipeline of the notebooks: load a learned optimizer, record, distil and evaluate it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from l2o_core import distiller, meta, storage, tasks
from l2o_core.distiller import Dataset, ParetoFront
from l2o_core.features import Features
from l2o_core.models import LearnedOptimizer

from .problems import original


@dataclass(frozen=True)
class Pipeline:
    """Settings shared by notebooks; equal settings and folder reuse each other's data sets and fronts.

    `folder`: cache of trained optimizers, data sets, fronts and evaluations; with None nothing is cached, and
    learned optimizers are the pretrained ones. The other options are those of `distill` and `collect`.
    """

    folder: Path | None = None
    engine: str = "operon"
    time_limit: float = 60.0
    max_complexity: int = 200
    samples: int = 5000
    lags: int = 20
    workers: int = 1

    def teacher(self, recipe: str, problem: str, seed: int) -> LearnedOptimizer:
        """The learned optimizer of a recipe ("dm"): of this seed if the folder has it, else pretrained."""
        return meta.recipes.teacher(f"{recipe}/{original(problem)}", seed, self.folder)

    def trajectories(
        self,
        rule: LearnedOptimizer,
        problem: str,
        seed: int,
        features: Features | None = None,
        lags: int = 0,
    ) -> Dataset:
        """Windows of 200 steps of an optimizer on problems or images that no teacher was trained on."""
        synthetic = problem == "p1"
        task = tasks.load(problem, **({} if synthetic else {"half": 1}))
        options = {"lags": lags or self.lags, "samples": self.samples, "steps": 200, "features": features}
        options |= {"instances": 128 if synthetic else 16, "seed": seed}
        if self.folder is None:
            return distiller.collect(rule, task, **options)
        identity = options | {"task": task.name, "dataset": task.dataset, "rule": rule.options}
        name = storage.digest([*rule.state_dict().values()], identity | {"kind": type(rule).__name__})
        path = self.folder / "rows" / f"{name}.npz"
        if not path.exists():
            distiller.collect(rule, task, **options).save(path)
        return Dataset.load(path)

    def distill(
        self, data: Dataset, name: str, problem: str, seed: int, label: str = "", /, **options: Any
    ) -> ParetoFront:
        """The front of a data set, cached as `fronts/<name>-<problem>-<seed><label>.json`.

        `seed` is that of the rows, which are split alike in every search; `options` replace the pipeline's
        settings and the `seed` of the search.
        """
        path = f"{name}-{problem}-{seed}{label}.json".replace(" ", "_")
        own = {"engine": self.engine, "time_limit": self.time_limit, "seed": seed}
        return distiller.distill(
            data.inputs,
            data.targets,
            data.names,
            groups=data.groups,
            max_complexity=self.max_complexity,
            split_seed=0,
            checkpoint=self.folder and self.folder / "fronts" / path,
            **(own | options),
        )

    def evaluate(
        self, rules: Sequence[LearnedOptimizer], task: tasks.Task, steps: int, instances: int, seed: int
    ) -> list[Tensor]:
        """Losses [instances, steps + 1] of each optimizer on the same instances, `workers` side by side."""

        def losses(rule: LearnedOptimizer) -> Tensor:
            kept = self.folder and self.folder / "races"
            return meta.evaluate(rule, task, steps=steps, instances=instances, seed=seed, folder=kept)

        with ThreadPoolExecutor(self.workers) as pool:  # PyTorch works without Python's lock
            return list(pool.map(losses, rules))
