"""The loss of every classification here."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy


def mean_cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy `[I]` of class scores `[I, B, classes]` and labels `[I, B]`."""
    losses = cross_entropy(scores.flatten(0, 1), labels.flatten(), reduction="none")
    return losses.view_as(labels).mean(-1)
