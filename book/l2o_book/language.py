"""Instruction tuning with any optimizer: runs as plain values, and rates that mean the same for all."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from l2o_core.storage import NO_CACHE, Cache
from l2o_core.tasks import language
from l2o_core.tasks.language import Instructions, LanguageModel, LoRA

from .step_sizes import Params, Rated, watched

TINY = "tiny"


@dataclass(frozen=True)
class Setting:
    """What is tuned, and all that is the same for every optimizer."""

    model: str
    lora: LoRA | None = None
    batch: int = 8
    length: int = 128
    clip: float = 1.0
    device: str = "cpu"
    cache: Cache = NO_CACHE

    @property
    def title(self) -> str:
        """For titles and records."""
        return _model(self.model).title

    def answer(self, question: str) -> str:
        """The answer before any training."""
        key = {"model": _model(self.model).identity, "question": question}
        return self.cache.call(
            "untrained_answer", key, lambda: self._answered(question, _model(self.model).untrained)
        )

    def tuned(
        self,
        train: Instructions,
        held_out: Instructions,
        who: Rated,
        rate: float,
        *,
        steps: int,
        evaluations: int,
        seed: int,
        question: str = "",
    ) -> dict[str, Any]:
        """One run as plain values, from the cache where it is there, with the answer to a question."""
        options: dict[str, Any] = {"steps": steps, "evaluations": evaluations, "seed": seed}
        key = self._key(train) | options | {"held out": held_out.identity, "question": question}
        key |= {"optimizer": who.key, "rate": rate, "unit": who.unit}

        def compute() -> dict[str, Any]:
            run = self._tune(train, held_out, who.at(rate, steps), **options)
            found = described(run)
            return found | ({"answer": self._answered(question, run.network)} if question else {})

        return self.cache.call("tuned", key, compute)

    def probe(self, train: Instructions, steps: int = 20, seed: int = 900) -> Tensor:
        """The gradients `[T, n]` that AdamW sees in the first steps, of some coordinates."""

        def compute() -> Tensor:
            options: dict[str, Any] = {"steps": steps, "evaluations": 1, "seed": seed}
            once = train.cut(self.batch)
            return watched(lambda rule: self._tune(train, once, rule, **options), steps)

        key = self._key(train) | {"steps": steps, "seed": seed}
        return self.cache.call("tuning_gradients", key, compute)

    def _key(self, train: Instructions) -> dict[str, Any]:
        key = _model(self.model).identity | {"rows": train.identity, "device": self.device}
        key |= {"lora": asdict(self.lora) if self.lora else None, "batch": self.batch}
        return key | {"length": self.length, "clip": self.clip}

    def _tune(
        self,
        train: Instructions,
        held_out: Instructions,
        rule: Callable[[Params], torch.optim.Optimizer],
        **options: Any,
    ) -> language.Tuned:
        options |= {"batch": self.batch, "length": self.length, "clip": self.clip, "device": self.device}
        options |= {"lora": self.lora, "progress": False}
        return language.tune(_model(self.model), train, held_out, rule, **options)

    def _answered(self, question: str, network: torch.nn.Module) -> str:
        return language.answer(_model(self.model), network, question, 48)


@cache
def _model(name: str) -> LanguageModel:
    return language.load_model(name)


def described(run: language.Tuned, bins: int = 25) -> dict[str, Any]:
    """A run for a record: its training losses as a curve of a few points, the mean of each stretch."""
    parts = np.array_split(np.arange(len(run.losses)), min(bins, len(run.losses)))
    losses, seconds = np.array(run.losses), np.array(run.seconds)
    held_out_seconds = [seconds[step - 1] if step else 0.0 for step in run.held_out_steps]
    return {
        "steps": [float(part.mean()) + 1 for part in parts],
        "seconds": [float(seconds[part].mean()) for part in parts],
        "curve": [float(losses[part].mean()) for part in parts],
        "held out": {
            "steps": list(run.held_out_steps),
            "seconds": [float(second) for second in held_out_seconds],
            "losses": list(run.held_out),
        },
        "training": float(losses.mean()),
        "end": run.held_out[-1] if not run.diverged else math.nan,
        "step seconds": run.seconds[-1] / len(run.losses),
        "optimizer step seconds": run.optimizer_seconds / len(run.losses),
        "tokens": run.tokens,
        "parameters": run.parameters,
        "bytes a parameter": run.state_bytes_per_parameter,
    }


def best_rate(measured: Mapping[float, Mapping[str, Any]]) -> float:
    """The rate of the lowest held-out loss at the end; runs that diverged come last."""
    return min(measured, key=lambda rate: _or_worst(measured[rate]["end"]))


def _or_worst(loss: float) -> float:
    return loss if math.isfinite(loss) else math.inf
