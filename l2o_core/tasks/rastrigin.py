"""P1: a random quadratic bowl with a ripple."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from .. import parts
from ..arguments import find_device, whole
from .base import Task

Instance = tuple[Tensor, Tensor, Tensor]


class Rastrigin(Task):
    r"""P1: a random quadratic bowl with a ripple (SymL2O Eq. 4).

    .. math:: f(x) = \lVert A x + b \rVert^2 + \tfrac 1 2 c^\top \cos x

    The entries of A, b, c are drawn from N(0, 1) for each instance. The paper gives no starting point; ours
    is N(0, 1) too.

    Args:
        dim: Coordinates of an instance.
        device: Device of all tensors.
        part: Of the seeds: "train", "choose" or "report", which share no instance; None: as "train".

    Raises:
        ConfigError: For fewer than one coordinate, an unknown part, or a device that this machine lacks.

    Example:
        >>> Rastrigin(dim=10).layers
        {'x': 10}
    """

    name = "p1"
    dataset = "synthetic"

    def __init__(self, dim: int = 10, device: str = "cpu", part: str | None = None):
        parts.check(part)
        self.layers, self.device, self.part = {"x": whole("dim", dim, 1)}, find_device(device), part

    def init(self, generator: torch.Generator, instances: int = 1) -> Tensor:
        """Starting points `[I, dim]`."""
        return torch.randn(instances, self.n, generator=generator).to(self.device)

    def batches(self, generator: torch.Generator, instances: int = 1) -> Iterator[Instance]:
        """The same A `[I, d, d]`, b `[I, d]`, c `[I, d]` at every step."""
        dim = self.n
        shapes = ((instances, dim, dim), (instances, dim), (instances, dim))
        A, b, c = (torch.randn(shape, generator=generator).to(self.device) for shape in shapes)
        while True:
            yield A, b, c

    def loss(self, params: Tensor, batch: Instance) -> Tensor:
        """SymL2O Eq. 4, `[I]`."""
        A, b, c = batch
        residual = torch.einsum("ijk,ik->ij", A, params) + b
        return residual.square().sum(-1) + 0.5 * (c * params.cos()).sum(-1)

    def loss_and_gradient(self, params: Tensor, batch: Instance) -> tuple[Tensor, Tensor]:
        """Loss `[I]` and gradient `2 A^T (A x + b) - 0.5 c sin(x)` `[I, d]`, in closed form."""
        A, b, c = batch
        residual = torch.einsum("ijk,ik->ij", A, params) + b
        loss = residual.square().sum(-1) + 0.5 * (c * params.cos()).sum(-1)
        return loss, 2 * torch.einsum("ijk,ij->ik", A, residual) - 0.5 * c * params.sin()
