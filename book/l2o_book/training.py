"""Ordinary training of a network with an optimizer, the final test of a rule, and its entry in a record."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from tqdm.auto import tqdm

from l2o_core.data import ImageData
from l2o_core.errors import ConfigError
from l2o_core.storage import NO_CACHE, Cache
from l2o_core.tasks.augmentation import shift_and_mirror

SCHEDULES = ("constant", "cosine")
EVALUATED = 64  # images at a time; more are slower on a CPU, whose caches they leave


@dataclass
class Fit:
    """The course of a training: mean training loss and accuracies (0 to 1) of each epoch.

    A training whose loss is no longer finite ends there: `diverged`, and the later epochs are missing.
    """

    losses: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    test: list[float] = field(default_factory=list)
    seconds: float = 0.0
    diverged: bool = False


def fit(
    build: Callable[[], nn.Module],
    make_optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer],
    train: ImageData,
    validation: ImageData,
    test: ImageData,
    *,
    epochs: int,
    seed: int = 0,
    batch: int = 128,
    schedule: str = "constant",
    augment: bool = True,
    device: str = "cpu",
    autocast: bool = False,
    compile: bool = False,
    cache: Cache = NO_CACHE,
    progress: bool = False,
) -> Fit:
    """Train a fresh network on images that stay on `device`, and measure it after every epoch.

    Args:
        build: Makes the network; its random numbers follow `seed`.
        make_optimizer: Makes the optimizer of some parameters.
        train: Images to learn from.
        validation: Images for choices.
        test: Images for the report.
        epochs: Passes over `train`.
        seed: Of the initial weights, the order of the images and their augmentation, whatever the optimizer.
        batch: Images in a step.
        schedule: "constant", or "cosine" from the optimizer's learning rate to 0 over all steps.
        augment: Shift images at random by up to 4 pixels, and mirror half of them.
        device: Device of images and network; images are channels-last.
        autocast: Compute the network in bfloat16.
        compile: Compile the network.
        cache: From it a killed training goes on to the same result, and a finished one is read back.
        progress: Show a progress bar.

    Raises:
        ConfigError: For options that make no sense.
        CheckpointError: For a damaged file.
    """
    if schedule not in SCHEDULES:
        raise ConfigError(f"unknown schedule {schedule!r}; known schedules: {', '.join(SCHEDULES)}")
    if epochs < 1 or not 1 <= batch <= len(train):
        raise ConfigError(
            f"epochs must be at least 1 and a batch 1 to {len(train)} images, not {epochs}, {batch}"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build().to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    steps = len(train) // batch
    optimizer = make_optimizer(network.parameters())
    factor = (
        (lambda step: (1 + math.cos(math.pi * step / (epochs * steps))) / 2)
        if schedule == "cosine"
        else _constant
    )
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    generator = torch.Generator().manual_seed(seed)
    loop = _Loop(network, optimizer, scheduler, generator, device, autocast, compile)
    splits = [_Split(part, device) for part in (train, validation, test)]
    key = {"seed": seed, "batch": batch, "schedule": schedule, "augment": augment, "epochs": epochs}
    key |= {"optimizer": _describe(optimizer), "start": network.state_dict()}
    key |= {"device": loop.kind, "autocast": autocast}
    result, checkpoint = Fit(), None
    if cache.folder is not None:
        key |= {"network": repr(network), "first loss": loop.first_loss(splits[0])}
        key |= {"data": [[part.name, part.images, part.labels] for part in (train, validation, test)]}
        checkpoint = cache.checkpoint("fits", key)
    if checkpoint and (content := checkpoint.load()) is not None:
        try:
            result = Fit(**content["result"])
            if content["states"]:
                loop.restore(content["states"])
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise checkpoint.damaged(f"{type(error).__name__}: {error}") from error
    if checkpoint and not result.diverged and len(result.losses) < epochs:
        checkpoint.check()
    bar = tqdm(range(len(result.losses), epochs), unit="epoch", disable=not progress)
    for _ in bar:
        if result.diverged:
            break
        started = time.perf_counter()
        loss = loop.epoch(splits[0], batch, augment)
        result.diverged = not math.isfinite(loss)
        if not result.diverged:
            result.losses.append(loss)
            result.validation.append(loop.accuracy(splits[1]))
            result.test.append(loop.accuracy(splits[2]))
            bar.set_postfix(loss=f"{loss:.3f}", test=f"{result.test[-1]:.3f}")
        result.seconds += time.perf_counter() - started
        if checkpoint:
            done = result.diverged or len(result.losses) == epochs
            states = {} if done else loop.states()
            checkpoint.save({"result": vars(result), "states": states})
    return result


class Doubled(nn.Module):
    """A network that `fit` trains, for tasks: their pixels lie in [-0.5, 0.5], those of `fit` in [-1, 1]."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Class scores `[B, classes]` of images in [-0.5, 0.5] `[B, C, H, W]`."""
        scores: Tensor = self.network(2 * images)
        return scores


def summary(fits: Sequence[Fit]) -> dict[str, Any]:
    """The part of a record for trainings with one rule, one training for each seed.

    Accuracies on test images after each epoch, on validation images after the last (0 where the training
    diverged, however good it was before), the number of trainings that diverged, and the seconds of each.
    """
    return {
        "test": [fit.test for fit in fits],
        "validation": [0.0 if fit.diverged or not fit.validation else fit.validation[-1] for fit in fits],
        "diverged": sum(fit.diverged for fit in fits),
        "seconds": [fit.seconds for fit in fits],
    }


def final(runs: Mapping[str, Any], epochs: int, lost: float = math.nan) -> list[float]:
    """Test accuracy of a `summary` after the last epoch, in per cent; `lost` where the training diverged."""
    return [100 * curve[-1] if len(curve) == epochs else lost for curve in runs["test"]]


def average(runs: Mapping[str, Any], epochs: int) -> list[float]:
    """Test accuracy of a `summary`, averaged over the epochs, in per cent; 0 in epochs after a divergence."""
    return [100 * sum(curve) / epochs for curve in runs["test"]]


def state_bytes(make_optimizer: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]) -> float:
    """Bytes of state that an optimizer stores between steps for each parameter in float32.

    Scalars, such as a count of steps, are left out.
    """
    parameter = nn.Parameter(torch.zeros(1000))
    parameter.grad = torch.ones_like(parameter)
    made = make_optimizer([parameter])
    made.step()
    tensors = [value for value in made.state[parameter].values() if torch.is_tensor(value) and value.ndim]
    return sum(tensor.nbytes for tensor in tensors) / parameter.numel()


class _Split:
    """Images and labels where the network is."""

    def __init__(self, part: ImageData, device: str):
        self.images, self.labels = part.images.to(device), part.labels.to(device)


class _Loop:
    """A network in training, and all that a step of it needs."""

    def __init__(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        scheduler: torch.optim.lr_scheduler.LRScheduler,
        generator: torch.Generator,
        device: str,
        autocast: bool,
        compile: bool,
    ):
        self.network, self.optimizer, self.scheduler, self.generator = (
            network,
            optimizer,
            scheduler,
            generator,
        )
        self.forward = torch.compile(network) if compile else network
        self.kind, self.autocast = torch.device(device).type, autocast

    def epoch(self, split: _Split, batch: int, augment: bool) -> float:
        """One pass over the images in random order; the mean loss, or nan once it is not finite."""
        self.network.train()
        order = torch.randperm(len(split.labels), generator=self.generator).to(split.labels.device)
        total = torch.zeros((), device=split.labels.device)
        steps = len(order) // batch
        for rows in order[: steps * batch].split(batch):
            images = split.images[rows]
            if augment:
                images = shift_and_mirror(images, self.generator)
            self.optimizer.zero_grad()
            loss = cross_entropy(self._scores(images), split.labels[rows])
            loss.backward()
            self.optimizer.step()
            self.scheduler.step()
            total += loss.detach()
        mean = total.item() / steps
        return mean if math.isfinite(mean) else math.nan

    @torch.no_grad()
    def accuracy(self, split: _Split) -> float:
        """The fraction of images that are classified correctly."""
        self.network.eval()
        parts = zip(split.images.split(EVALUATED), split.labels.split(EVALUATED), strict=True)
        right = sum((self._scores(images).argmax(-1) == labels).sum() for images, labels in parts)
        return right.item() / len(split.labels)

    @torch.no_grad()
    def first_loss(self, split: _Split) -> str:
        """Loss and spread of the scores of some images before training, as far as machines agree on them."""
        self.network.eval()
        images = split.images[:64].float().contiguous(memory_format=torch.channels_last)
        scores = self.network(images.div_(127.5).sub_(1))
        return f"{cross_entropy(scores, split.labels[:64]).item():.4g} {scores.std().item():.4g}"

    def states(self) -> dict[str, Any]:
        """The state that the next epoch depends on."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "generator": self.generator.get_state(),
        }

    def restore(self, states: dict[str, Any]) -> None:
        """Continue from what `states` returned."""
        self.network.load_state_dict(states["network"])
        self.optimizer.load_state_dict(states["optimizer"])
        self.scheduler.load_state_dict(states["scheduler"])
        self.generator.set_state(states["generator"])

    def _scores(self, images: Tensor) -> Tensor:
        pixels = images.float().div_(127.5).sub_(1).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.kind, torch.bfloat16, enabled=self.autocast):
            return self.forward(pixels).float()


def _constant(step: int) -> float:
    return 1.0


def _describe(optimizer: torch.optim.Optimizer) -> str:
    """An optimizer and its hyper-parameters, as text."""
    groups = [
        {key: value for key, value in sorted(group.items()) if key not in ("params", "compile")}
        | {"sizes": [parameter.numel() for parameter in group["params"]]}
        for group in optimizer.param_groups
    ]
    return f"{type(optimizer).__name__} {groups}"
