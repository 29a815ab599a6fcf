"""Images of one defence, the ball around each, and the loss inside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from ...arguments import positive
from ...errors import ConfigError, DataError, did_you_mean
from .defences import Defence
from .losses import LOSSES


@dataclass(frozen=True, eq=False)
class Target:
    r"""An attack as a constrained optimization, one for each of B images (SOL 5.3).

    .. math::
        \min_z\; l\bigl(f(x + \epsilon z), y\bigr) \quad\text{subject to}\quad
        -1 \le z \le 1, \;\; 0 \le x + \epsilon z \le 1

    Perturbations z `[B, n]` are in units of epsilon, so a step of 2/255 in a ball of 8/255 is 0.25.

    Args:
        defence: The classifier f.
        images: x, `[B, C, H, W]`: floats in [0, 1].
        labels: y, `[B]`.
        epsilon: Radius of the ball, in units of the pixels.
        loss: l, one of `LOSSES`.

    Raises:
        ConfigError: For an epsilon that is not positive, or an unknown loss.
        DataError: For pixels outside [0, 1], images of another shape, or labels that the defence does not
            know.
    """

    defence: Defence
    images: Tensor
    labels: Tensor
    epsilon: float = 8 / 255
    loss: str = "cross_entropy"

    def __post_init__(self) -> None:
        positive("epsilon", self.epsilon, "pixel values: there is nothing to attack at 0")
        if self.loss not in LOSSES:
            raise ConfigError(f"unknown loss {self.loss!r}; {did_you_mean(str(self.loss), LOSSES)}")
        if not self.images.is_floating_point() or not len(self.images):
            raise DataError("images must be floats in [0, 1], at least one; divide bytes by 255")
        low, high = self.images.min().item(), self.images.max().item()
        if not (low >= 0 and high <= 1):
            raise DataError(f"pixels must lie in [0, 1], not in [{low:.3g}, {high:.3g}]; rescale the images")
        if self.images.shape[1:] != self.defence.shape or self.labels.shape != self.images.shape[:1]:
            raise DataError(
                f"{self.defence.name} classifies images {list(self.defence.shape)} with a label each, not "
                f"{list(self.images.shape)} with labels {list(self.labels.shape)}"
            )
        if self.labels.min() < 0 or self.labels.max() >= self.defence.classes:
            raise DataError(
                f"{self.defence.name} knows the classes 0 to {self.defence.classes - 1}, and a label is "
                f"{self.labels.max().item()}; take images of {self.defence.dataset}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def _bounds(self) -> tuple[Tensor, Tensor]:
        flat = self.images.flatten(1) / self.epsilon
        return (-flat).clamp(min=-1), (1 / self.epsilon - flat).clamp(max=1)

    def project(self, z: Tensor) -> Tensor:
        """The nearest perturbations `[B, n]` in ball and box."""
        low, high = self._bounds
        return torch.minimum(torch.maximum(z, low), high)

    def perturbed(self, z: Tensor) -> Tensor:
        """The images at perturbations `[B, n]`, `[B, C, H, W]`; rounding leaves none outside [0, 1]."""
        return (self.images + self.epsilon * z.view_as(self.images)).clamp(0, 1)

    def losses(self, z: Tensor) -> Tensor:
        """The loss `[B]` at perturbations `[B, n]`, differentiable."""
        return self._losses_and_scores(z)[0]

    def _losses_and_scores(self, z: Tensor) -> tuple[Tensor, Tensor]:
        scores = self.defence.scores(self.images + self.epsilon * z.view_as(self.images))
        return LOSSES[self.loss](scores, self.labels), scores

    def evaluate(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Loss `[B]`, gradient `[B, n]` and whether the image is misclassified `[B]`, all detached."""
        with torch.enable_grad():
            leaf = z.detach().requires_grad_()
            loss, scores = self._losses_and_scores(leaf)
            (gradient,) = torch.autograd.grad(loss.sum(), leaf)
        return loss.detach(), gradient, scores.detach().argmax(1) != self.labels

    def random(self, generator: torch.Generator) -> Tensor:
        """Perturbations `[B, n]`, uniform in the ball and then projected onto the box."""
        z = 2 * torch.rand(len(self), self.images[0].numel(), generator=generator) - 1
        return self.project(z.to(self.images))

    def part(self, which: Tensor) -> Target:
        """The same for some images, given by their places or by a mask `[B]`."""
        return replace(self, images=self.images[which], labels=self.labels[which])

    def split(self, size: int) -> Iterator[Target]:
        """The same in parts of `size` images."""
        for places in torch.arange(len(self)).split(size):
            yield self.part(places)
