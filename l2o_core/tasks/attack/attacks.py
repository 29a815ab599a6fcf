"""Attacks: any optimizer inside the projection, PGD, and APGD."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from ...arguments import LARGEST_SEED, positive, whole
from .target import Target


class Optimizer(Protocol):
    """What `models.LearnedOptimizer` is, as far as an attack needs it."""

    def init_state(self, like: Tensor) -> Any:
        """The state before the first gradient."""

    def advance(self, g: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Gradient `[N]` and state in, update `[N]` and next state out."""


@dataclass(frozen=True, eq=False)
class Attacked:
    """What an attack found on B images.

    Args:
        z: Perturbations `[B, n]` in units of epsilon: where an image was misclassified, the first that does
            so, else that of the lowest loss.
        last: The last perturbations, `[B, n]`; where an attack stops, those that it stopped at.
        fooled: At which step an image was first misclassified, `[B]`; 0 is the start, -1 is never.
        losses: Of every image before the first and after each step, `[steps + 1, B]`; where an attack stops,
            the loss that it stopped at is repeated.
    """

    z: Tensor
    last: Tensor
    fooled: Tensor
    losses: Tensor

    @property
    def success(self) -> Tensor:
        """Whether an image was misclassified at any step, `[B]`."""
        return self.fooled >= 0

    def within(self, steps: int) -> Tensor:
        """Whether it was within so many steps, `[B]`."""
        return self.success & (self.fooled <= steps)


class _Watch:
    """Keeps what `Attacked` holds, step by step; the same for every attack."""

    def __init__(self, target: Target, start: Tensor, stop: bool):
        self.target, self.z, self.stop = target, target.project(start).clone(), stop
        self.best = self.z.clone()
        self.losses: list[Tensor] = []
        self.lowest = self.z.new_full((len(target),), math.inf)
        self.fooled = torch.full((len(target),), -1, device=self.z.device)

    def see(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Evaluate at feasible perturbations; loss `[B]` and gradient `[B, n]`."""
        if self.stop and self.losses:
            z = torch.where(self.fooled[:, None] < 0, z, self.z)
            loss, gradient, wrong = self._going_on(z)
        else:
            loss, gradient, wrong = self.target.evaluate(z)
        found = (self.fooled < 0) & (wrong | (loss < self.lowest))
        self.best[found] = z[found]
        self.lowest = torch.fmin(self.lowest, loss)
        self.fooled[(self.fooled < 0) & wrong] = len(self.losses)
        self.losses.append(loss)
        self.z = z
        return loss, gradient

    def _going_on(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What `Target.evaluate` gives, computed only for images that are not misclassified yet."""
        held = self.fooled < 0
        loss, gradient, wrong = self.losses[-1].clone(), torch.zeros_like(z), ~held
        if held.any():
            loss[held], gradient[held], wrong[held] = self.target.part(held).evaluate(z[held])
        return loss, gradient, wrong

    def result(self) -> Attacked:
        return Attacked(self.best, self.z, self.fooled, torch.stack(self.losses))


@torch.no_grad()
def follow(
    optimizer: Optimizer,
    target: Target,
    *,
    steps: int = 100,
    start: Tensor | None = None,
    stop: bool = False,
) -> Attacked:
    r"""Let an optimizer perturb images: :math:`z_{t+1} = P(z_t + u_t)` (SOL 5.3).

    Args:
        optimizer: A learned optimizer or an equation; its update is added, before the projection P.
        target: Images, defence and ball.
        steps: Updates.
        start: Perturbations `[B, n]` in units of epsilon; None: 0.
        stop: Whether images are left alone from the step on that has them misclassified, which saves time.

    Example:
        >>> from l2o_core import models
        >>> from l2o_core.tasks.attack import Target, follow, harden
        >>> defence = harden("plain", "digits", epochs=1, width=2, augment=False)
        >>> target = Target(defence, torch.full((1, 1, 8, 8), 0.5), torch.tensor([0]), epsilon=0.1)
        >>> follow(models.Equation("-0.25 * sign(g)"), target, steps=4).last.abs().max() <= 1
        tensor(True)
    """
    whole("steps", steps, 1)
    watch, place = _begin(target, start, stop), getattr(optimizer, "place", None)
    state = optimizer.init_state(watch.z.view(-1))
    _, gradient = watch.see(watch.z)
    for _ in range(steps):
        update, state = optimizer.advance(gradient.reshape(-1), state)
        moved = watch.z + update.view_as(watch.z).nan_to_num()  # a rule that fails stays where it is
        _, gradient = watch.see(target.project(moved))
        state = place(state, watch.z.view(-1)) if place else state  # one that reads z, as rules of theta do
    return watch.result()


@torch.no_grad()
def pgd(
    target: Target,
    *,
    steps: int = 100,
    step_size: float = 0.25,
    start: Tensor | None = None,
    stop: bool = False,
) -> Attacked:
    r"""Projected gradient descent (Madry et al. 2018): :math:`z_{t+1} = P(z_t - \gamma\,\mathrm{sign}\,g_t)`.

    Args:
        target: Images, defence and ball.
        steps: Updates.
        step_size: gamma, in units of epsilon; 2/255 in a ball of 8/255 is 0.25.
        start: Perturbations `[B, n]` in units of epsilon; None: 0.
        stop: Whether images are left alone from the step on that has them misclassified, which saves time.
    """
    whole("steps", steps, 1), positive("step_size", step_size, "epsilon")
    watch = _begin(target, start, stop)
    _, gradient = watch.see(watch.z)
    for _ in range(steps):
        _, gradient = watch.see(target.project(watch.z - step_size * gradient.sign()))
    return watch.result()


@torch.no_grad()
def apgd(
    target: Target,
    *,
    steps: int = 100,
    momentum: float = 0.25,
    rho: float = 0.75,
    start: Tensor | None = None,
    stop: bool = False,
) -> Attacked:
    r"""Auto-PGD (Croce and Hein 2020, Algorithm 1): momentum, and steps that are halved where they fail.

    .. math::
        y_t = P(z_t - \eta_t\,\mathrm{sign}\,g_t), \qquad
        z_{t+1} = P\bigl(z_t + (1 - m)(y_t - z_t) + m\,(z_t - z_{t-1})\bigr)

    The step :math:`\eta` begins at 2, twice the radius. At each checkpoint it is halved for an image whose
    loss fell in fewer than a share rho of the steps since the last one, or has reached no new minimum since,
    unless it was halved there; the image then goes on from its best point.

    Args:
        target: Images, defence and ball.
        steps: Updates.
        momentum: m.
        rho: The share of steps that have to lower the loss.
        start: Perturbations `[B, n]` in units of epsilon; None: 0.
        stop: Whether images are left alone from the step on that has them misclassified, which saves time.
    """
    whole("steps", steps, 1)
    watch = _begin(target, start, stop)
    best_loss, gradient = watch.see(watch.z)
    before, best, best_gradient = watch.z, watch.z.clone(), gradient.clone()
    at_checkpoint, step_size = best_loss.clone(), watch.z.new_full((len(target), 1), 2.0)
    halved = torch.ones_like(best_loss, dtype=torch.bool)  # the first checkpoint asks for descent alone
    due, last = _checkpoints(steps), 0
    for step in range(1, steps + 1):
        z, m = watch.z, momentum if step > 1 else 0.0
        y = target.project(z - step_size * gradient.sign())
        moved = target.project(z + (1 - m) * (y - z) + m * (z - before))
        before = z
        loss, gradient = watch.see(moved)
        better = loss < best_loss
        best[better], best_gradient[better] = moved[better], gradient[better]
        best_loss = torch.minimum(loss, best_loss)
        if step in due:
            recent = torch.stack(watch.losses[last:])
            rarely = (recent[1:] < recent[:-1]).sum(0) <= rho * (step - last)
            stuck = ~halved & (best_loss >= at_checkpoint)
            halved, at_checkpoint, last = rarely | stuck, best_loss.clone(), step
            step_size[halved] /= 2
            watch.z = torch.where(halved[:, None], best, watch.z)
            gradient = torch.where(halved[:, None], best_gradient, gradient)
    return watch.result()


def restarted(
    attack: Callable[[Target, Tensor | None], Attacked], target: Target, restarts: int = 1, seed: int = 0
) -> Tensor:
    """The fewest steps in which one of several runs fools the defence, `[B]`; -1 where none does.

    The first run starts at the image, the others anywhere in the ball.

    Args:
        attack: Runs on a target from a start, such as `lambda target, start: pgd(target, start=start)`.
        target: Images, defence and ball.
        restarts: Runs.
        seed: Of the starts; the same one gives every attack the same.
    """
    whole("restarts", restarts, 1)
    generator = torch.Generator().manual_seed(whole("seed", seed, 0, LARGEST_SEED))
    fooled = torch.full((len(target),), -1, device=target.images.device)
    for run in range(restarts):
        found = attack(target, target.random(generator) if run else None).fooled
        sooner = (found >= 0) & ((fooled < 0) | (found < fooled))
        fooled = torch.where(sooner, found, fooled)
    return fooled


def _begin(target: Target, start: Tensor | None, stop: bool) -> _Watch:
    n = target.images[0].numel()
    return _Watch(target, target.images.new_zeros(len(target), n) if start is None else start, stop)


def _checkpoints(steps: int) -> set[int]:
    """The steps after which APGD looks back: first 22 % of all, then 3 % less each time, 6 % at least."""
    gap, least, less = (max(int(share * steps), 1) for share in (0.22, 0.06, 0.03))
    found, step = set(), gap
    while step <= steps:
        found.add(step)
        gap = max(gap - less, least)
        step += gap
    return found
