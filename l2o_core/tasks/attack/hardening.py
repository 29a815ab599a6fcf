"""Adversarial training in one step an image: the defences that come with the library, and others."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ... import data
from ...arguments import LARGEST_SEED, positive, whole
from ...errors import ConfigError
from ...storage import Checkpoint, digest
from ..augmentation import shift_and_mirror
from ..text.fine_tuning import has_bfloat16
from .defences import Defence
from .networks import network


def harden(
    shape: str,
    dataset: str = "cifar10",
    *,
    epochs: int = 8,
    epsilon: float = 8 / 255,
    batch: int = 128,
    lr: float = 0.2,
    width: int | None = None,
    augment: bool = True,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    tell: Callable[[str], Any] | None = None,
) -> Defence:
    r"""Train a network on perturbed images: one signed gradient step from a random start.

    Wong et al. (2020), "Fast is better than free":

    .. math::
        \delta_0 \sim U(-\epsilon, \epsilon), \qquad
        \delta = \mathrm{clip}_\epsilon(\delta_0 + 1.25\,\epsilon\,\mathrm{sign}\,\nabla L(x + \delta_0))

    Pixels stay in [0, 1]. SGD with Nesterov's momentum 0.9 and weight decay 5e-4 follows a learning rate that
    rises for two fifths of the steps and then falls to 0. It sees the whole training split.

    Args:
        shape: Of the network, one of `SHAPES`.
        dataset: Of the images, as `data.load` knows it.
        epochs: Passes over the images.
        epsilon: Radius of the ball, in units of the pixels, which lie in [0, 1].
        batch: Images in a minibatch.
        lr: The highest learning rate.
        width: Channels of the first stage; None: the shape's own.
        augment: Shift images at random by up to 4 pixels, and mirror half of them.
        seed: Of initialisation, order of images, shifts and perturbations.
        checkpoint: A file, written after every epoch, from which a killed run goes on to the same result.
        tell: Is called with a line after every epoch, such as `print`; None: nobody is told.

    Returns:
        The network, ready to be attacked.

    Raises:
        ConfigError: For options that make no sense.
        DataError: Where the data set is not found.
        CheckpointError: For a checkpoint that is damaged or of another run.
    """
    if not (tell is None or callable(tell)):
        raise ConfigError(f"tell must be a function of a line of text, such as print, not {tell!r:.60}")
    epochs, batch = whole("epochs", epochs, 1), whole("batch", batch, 2)
    epsilon, lr = positive("epsilon", epsilon, "pixel values"), positive("lr", lr, "a learning rate")
    width = width if width is None else whole("width", width, 1)
    seed = whole("seed", seed, 0, LARGEST_SEED)
    images = data.load(dataset, "train")
    options = {"shape": shape, "dataset": dataset, "epochs": epochs, "epsilon": epsilon, "batch": batch}
    options |= {"lr": lr, "width": width, "augment": augment, "seed": seed}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = network(shape, images.classes, images.images.shape[1], width)
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in the stubs
    steps = epochs * (len(images) // batch)
    sgd = torch.optim.SGD(model.parameters(), lr, momentum=0.9, weight_decay=5e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(sgd, lambda step: _triangle(step / steps))
    generator = torch.Generator().manual_seed(seed)
    file = None if checkpoint is None else Checkpoint(checkpoint, options | {"data": digest(images.labels)})
    begun, seconds = 0, 0.0
    if file is not None and (saved := file.load()) is not None:
        try:
            model.load_state_dict(saved["model"])
            sgd.load_state_dict(saved["sgd"])
            schedule.load_state_dict(saved["schedule"])
            generator.set_state(saved["generator"])
            begun, seconds = saved["epoch"], saved["seconds"]
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            raise file.damaged(f"{type(error).__name__}: {error}") from error
    if file is not None and begun < epochs:
        file.check()
    for epoch in range(begun, epochs):
        started = time.process_time()
        loss = _epoch(model, images, sgd, schedule, generator, batch, epsilon, augment)
        seconds += time.process_time() - started
        if file is not None:
            file.save(
                {
                    **{"model": model.state_dict(), "sgd": sgd.state_dict(), "epoch": epoch + 1},
                    **{"schedule": schedule.state_dict(), "generator": generator.get_state()},
                    "seconds": seconds,
                }
            )
        if tell is not None:  # after the save: what fails in it costs no epoch
            tell(f"{shape} on {dataset}: epoch {epoch + 1} of {epochs}, loss {loss:.3f}, {seconds:.0f} s")
    return Defence.of(model, shape, images, options | {"cpu seconds": round(seconds)})


def _epoch(
    model: nn.Module,
    images: data.ImageData,
    sgd: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LambdaLR,
    generator: torch.Generator,
    batch: int,
    epsilon: float,
    augment: bool,
) -> float:
    """One pass over the images; the mean loss on perturbed images."""
    model.train()
    half = has_bfloat16(torch.device("cpu"))
    order = torch.randperm(len(images), generator=generator)
    total, count = 0.0, len(images) // batch
    for rows in order[: count * batch].view(count, batch):
        x, labels = images.images[rows], images.labels[rows]
        x = (shift_and_mirror(x, generator) if augment else x).float() / 255
        x = x.to(memory_format=torch.channels_last)
        noise = epsilon * (2 * torch.rand(x.shape, generator=generator) - 1)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            start = (x + noise).clamp(0, 1).requires_grad_()
            (gradient,) = torch.autograd.grad(cross_entropy(model(start), labels), start)
            moved = start.detach() + 1.25 * epsilon * gradient.sign()
            loss = cross_entropy(model(_projected(moved, x, epsilon)), labels)
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        schedule.step()
        total += loss.item()
    return total / count if count else math.nan


def _projected(moved: Tensor, x: Tensor, epsilon: float) -> Tensor:
    return torch.minimum(torch.maximum(moved, x - epsilon), x + epsilon).clamp(0, 1)


def _triangle(share: float) -> float:
    """The learning rate's factor after this share of the steps: up to 1 at two fifths, then down to 0."""
    return share / 0.4 if share < 0.4 else max(0.0, (1 - share) / 0.6)
