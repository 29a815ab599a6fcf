"""Meta-training: make an optimizer better at a family of problems by truncated back-propagation."""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm.auto import tqdm

from ..errors import ConfigError, DivergenceError
from ..models.base import CoordinateOptimizer
from ..tasks.base import Task
from . import checkpoint as checkpoints
from .adjoint import Run, Unroll, backward, play
from .evaluate import evaluate

PATIENCE = 5  # diverging epochs in a row before giving up


@dataclass
class History:
    """What happened, epoch by epoch. Losses are means over instances and steps."""

    losses: list[float] = field(default_factory=list)  # training; nan where the epoch diverged
    validation: list[tuple[int, float]] = field(default_factory=list)  # (epochs trained, loss)
    diverged: list[int] = field(default_factory=list)  # epochs that were rolled back
    seconds: float = 0.0

    @property
    def best(self) -> tuple[int, float]:
        """Epochs trained and validation loss of the weights that were kept."""
        return min(self.validation, key=lambda entry: entry[1])


def meta_train(
    optimizer: CoordinateOptimizer,
    task: Task,
    *,
    seed: int = 0,
    epochs: int = 100,
    steps: int = 100,
    unroll: int = 20,
    instances: int = 1,
    lr: float = 1e-3,
    clip: float = 1.0,
    fraction: float = 1.0,
    validate_every: int = 5,
    validation_instances: int = 64,
    checkpoint: str | Path | None = None,
    progress: bool = True,
) -> History:
    """Train the optimizer in place on fresh instances each epoch; it ends with its best validated weights.

    An epoch optimizes `instances` new instances for `steps` steps, and changes the optimizer by Adam(`lr`)
    after every `unroll` of them, on the mean loss of the unroll (SymL2O Eq. 1, w_t = 1 / unroll), gradient
    norm clipped to `clip`. A `fraction` of the coordinates, drawn anew in each unroll, carries the
    meta-gradient. Every `validate_every` epochs the loss on held-out instances says which weights to keep.
    A non-finite epoch is rolled back. With `checkpoint`, a killed run continues to the same result.

    Raises ConfigError, CheckpointError, and DivergenceError after five diverging epochs in a row.
    """
    _check(epochs=epochs, steps=steps, unroll=unroll, instances=instances, validate_every=validate_every)
    if steps % unroll:
        raise ConfigError(f"steps ({steps}) must be a multiple of unroll ({unroll})")
    if not 0 < fraction <= 1:
        raise ConfigError(f"fraction must lie in (0, 1], not {fraction}")
    trainer = torch.optim.Adam(optimizer.parameters(), lr=lr)
    identity = {"model": type(optimizer).__name__, "task": task.name, "seed": seed, "steps": steps}
    identity |= {"unroll": unroll, "instances": instances, "lr": lr, "clip": clip, "fraction": fraction}
    identity |= {"shapes": {name: list(p.shape) for name, p in optimizer.state_dict().items()}}
    identity |= {"validate_every": validate_every, "validation_instances": validation_instances}
    progressed = _Progress(optimizer, trainer, checkpoint and Path(checkpoint), identity)
    history = progressed.resume()
    first = len(history.losses)
    bar = tqdm(total=epochs * steps, initial=first * steps, unit="step", disable=not progress)
    bar.set_description(f"{type(optimizer).__name__} on {task.name}")

    def validate(epoch: int) -> None:
        losses = evaluate(optimizer, task, steps=steps, instances=validation_instances, seed=~seed)
        history.validation.append((epoch, losses.mean().item()))
        progressed.keep_best(history)

    if not history.validation:
        validate(0)
    for epoch in range(first, epochs):
        started, before = time.perf_counter(), progressed.snapshot()
        run = Run.start(optimizer, task, seed=_epoch_seed(seed, epoch), instances=instances)
        sampler = torch.Generator().manual_seed(_epoch_seed(seed, epoch))
        total = 0.0
        for _ in range(steps // unroll):
            played = play(optimizer, task, run, unroll)
            loss = played.losses[1:].mean().item()
            total += loss * unroll / steps
            if not math.isfinite(loss) or not _improve(
                optimizer, trainer, played, task, fraction, clip, sampler
            ):
                total = math.nan
                break
            bar.set_postfix(loss=f"{loss:.4g}", refresh=False)
            bar.update(unroll)
        if math.isnan(total):
            progressed.restore(before)
            history.diverged.append(epoch)
        history.losses.append(total)
        if len(history.losses) >= PATIENCE and all(math.isnan(loss) for loss in history.losses[-PATIENCE:]):
            bar.close()
            raise DivergenceError(
                f"{PATIENCE} epochs in a row diverged (the last is epoch {epoch}); lower lr or clip"
            )
        if (epoch + 1) % validate_every == 0 or epoch + 1 == epochs:
            validate(epoch + 1)
        history.seconds += time.perf_counter() - started
        progressed.write(history)
    bar.close()
    progressed.restore_best()
    return history


def _improve(
    optimizer: CoordinateOptimizer,
    trainer: torch.optim.Optimizer,
    played: Unroll,
    task: Task,
    fraction: float,
    clip: float,
    sampler: torch.Generator,
) -> bool:
    """One meta-update from one unroll; False, and nothing changed, where the meta-gradient is not finite."""
    points, instances = played.losses.shape
    unroll = points - 1
    weights = played.gradients.new_full((unroll,), 1 / (unroll * instances))
    chosen = None if fraction == 1 else sample_coordinates(task, instances, fraction, sampler)
    trainer.zero_grad()
    backward(optimizer, played, weights, chosen)
    norm = torch.nn.utils.clip_grad_norm_(optimizer.parameters(), clip)
    if not torch.isfinite(norm):
        return False
    trainer.step()
    return True


def sample_coordinates(task: Task, instances: int, fraction: float, generator: torch.Generator) -> Tensor:
    """A uniform sample of all I * n coordinates, [K]."""
    N = instances * task.n
    return torch.randperm(N, generator=generator)[: max(1, round(fraction * N))]


def _epoch_seed(seed: int, epoch: int) -> int:
    """Fresh instances every epoch, never those of validation (whose seed is negative)."""
    return seed * 1_000_003 + epoch


def _check(**counts: int) -> None:
    for name, value in counts.items():
        if value < 1:
            raise ConfigError(f"{name} must be at least 1, not {value}")


class _Progress:
    """The weights so far, the best of them, and their file."""

    def __init__(
        self,
        optimizer: CoordinateOptimizer,
        trainer: torch.optim.Optimizer,
        path: Path | None,
        identity: dict[str, Any],
    ):
        self.optimizer, self.trainer, self.path, self.identity = optimizer, trainer, path, identity
        self.best = copy.deepcopy(optimizer.state_dict())

    def snapshot(self) -> tuple[dict, dict]:
        return copy.deepcopy((self.optimizer.state_dict(), self.trainer.state_dict()))

    def restore(self, snapshot: tuple[dict, dict]) -> None:
        self.optimizer.load_state_dict(snapshot[0])
        self.trainer.load_state_dict(snapshot[1])

    def keep_best(self, history: History) -> None:
        if history.validation[-1] == history.best:
            self.best = copy.deepcopy(self.optimizer.state_dict())

    def restore_best(self) -> None:
        self.optimizer.load_state_dict(self.best)

    def write(self, history: History) -> None:
        if self.path:
            now = self.snapshot()
            content = {"optimizer": now[0], "trainer": now[1], "best": self.best, "history": vars(history)}
            checkpoints.write(self.path, content, self.identity)

    def resume(self) -> History:
        if not self.path or not self.path.exists():
            return History()
        content = checkpoints.read(self.path, self.identity)
        self.restore((content["optimizer"], content["trainer"]))
        self.best = content["best"]
        return History(**content["history"])
