"""Meta-training: make an optimizer better at a family of problems."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ..errors import CheckpointError, ConfigError, DivergenceError, optional_import
from ..models.base import LearnedOptimizer, placed
from ..storage import Checkpoint, digest
from ..tasks.base import Task
from .config import TrainingConfig
from .distributed import average_gradients, rank_of_world
from .estimators import ESTIMATORS, Estimator, Imitation
from .evaluation import evaluate
from .given import one_task
from .history import History
from .progress import Progress

if TYPE_CHECKING:
    from tqdm import tqdm

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
    state_dtype: torch.dtype | None = None,
    imitation: float = 0.0,
    estimator: str = "tbptt",
    validate_every: int = 5,
    validation_instances: int = 64,
    checkpoint: str | Path | None = None,
    log: str | Path | None = None,
    progress: bool = True,
) -> History:
    r"""Train an optimizer in place on fresh instances of a task; it ends with its best validated weights.

    An epoch optimizes new instances for `steps` steps. After every `unroll` of them, Adam changes the
    optimizer's weights :math:`\phi` along the gradient of the mean loss of the unroll,

    .. math:: \mathcal L(\phi) = \frac 1 T \sum_{t=1}^T f(x_t), \qquad x_{t+1} = x_t + u_t(\phi),

    which is SymL2O Eq. 1 with equal weights. Every `validate_every` epochs the loss on held-out instances
    decides which weights are best. An epoch that is not finite is rolled back. Under `torch.distributed` all
    processes train one optimizer, each on instances of its own.

    Args:
        optimizer: The learned optimizer, or equation, to be trained.
        task: The optimizee; its device is where the work is done. The optimizer ends on its own.
        seed: Of the instances, the coordinates and the epochs that imitate.
        epochs: Rollouts from fresh instances.
        steps: Optimizee steps of an epoch. Several numbers make a curriculum (Chen et al. 2020a): validation
            looks one horizon ahead, and once it no longer improves, training goes on from the stage's best
            weights at the next horizon.
        unroll: Optimizee steps between two changes of the optimizer (truncation); divides `steps`.
        instances: Instances of the task, optimized at once.
        lr: Learning rate of the Adam that trains the optimizer.
        decay: Let that learning rate fall to zero along half a cosine over the epochs.
        clip: Largest norm of the meta-gradient.
        fraction: Of the coordinates, drawn anew in each unroll, that carries the meta-gradient; in (0, 1].
        scaling: Random scaling of the coordinates by exp(U(-scaling, scaling)) (Lv et al. 2017).
        state_dtype: Precision of the optimizer's state between steps, such as `torch.float16`; None: that of
            the parameters. For optimizers of very many coordinates.
        imitation: Fraction of the epochs that follow Adam instead (Chen et al. 2020a); in [0, 1].
        estimator: "tbptt", or "pes" for evolution strategies (Vicol et al. 2021).
        validate_every: Epochs between two validations.
        validation_instances: Held-out instances whose mean loss decides which weights are best.
        checkpoint: A file from which a killed run continues to the same result.
        log: A TensorBoard folder.
        progress: Show a progress bar.

    Returns:
        The losses of every epoch, and what else happened.

    Raises:
        ConfigError: For options that make no sense, an optimizer without weights, or what is no optimizer or
            no task.
        CheckpointError: For a checkpoint that is damaged or of another run.
        DivergenceError: After five diverging epochs in a row.

    Example:
        >>> from l2o_core import models, tasks
        >>> optimizer = models.RPSmall(scale=0.1)
        >>> history = meta_train(optimizer, tasks.load("p1"), epochs=2, steps=10, unroll=5, progress=False)
        >>> len(history.losses)
        2
    """
    config = TrainingConfig(
        seed=seed,
        epochs=epochs,
        steps=steps,
        unroll=unroll,
        instances=instances,
        lr=lr,
        decay=decay,
        clip=clip,
        fraction=fraction,
        scaling=scaling,
        state_dtype=state_dtype,
        imitation=imitation,
        estimator=estimator,
        validate_every=validate_every,
        validation_instances=validation_instances,
    )
    return train(optimizer, task, config, checkpoint=checkpoint, log=log, progress=progress)


def train(
    optimizer: LearnedOptimizer,
    task: Task,
    config: TrainingConfig,
    *,
    checkpoint: str | Path | None = None,
    log: str | Path | None = None,
    progress: bool = True,
) -> History:
    """`meta_train` with its options in one object."""
    there = placed(optimizer, one_task(task).device)
    # a rule without constants has a parameter of no numbers
    if not any(weights.numel() and weights.requires_grad for weights in optimizer.parameters()):
        raise ConfigError("this optimizer has nothing to train: no constants, no weights")
    history = _train(there, task, config, checkpoint, log, progress)
    if there is not optimizer:
        optimizer.load_state_dict(there.state_dict())
    return history


def _train(
    optimizer: LearnedOptimizer,
    task: Task,
    config: TrainingConfig,
    checkpoint: str | Path | None,
    log: str | Path | None,
    progress: bool,
) -> History:
    """`train` of an optimizer that is on the device of the task."""
    with optional_import("meta-training", extra="distill"):
        from tqdm.auto import tqdm

    rank, world = rank_of_world()
    name = type(optimizer).__name__.removeprefix("Parametrized")  # as `tune` makes it
    identity = {"model": name, "options": optimizer.options, "task": task.name, "dataset": task.dataset}
    identity |= {"part": task.part} | config.identity | ({"processes": world} if world > 1 else {})
    if checkpoint is not None:
        identity["initial weights"] = digest(optimizer.state_dict())
        identity["problem"] = digest([task.identity, _first_loss(task, config)])
    meta_optimizer = torch.optim.Adam(optimizer.parameters(), lr=config.lr)
    file = None if checkpoint is None else Checkpoint(checkpoint, identity)
    state = Progress(optimizer, meta_optimizer, file)
    history, horizons = state.history, config.horizons
    if len(history.losses) > config.epochs:
        raise CheckpointError(
            f"{checkpoint} has {len(history.losses)} epochs of this training already, more than "
            f"{config.epochs}; choose another checkpoint file"
        )
    if file and rank == 0 and len(history.losses) < config.epochs:
        file.check()
    bar = tqdm(unit="step", disable=not progress or rank > 0, desc=f"{name} on {task.name}")
    writer = _writer(log) if rank == 0 else None

    def validate(epoch: int) -> None:
        ahead = horizons[min(len(history.stages), len(horizons) - 1)]
        count, seed = config.validation_instances, ~config.seed
        losses = evaluate(optimizer, task, steps=ahead, instances=count, seed=seed)
        history.validation.append((epoch, _finite(losses.mean().item())))
        state.remember_best()
        if writer:
            writer.add_scalar("loss/validation", history.validation[-1][1], epoch)

    def enter_stage(epoch: int) -> None:
        history.stages.append((epoch, horizons[len(history.stages)]))
        validate(epoch)

    if not history.stages:
        enter_stage(0)
    for epoch in range(len(history.losses), config.epochs):
        started, before = time.perf_counter(), state.snapshot()
        meta_optimizer.param_groups[0]["lr"] = _learning_rate(config, epoch)
        horizon, imitates = history.stages[-1][1], _imitates(config, epoch)
        estimator = (Imitation if imitates else ESTIMATORS[config.estimator])(
            optimizer,
            task,
            _epoch_seed(config.seed, epoch * world + rank),
            config.instances,
            config.fraction,
            config.scaling,
            config.state_dtype,
        )
        bar.total = bar.n + (config.epochs - epoch) * horizon
        loss = _epoch(estimator, meta_optimizer, horizon, config.unroll, config.clip, bar)
        if imitates:
            history.imitated.append(epoch)
        if math.isnan(loss):
            state.restore(before)
            history.diverged.append(epoch)
        history.losses.append(loss)
        if len(history.losses) >= PATIENCE and all(map(math.isnan, history.losses[-PATIENCE:])):
            bar.close()
            raise DivergenceError(
                f"{PATIENCE} epochs in a row diverged (the last is epoch {epoch}); lower lr or clip"
            )
        if writer:
            writer.add_scalar("loss/imitation" if imitates else "loss/training", loss, epoch)
        if (epoch + 1) % config.validate_every == 0 or epoch + 1 == config.epochs:
            validate(epoch + 1)
            more = epoch + 1 < config.epochs and len(history.stages) < len(horizons)
            if more and _learned_enough(history.stage, first=len(history.stages) == 1):
                state.restore_best()
                enter_stage(epoch + 1)
        history.seconds += time.perf_counter() - started
        if rank == 0:
            state.save()
    bar.close()
    state.restore_best()
    return history


def _epoch(
    estimator: Estimator,
    meta_optimizer: torch.optim.Optimizer,
    steps: int,
    unroll: int,
    clip: float,
    bar: tqdm,
) -> float:
    """One meta-update per unroll; the mean loss, or nan as soon as a loss or a gradient is not finite."""
    optimizer, total = estimator.optimizer, 0.0
    try:
        for _ in range(steps // unroll):
            meta_optimizer.zero_grad()
            optimizer.sample_gates(estimator.generator)
            loss = estimator.unroll(unroll)
            if (penalty := optimizer.penalty()) is not None:
                penalty.backward()
            loss = average_gradients(optimizer, loss)
            norm = torch.nn.utils.clip_grad_norm_(optimizer.parameters(), clip)
            if not math.isfinite(loss) or not torch.isfinite(norm):
                return math.nan
            meta_optimizer.step()
            total += loss * unroll / steps
            bar.set_postfix(loss=f"{loss:.4g}", refresh=False)
            bar.update(unroll)
        return total
    finally:
        optimizer.sample_gates(None)


def _first_loss(task: Task, config: TrainingConfig) -> str:
    """The loss where training begins, as far as all machines agree on it."""
    with torch.random.fork_rng(devices=[]):
        generator = task.generator(config.seed)
        params = task.init(generator, config.instances)
        loss, _ = task.loss_and_gradient(params, next(task.batches(generator, config.instances)))
    return f"{loss.mean().item():.2g}"


def _learned_enough(stage: list[tuple[int, float]], first: bool) -> bool:
    """Whether a stage of the curriculum stopped making progress; the first must have made some."""
    start, *later = [loss for _, loss in stage]
    stalled = len(later) >= JUDGEMENTS and later[-1] > min(start, *later)
    return stalled and (min(later) < start or not first)


def _finite(loss: float) -> float:
    return loss if math.isfinite(loss) else math.inf


def _learning_rate(config: TrainingConfig, epoch: int) -> float:
    return config.lr * (1 + math.cos(math.pi * epoch / config.epochs)) / 2 if config.decay else config.lr


def _imitates(config: TrainingConfig, epoch: int) -> bool:
    """Whether this epoch follows the teacher."""
    generator = torch.Generator().manual_seed(_epoch_seed(config.seed, epoch))
    return torch.rand((), generator=generator).item() < config.imitation


def _epoch_seed(seed: int, epoch: int) -> int:
    """Fresh instances every epoch, never those of validation (whose seed is negative)."""
    return seed * 1_000_003 + epoch


def _writer(log: str | Path | None) -> Any:
    """TensorBoard's writer, where a folder is named; TensorBoard is an optional extra."""
    if log is None:
        return None
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ConfigError("log= needs TensorBoard: pip install tensorboard, or leave it out") from error
    return SummaryWriter(log)
