"""Fine-tuning on GLUE with any optimizer: rates that mean the same for all, runs and floors.

A *rate* is a step size: with it, an optimizer's updates have the root mean square that AdamW's have with that
learning rate, on the same gradients. Rules that were distilled elsewhere come with steps of any size, so that
only then one range of rates is the same freedom for every contestant.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from l2o_core.data import roots
from l2o_core.models import Equation
from l2o_core.optim import SymbolicOptimizer
from l2o_core.storage import NO_CACHE, Cache
from l2o_core.tasks import text
from l2o_core.tasks.text import GLUE, FineTuned, LinearHead, TextData

from . import baselines, sentences

Params = list[nn.Parameter]
Make = Callable[[Params, float, int], torch.optim.Optimizer]
"""Makes an optimizer of parameters, a learning rate, and the number of steps of the run."""
TINY = "tiny"
RATES = (2e-5, 2e-3)
"""The lowest and the highest rate in trials of a whole encoder."""
HEAD_RATES = (1e-4, 1e-1)
"""The same, of a head alone."""
PROBED = 1e-3
"""AdamW's learning rate while step sizes are measured."""


@dataclass(frozen=True)
class Rated:
    """An optimizer at any rate: `key` is all that its steps depend on, `unit` its learning rate at rate 1."""

    make: Make
    key: Any
    unit: float = 1.0

    def at(self, rate: float, steps: int) -> Callable[[Params], torch.optim.Optimizer]:
        """Makes the optimizer at a rate for a run of that many steps."""
        return lambda params: self.make(params, rate * self.unit, steps)


def adamw(params: Params, lr: float, steps: int) -> torch.optim.Optimizer:
    """PyTorch's AdamW, fused, with its weight decay of 0.01."""
    return torch.optim.AdamW(params, lr=lr, fused=True)


def rated(model: Callable[[int], Equation], gradients: Tensor, **options: Any) -> Rated:
    """An equation at any rate, its steps measured on `gradients [T, n]`.

    `model` gives the equation for a run of so many steps; `options` are those of `SymbolicOptimizer.of`.
    """

    def make(params: Params, lr: float, steps: int) -> torch.optim.Optimizer:
        return SymbolicOptimizer.of(model(steps), params, lr, **options)

    own = step_size(make, gradients)
    unit = step_size(adamw, gradients) / own if 0 < own < math.inf else 0.0  # a rule that does not move stays
    key = {"equation": model(100).identity, "options": {k: str(v) for k, v in options.items()}}
    return Rated(make, key, unit)


def step_size(make: Make, gradients: Tensor) -> float:
    """The root mean square of the updates along `gradients [T, n]`, in units of the learning rate."""
    total = sum(_mean_square(update) for update in _updates(make, gradients))
    return math.sqrt(total / len(gradients)) / PROBED


def _updates(make: Make, gradients: Tensor) -> Iterator[Tensor]:
    """The updates `[n]` of an optimizer along `gradients [T, n]`, at the probes' learning rate."""
    parameter = nn.Parameter(torch.zeros(gradients.shape[1]))
    optimizer = make([parameter], PROBED, len(gradients))
    for gradient in gradients:
        before, parameter.grad = parameter.detach().clone(), gradient.clone()
        optimizer.step()
        yield parameter.detach() - before


def _mean_square(values: Tensor) -> float:
    return values.square().mean().item()


def compacted(equation: Equation, gradients: Tensor, **options: Any) -> dict[str, Any]:
    """What options of `SymbolicOptimizer.of` do to an equation along `gradients [T, n]`.

    Its updates differ by "difference" of their root mean square. "lags" are those that running "sums"
    replace, with the largest possible "error" as a fraction of the largest update that these lags can make.
    """

    def make(how: Mapping[str, Any], params: Params, lr: float, _: int) -> SymbolicOptimizer:
        return SymbolicOptimizer.of(equation, params, lr, **how)

    apart = size = 0.0
    exact, compact = (_updates(partial(make, how), gradients) for how in ({}, options))
    for one, other in zip(exact, compact, strict=True):
        apart, size = apart + _mean_square(other - one), size + _mean_square(one)
    replaced = [
        {"lags": part.lags, "sums": len(part.decays), "error": part.error}
        for part in make(options, [nn.Parameter(torch.zeros(1))], PROBED, 1).replaced_lags
    ]
    return {"difference": math.sqrt(apart / size) if size else 0.0, "replaced": replaced}


def probe(task: LinearHead, steps: int = 60, seed: int = 0) -> Tensor:
    """The gradients `[T, n]` that AdamW sees while it trains a head."""
    generator = task.generator(seed)
    parameter, seen = nn.Parameter(task.init(generator)), []
    optimizer = adamw([parameter], PROBED, steps)
    for _, batch in zip(range(steps), task.batches(generator), strict=False):
        _, parameter.grad = task.loss_and_gradient(parameter, batch)
        seen.append(parameter.grad[0].clone())
        optimizer.step()
    return torch.stack(seen)


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
        steps = epochs * math.ceil(len(train) / 32)
        options: dict[str, Any] = {"epochs": epochs, "seed": seed}
        key = options | {"rows": train.identity, "held out": held_out.identity, "length": self.length}
        key |= {"model": self.name, "optimizer": who.key, "rate": rate, "unit": who.unit}
        key |= {} if self.name == TINY else {"encoder": _encoder(self.name).identity}

        def compute() -> dict[str, Any]:
            rule = who.at(rate, steps)
            if self.name == TINY:
                return described(sentences.fine_tune(train, held_out, rule, **options))
            more: dict[str, Any] = {"length": self.length, "device": self.device, "progress": False}
            return described(text.fine_tune(_encoder(self.name), train, held_out, rule, **options, **more))

        return self.cache.call("fine_tuned", key, compute)


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
