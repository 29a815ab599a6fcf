"""Meta-training: make an optimizer better at a family of problems."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm

from ..errors import ConfigError, DivergenceError
from ..models.base import LearnedOptimizer
from ..storage import Checkpoint
from ..tasks.base import Task
from .distributed import averaged, rank_of_world
from .estimators import ESTIMATORS, Estimator, Imitation
from .evaluation import evaluate
from .history import History

PATIENCE = 5  # diverging epochs in a row before giving up
JUDGEMENTS = 3  # validations in a stage of the curriculum before it may end


def meta_train(
    optimizer: LearnedOptimizer,
    task: Task,
    *,
    seed: int = 0,
    epochs: int = 100,
    steps: int | Sequence[int] = 100,
    unroll: int = 20,
    instances: int = 1,
    lr: float = 1e-3,
    decay: bool = False,
    clip: float = 1.0,
    fraction: float = 1.0,
    scaling: float = 0.0,
    compact: bool = False,
    imitation: float = 0.0,
    estimator: str = "tbptt",
    validate_every: int = 5,
    validation_instances: int = 64,
    checkpoint: str | Path | None = None,
    log: str | Path | None = None,
    progress: bool = True,
) -> History:
    """Train the optimizer in place on fresh instances each epoch; it ends with its best validated weights.

    An epoch optimizes `instances` new instances for `steps` steps, and changes the optimizer by Adam(`lr`)
    after every `unroll` of them, on the mean loss of the unroll (SymL2O Eq. 1), gradient norm clipped to
    `clip`. Every `validate_every` epochs the loss on held-out instances says which weights to keep. A
    non-finite epoch is rolled back.

    - `decay`: the learning rate falls to zero along half a cosine over the `epochs`.
    - `fraction` of the coordinates, drawn anew in each unroll, carries the meta-gradient (`stratified`).
    - `scaling`: random scaling of the coordinates by exp(U(-scaling, scaling)) (Lv et al. 2017).
    - `compact`: between steps, the optimizer's memory is kept in float16: for very large optimizees.
    - `imitation`: share of the epochs that follow Adam instead (Chen et al. 2020a).
    - Several `steps` make a curriculum (Chen et al. 2020a): validation looks one horizon ahead, and once it
      no longer improves, training goes on from the stage's best weights at the next horizon.
    - `estimator`: "tbptt", or "pes" for evolution strategies.
    - Under `torch.distributed` all processes train one optimizer, each on `instances` of its own.
    - `checkpoint`: a file from which a killed run continues to the same result. `log`: a TensorBoard folder.

    Raises ConfigError, CheckpointError, and DivergenceError after five diverging epochs in a row.
    """
    horizons = (steps,) if isinstance(steps, int) else tuple(steps)
    _check(epochs=epochs, unroll=unroll, instances=instances, validate_every=validate_every)
    if not horizons or any(horizon < 1 or horizon % unroll for horizon in horizons):
        raise ConfigError(f"steps ({steps}) must be a multiple of unroll ({unroll})")
    if not 0 < fraction <= 1 or not 0 <= imitation <= 1 or scaling < 0:
        raise ConfigError(
            f"fraction must lie in (0, 1], imitation in [0, 1] and scaling be at least 0, "
            f"not {fraction}, {imitation}, {scaling}"
        )
    if estimator not in ESTIMATORS:
        raise ConfigError(f"unknown estimator {estimator!r}; known estimators: {', '.join(ESTIMATORS)}")
    if not any(True for _ in optimizer.parameters()):
        raise ConfigError("this optimizer has nothing to train: no constants, no weights")

    rank, world = rank_of_world()
    name = type(optimizer).__name__.removeprefix("Parametrized")  # as `tune` makes it
    identity = {"model": name, "options": optimizer.options, "task": task.name}
    identity |= {"dataset": task.dataset, "seed": seed, "steps": list(horizons), "unroll": unroll}
    identity |= {"instances": instances, "lr": lr, "clip": clip, "fraction": fraction, "scaling": scaling}
    identity |= {"compact": compact, "decay": decay and epochs}  # the epochs set the decay's pace
    identity |= {"imitation": imitation, "estimator": estimator, "validate_every": validate_every}
    identity |= {"validation_instances": validation_instances} | ({"processes": world} if world > 1 else {})
    trainer = torch.optim.Adam(optimizer.parameters(), lr=lr)
    file = None if checkpoint is None else Checkpoint(checkpoint, identity)
    progressed = _Progress(optimizer, trainer, file)
    history = progressed.history
    bar = tqdm(unit="step", disable=not progress or rank > 0, desc=f"{name} on {task.name}")
    writer = _writer(log) if rank == 0 else None

    def validate(epoch: int) -> None:
        stage = len(history.stages)
        ahead = horizons[min(stage, len(horizons) - 1)]
        losses = evaluate(optimizer, task, steps=ahead, instances=validation_instances, seed=~seed)
        history.validation.append((epoch, _finite(losses.mean().item())))
        progressed.keep_best()
        if writer:
            writer.add_scalar("loss/validation", history.validation[-1][1], epoch)

    def enter(epoch: int) -> None:
        history.stages.append((epoch, horizons[len(history.stages)]))
        validate(epoch)

    if not history.stages:
        enter(0)
    for epoch in range(len(history.losses), epochs):
        started, before = time.perf_counter(), progressed.snapshot()
        trainer.param_groups[0]["lr"] = lr * (1 + math.cos(math.pi * epoch / epochs)) / 2 if decay else lr
        horizon, chance = history.stages[-1][1], torch.Generator().manual_seed(_epoch_seed(seed, epoch))
        follow = torch.rand((), generator=chance).item() < imitation
        kind = Imitation if follow else ESTIMATORS[estimator]
        instances_seed = _epoch_seed(seed, epoch * world + rank)
        runs = kind(optimizer, task, instances_seed, instances, fraction, scaling, compact)
        bar.total = bar.n + (epochs - epoch) * horizon
        total = _epoch(runs, trainer, horizon, unroll, clip, bar)
        if follow:
            history.imitated.append(epoch)
        if math.isnan(total):
            progressed.restore(before)
            history.diverged.append(epoch)
        history.losses.append(total)
        if len(history.losses) >= PATIENCE and all(math.isnan(loss) for loss in history.losses[-PATIENCE:]):
            bar.close()
            raise DivergenceError(
                f"{PATIENCE} epochs in a row diverged (the last is epoch {epoch}); lower lr or clip"
            )
        if writer:
            writer.add_scalar("loss/imitation" if follow else "loss/training", total, epoch)
        if (epoch + 1) % validate_every == 0 or epoch + 1 == epochs:
            validate(epoch + 1)
            more = epoch + 1 < epochs and len(history.stages) < len(horizons)
            if more and _learned_enough(history.stage, first=len(history.stages) == 1):
                progressed.restore_best()
                enter(epoch + 1)
        history.seconds += time.perf_counter() - started
        if rank == 0:
            progressed.write()
    bar.close()
    progressed.restore_best()
    return history


def _epoch(
    runs: Estimator, trainer: torch.optim.Optimizer, steps: int, unroll: int, clip: float, bar: tqdm
) -> float:
    """One meta-update per unroll; the mean loss, or nan as soon as a loss or a gradient is not finite."""
    optimizer, total = runs.optimizer, 0.0
    try:
        for _ in range(steps // unroll):
            trainer.zero_grad()
            optimizer.draw(runs.generator)
            loss = runs.unroll(unroll)
            if (penalty := optimizer.penalty()) is not None:
                penalty.backward()
            loss = averaged(optimizer, loss)
            norm = torch.nn.utils.clip_grad_norm_(optimizer.parameters(), clip)
            if not math.isfinite(loss) or not torch.isfinite(norm):
                return math.nan
            trainer.step()
            total += loss * unroll / steps
            bar.set_postfix(loss=f"{loss:.4g}", refresh=False)
            bar.update(unroll)
        return total
    finally:
        optimizer.draw(None)


def _learned_enough(stage: list[tuple[int, float]], first: bool) -> bool:
    """Whether a stage of the curriculum stopped making progress; the first must have made some."""
    start, *later = [loss for _, loss in stage]
    stalled = len(later) >= JUDGEMENTS and later[-1] > min(start, *later)
    return stalled and (min(later) < start or not first)


def _finite(loss: float) -> float:
    return loss if math.isfinite(loss) else math.inf


def _epoch_seed(seed: int, epoch: int) -> int:
    """Fresh instances every epoch, never those of validation (whose seed is negative)."""
    return seed * 1_000_003 + epoch


def _check(**counts: int) -> None:
    for name, value in counts.items():
        if value < 1:
            raise ConfigError(f"{name} must be at least 1, not {value}")


def _writer(log: str | Path | None) -> Any:
    """TensorBoard's writer, where a folder is named; TensorBoard is an optional extra."""
    if log is None:
        return None
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ConfigError("log= needs TensorBoard: pip install tensorboard, or leave it out") from error
    return SummaryWriter(log)


class _Progress:
    """The weights so far, the best of them, what happened, and the file that holds it all."""

    def __init__(
        self,
        optimizer: LearnedOptimizer,
        trainer: torch.optim.Optimizer,
        checkpoint: Checkpoint | None,
    ):
        self.optimizer, self.trainer, self.checkpoint = optimizer, trainer, checkpoint
        self.history, self.best = History(), copy.deepcopy(optimizer.state_dict())
        if checkpoint and (content := checkpoint.load()):
            self.restore((content["optimizer"], content["trainer"]))
            self.history, self.best = History(**content["history"]), content["best"]

    def snapshot(self) -> tuple[dict, dict]:
        return copy.deepcopy((self.optimizer.state_dict(), self.trainer.state_dict()))

    def restore(self, snapshot: tuple[dict, dict]) -> None:
        self.optimizer.load_state_dict(snapshot[0])
        self.trainer.load_state_dict(snapshot[1])

    def keep_best(self) -> None:
        if self.history.validation[-1] == self.history.best:
            self.best = copy.deepcopy(self.optimizer.state_dict())

    def restore_best(self) -> None:
        self.optimizer.load_state_dict(self.best)

    def write(self) -> None:
        if self.checkpoint:
            now = self.snapshot()
            content = {"optimizer": now[0], "trainer": now[1], "best": self.best}
            self.checkpoint.save(content | {"history": vars(self.history)})
