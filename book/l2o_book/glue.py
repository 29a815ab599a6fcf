"""Fine-tuning on GLUE with any optimizer: runs as plain values, rates to try, and floors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from l2o_core.arguments import find_device
from l2o_core.data import roots
from l2o_core.storage import NO_CACHE, Cache
from l2o_core.tasks import text
from l2o_core.tasks.text import GLUE, FineTuned, LinearHead, TextData

from . import baselines, sentences
from .step_sizes import Params, Rated, watched

TINY, BATCH = "tiny", 32
RATES = (2e-5, 2e-3)
"""The lowest and the highest rate in trials of a whole encoder."""
HEAD_RATES = (1e-4, 1e-1)
"""The same, of a head alone."""


@dataclass(frozen=True)
class Model:
    """What is fine-tuned: a pretrained encoder by name or folder, or "tiny", the stand-in without one."""

    name: str
    length: int = 128
    device: str = "cpu"
    cache: Cache = NO_CACHE

    @property
    def title(self) -> str:
        """For titles and records."""
        if self.name == TINY:
            return "a tiny network trained from scratch, stand-in for BERT base"
        return _encoder(self.name).title

    def vectors(self, data: TextData) -> Tensor:
        """What the frozen encoder makes of each row, `[n, width]`."""
        if self.name == TINY:
            return sentences.vectors(data)
        options: dict[str, Any] = {"length": self.length, "device": self.device, "cache": self.cache}
        return text.sentence_vectors(_encoder(self.name), data, **options)

    def head(self, data: TextData, part: str | None = None) -> LinearHead:
        """A linear head on the frozen encoder."""
        name, dataset = f"{data.task}_head", f"{data.name}, frozen {self.title}"
        return LinearHead(self.vectors(data), data, name=name, dataset=dataset, part=part)

    def fine_tuned(
        self, train: TextData, held_out: TextData, who: Rated, rate: float, *, epochs: int, seed: int
    ) -> dict[str, Any]:
        """Train all of it, and the result as plain values, from the cache where it is there."""
        steps = epochs * math.ceil(len(train) / BATCH)
        options: dict[str, Any] = {"epochs": epochs, "seed": seed}
        key = self._key(train) | options | {"held out": held_out.identity}
        key |= {"optimizer": who.key, "rate": rate, "unit": who.unit}

        def compute() -> dict[str, Any]:
            return described(self._trained(train, held_out, who.at(rate, steps), **options))

        return self.cache.call("fine_tuned", key, compute)

    def probe(self, train: TextData, steps: int = 40, seed: int = 900) -> Tensor:
        """The gradients `[T, n]` that AdamW sees in a fine-tuning of one epoch, of some coordinates."""
        rows = cut(train, BATCH * steps)
        options: dict[str, Any] = {"epochs": 1, "seed": seed}

        def compute() -> Tensor:
            once, taken = cut(rows, BATCH), math.ceil(len(rows) / BATCH)
            return watched(lambda rule: self._trained(rows, once, rule, **options), taken)

        return self.cache.call("tuning_gradients", self._key(rows) | options, compute)

    @property
    def bfloat16(self) -> bool:
        """Whether the encoder computes in bfloat16, where it may."""
        return self.name != TINY and text.has_bfloat16(find_device(self.device))

    def _key(self, train: TextData) -> dict[str, Any]:
        key = {"rows": train.identity, "model": self.name, "length": self.length}
        key |= {"device": self.device, "bfloat16": self.bfloat16}
        return key | ({} if self.name == TINY else {"encoder": _encoder(self.name).identity})

    def _trained(
        self,
        train: TextData,
        held_out: TextData,
        rule: Callable[[Params], torch.optim.Optimizer],
        **options: Any,
    ) -> FineTuned:
        if self.name == TINY:
            return sentences.fine_tune(train, held_out, rule, **options)
        options |= {"length": self.length, "device": self.device, "progress": False}
        return text.fine_tune(_encoder(self.name), train, held_out, rule, batch=BATCH, **options)


@cache
def _encoder(name: str) -> text.Encoder:
    return text.Encoder(name)


def described(run: FineTuned, bins: int = 25) -> dict[str, Any]:
    """A run for a record: its losses as a curve of a few points, the mean of each."""
    values = asdict(run)
    parts = np.array_split(np.array(values.pop("losses")), min(bins, len(run.losses)))
    values |= {"curve": [float(part.mean()) for part in parts], "steps": len(run.losses)}
    return values | {"per parameter": run.state_bytes_per_parameter}


def frozen(
    train: LinearHead, held_out: LinearHead, who: Rated, rate: float, *, epochs: int, seed: int
) -> dict[str, Any]:
    """Train a head on the frozen encoder, with the schedule of a fine-tuning, and its scores."""
    steps = epochs * math.ceil(len(train.labels) / train.batch)
    generator = train.generator(seed)
    parameter, losses = nn.Parameter(train.init(generator)), []
    optimizer = who.at(rate, steps)([parameter])
    schedule = sentences.linear_schedule(optimizer, steps)
    for _, batch in zip(range(steps), train.batches(generator), strict=False):
        loss, parameter.grad = train.loss_and_gradient(parameter, batch)
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            break
        optimizer.step()
        schedule.step()
    found = parameter.detach()
    return {
        "scores": held_out.scores(found)[0],
        "held_out_loss": held_out.loss(found, (held_out.vectors[None], held_out.labels[None])).item(),
        "diverged": not math.isfinite(losses[-1]),
    }


def majority(data: TextData, train: TextData) -> dict[str, float]:
    """The scores of always answering the most frequent label of the training rows."""
    answer = int(np.bincount(train.labels).argmax())
    return text.official_scores(data.task, [answer] * len(data), data.labels)


def part_of(task: str, part: str | None, most: int = 0) -> TextData | None:
    """Rows of a task of GLUE, or of the stand-in; None where they are not on this machine.

    A task that has its dev split only is cut from that, and its data says so. `most`: training rows, drawn
    evenly; 0 for all.
    """
    if task == sentences.NAME:
        found = sentences.load(part)
    elif not _has(task, "dev"):
        return None
    else:
        found = text.load(task, part, dev_only=not _has(task, "train"))
    return found if part in ("choose", "report") or not most else cut(found, most)


def _has(task: str, split: str) -> bool:
    benchmark = GLUE[task]
    file = f"{benchmark.dev if split == 'dev' else split}.tsv"
    return any((root / "GLUE" / benchmark.title / file).exists() for root in roots())


def cut(data: TextData, most: int) -> TextData:
    """At most so many rows, the same in every run; the name says so."""
    if len(data) <= most:
        return data
    kept = np.sort(np.random.default_rng(0).permutation(len(data))[:most])
    texts = tuple(tuple(column[i] for i in kept) for column in data.texts)
    name = f"{data.name} ({most} of {len(data)} rows)"
    return replace(data, name=name, texts=texts, labels=tuple(data.labels[i] for i in kept))


Run = Callable[[Rated, float, int], dict[str, Any]]
"""Trains with an optimizer at a rate and a seed, and describes the run as plain values."""
NO_RACE: dict[str, Any] = {"runs": {}, "rates": {}, "tried": {}, "units": []}


def race(
    fields: Sequence[Mapping[str, Rated]],
    seeds: Sequence[int],
    rates: Sequence[float],
    attempt: Run,
    run: Run,
    more: Mapping[str, Mapping[str, float]],
) -> dict[str, Any]:
    """The trials of every optimizer, and its runs with every seed at the best rate, for a record.

    `fields` are the optimizers of each seed; those of the first are tried. `more` are, for an optimizer,
    other rates to run at, by their labels.
    """
    tried: dict[str, dict[float, dict[str, Any]]] = {}
    best: dict[str, float] = {}
    runs: dict[str, list[dict[str, Any]]] = {}
    for who, first in fields[0].items():
        tried[who] = {rate: attempt(first, rate, 900) for rate in rates}
        best[who] = best_rate(tried[who])
        for label, rate in ({who: best[who]} | dict(more.get(who, {}))).items():
            runs[label] = [run(field[who], rate, seed) for seed, field in zip(seeds, fields, strict=True)]
    return {
        "runs": runs,
        "rates": best,
        "tried": {who: losses(of) for who, of in tried.items()},
        "units": [{who: one.unit for who, one in field.items()} for field in fields],
    }


def rates(trials: int, ends: tuple[float, float] = RATES) -> list[float]:
    """The rates that every contestant is tried at, even on a log scale."""
    return baselines.even_rates(*ends, trials)


def best_rate(measured: Mapping[float, Mapping[str, Any]]) -> float:
    """The rate of the lowest held-out loss; runs that diverged come last.

    Not of the best score: after a short trial, several runs may still give every row the same label.
    """

    def loss(rate: float) -> float:
        run = measured[rate]
        return math.inf if run["diverged"] else run["held_out_loss"]

    return min(measured, key=loss)


def losses(measured: Mapping[float, Mapping[str, Any]]) -> list[tuple[float, float | None]]:
    """The rates that were tried, each with its held-out loss; None where the run diverged."""
    return [(rate, None if run["diverged"] else run["held_out_loss"]) for rate, run in measured.items()]


def scores(runs: Sequence[Mapping[str, Any]], metric: str) -> list[float]:
    """The score of each run; not a number where it diverged."""
    return [math.nan if run["diverged"] else run["scores"][metric] for run in runs]


def main_metric(task: str) -> str:
    """The metric that choices are made by: the last of the official ones, F1 where there are two."""
    return "accuracy" if task == sentences.NAME else GLUE[task].metrics[-1]
