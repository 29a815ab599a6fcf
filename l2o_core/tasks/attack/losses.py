"""What an attack minimises, for each image: class scores and labels in, losses out."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ...errors import ConfigError


def minus_cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """Minus the cross-entropy `[B]` of scores `[B, classes]` and labels `[B]`.

    Example:
        >>> minus_cross_entropy(torch.zeros(1, 2), torch.tensor([0]))
        tensor([-0.6931])
    """
    return -cross_entropy(scores, labels, reduction="none")


def difference_of_logits_ratio(scores: Tensor, labels: Tensor) -> Tensor:
    r"""Minus DLR `[B]` (Croce and Hein 2020), which no rescaling of the scores changes.

    .. math:: \frac{z_y - \max_{i \ne y} z_i}{z_{\pi_1} - z_{\pi_3}}

    with the scores in decreasing order; below 0 where the image is misclassified.

    Args:
        scores: `[B, classes]`, of at least three classes.
        labels: `[B]`.

    Raises:
        ConfigError: For two classes.

    Example:
        >>> difference_of_logits_ratio(torch.tensor([[3.0, 2.0, 1.0]]), torch.tensor([0]))
        tensor([0.5000])
    """
    if scores.shape[1] < 3:
        raise ConfigError(f"dlr needs three classes, not {scores.shape[1]}; take cross_entropy")
    ordered = scores.sort(dim=1, descending=True).values
    of_label = scores.gather(1, labels[:, None])[:, 0]
    others = scores.scatter(1, labels[:, None], -torch.inf).amax(1)
    return (of_label - others) / (ordered[:, 0] - ordered[:, 2] + 1e-12)


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cross_entropy": minus_cross_entropy,
    "dlr": difference_of_logits_ratio,
}
"""The losses by name."""
