"""Where rules compete: runs on tasks, judged by one number, and given up early where they fall behind."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ..meta.population import COORDINATES, Population, evaluate_rules
from ..meta.reference import DIVERGED, Reference
from ..tasks.base import Task
from .grammar import Rule

RUNGS = (0.2, 0.5)
"""When runs are looked at, as fractions of their length: the worse half goes no further."""


class Arena:
    """Instances of tasks, and what the losses of runs on them are compared with.

    A rule is worth the logarithm of its mean and end loss as fractions of the reference's, averaged over the
    two and over tasks (see `meta.reference`): lower is better, 0 is as good as the reference.

    Args:
        tasks: The optimizees, one or several.
        reference: The rule that others are compared with.
        steps: Optimizee steps of a run.
        instances: Instances of each task.
        seed: Of the instances.
    """

    def __init__(self, tasks: Sequence[Task], reference: Rule, *, steps: int, instances: int, seed: int):
        self.tasks, self.steps, self.instances, self.seed = tuple(tasks), steps, instances, seed
        self.rungs = sorted({max(1, round(part * steps)) for part in RUNGS} | {steps})
        self._known = [
            evaluate_rules([reference], task, steps=steps, instances=instances, seed=seed)[0]
            for task in self.tasks
        ]
        self._best: dict[int, list[float]] = {rung: [] for rung in self.rungs}
        self._steps, self._seconds = 0, 0.0  # of runs so far, over rules, instances and tasks

    @property
    def at_once(self) -> int:
        """Rules that run together well."""
        widest = max(task.n for task in self.tasks) * self.instances
        on_cpu = all(task.device.type == "cpu" for task in self.tasks)
        return min(64, max(8, COORDINATES // widest)) if on_cpu else 512

    def seconds(self, runs: int) -> float:
        """How long so many whole runs take, each on one instance of every task, by those so far."""
        return runs * self.steps * len(self.tasks) * self._seconds / max(1, self._steps)

    def worth(self, rules: Sequence[Rule], steps: int | None = None) -> list[float]:
        """What rules are worth after whole runs, or runs of some `steps`."""
        steps = steps or self.steps
        options: dict[str, Any] = {"steps": steps, "instances": self.instances, "seed": self.seed}
        with self._timed(steps * len(rules)):
            losses = [evaluate_rules(rules, task, **options) for task in self.tasks]
        return self._compare(losses, steps)

    def race(self, rules: Sequence[Rule]) -> list[tuple[Rule, float]]:
        """Run rules side by side and return those that came to the end, and what they are worth.

        At each rung the worse half stops, and so does whatever is worse than most that were ever in front.
        """
        fields = [Population(rules, task, self.instances, self.seed) for task in self.tasks]
        runners, done = list(range(len(rules))), 0
        for rung in self.rungs:
            with self._timed((rung - done) * len(runners)):
                for field in fields:
                    field.run(rung - done)
            done = rung
            worth = dict(zip(runners, self._compare([field.losses for field in fields], rung), strict=True))
            ranking = sorted((value, i) for i, value in worth.items() if value < DIVERGED / 2)
            if rung == self.steps:
                return [(rules[i], value) for value, i in ranking]
            bar = self._bar(rung, [value for value, _ in ranking])
            runners = sorted(i for value, i in ranking[: math.ceil(len(ranking) / 2)] if value <= bar)
            if not runners:
                break
            for field in fields:
                field.keep(runners)
        return []

    @contextmanager
    def _timed(self, steps: int) -> Iterator[None]:
        began = time.monotonic()
        yield
        self._steps += steps * self.instances * len(self.tasks)
        self._seconds += time.monotonic() - began

    def _bar(self, rung: int, values: Sequence[float]) -> float:
        """What a rule must be worth at a rung to go on: as much as the 32nd that was ever there."""
        self._best[rung] = sorted([*self._best[rung], *values])[:32]
        return self._best[rung][-1] if len(self._best[rung]) == 32 else math.inf

    def _compare(self, losses: Sequence[Tensor], steps: int) -> list[float]:
        worth = [
            Reference.of(known[:, : steps + 1]).compare(found)
            for known, found in zip(self._known, losses, strict=True)
        ]
        return torch.stack(worth).mean(0).tolist()
