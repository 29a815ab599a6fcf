"""One number for a run on any task: its mean and end loss, as a fraction of those of a reference run."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

DIVERGED = 20.0
"""The logarithm that stands for a run that diverged: worse than all others, and a number."""
END = 0.1
"""The end of a run: its last tenth."""
RESOLUTION = 0.01
"""What hardly counts, as a fraction of the loss before any step: of two tiny losses neither is far ahead."""
LEAST = 1e-3
"""The smallest fraction of the reference that counts as one: a loss that cannot fall below 0 does not come so
far, but one without a floor may, as that of an attack."""


@dataclass(frozen=True)
class Reference:
    """A reference run: mean loss and end loss above a floor, a little below 0 or the lowest loss.

    Args:
        mean: Mean loss over instances and steps.
        end: Mean loss of the last tenth of the steps.
        floor: What losses are measured from.

    Example:
        >>> import torch
        >>> reference = Reference.of(torch.tensor([[4.0, 2.0, 1.0]]))
        >>> reference.compare(torch.tensor([[[4.0, 2.0, 1.0]], [[4.0, 1.0, 0.5]]])).exp()
        tensor([1.0000, 0.5161])
    """

    mean: float
    end: float
    floor: float = 0.0

    @classmethod
    def of(cls, losses: Tensor) -> Reference:
        """Of the losses `[I, T + 1]` of I instances; of those before any step if the run diverged."""
        losses = losses if losses.isfinite().all() else losses[:, :1].expand_as(losses)
        lowest, first = losses.min().item(), losses[:, 0].mean().item()
        floor = min(lowest, 0.0) - RESOLUTION * (abs(first - min(lowest, 0.0)) + 1e-6)
        mean, end = mean_and_end(losses)
        return cls(mean.item() - floor, end.item() - floor, floor)

    def compare(self, losses: Tensor) -> Tensor:
        """The logarithms `[K]` of mean and end loss as fractions of the reference's, averaged over the two.

        Args:
            losses: Of K rules, `[K, I, T + 1]`.
        """
        mean, end = mean_and_end(losses)
        worth = (_logarithm((mean - self.floor) / self.mean) + _logarithm((end - self.floor) / self.end)) / 2
        return worth.nan_to_num(DIVERGED, DIVERGED, DIVERGED).clamp_max(DIVERGED)


def _logarithm(ratio: Tensor) -> Tensor:
    """The logarithm, which goes on below `LEAST`, and through 0, ever more slowly: lower stays better."""
    beyond = math.log(LEAST) - ((LEAST - ratio).clamp_min(0) / LEAST).log1p()
    return ratio.log().where(ratio.isnan() | (ratio >= LEAST), beyond)


def mean_and_end(losses: Tensor) -> tuple[Tensor, Tensor]:
    """Mean loss over instances and steps, and over the last tenth of the steps: `[..., I, T + 1]` to `[...]`.

    The loss before the first step, which no rule has a part in, does not count.
    """
    losses = losses[..., 1:].mean(-2)
    tail = max(1, math.ceil(END * losses.shape[-1]))
    return losses.mean(-1), losses[..., -tail:].mean(-1)
