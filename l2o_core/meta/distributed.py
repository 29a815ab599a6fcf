"""Several processes that train one optimizer together, each on instances of its own.

Under `torch.distributed` (torchrun, or whatever began the process group), every process calls `meta_train` or
`tune` alike. After each unroll the meta-gradients are averaged, so all hold the same weights.
"""

from __future__ import annotations

import torch
from torch import distributed as dist
from torch import nn


def rank_of_world() -> tuple[int, int]:
    """The number of this process and how many there are; (0, 1) on its own."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


def average_gradients(module: nn.Module, loss: float) -> float:
    """Average the gradients of a module over all processes, in place; the mean loss, nan if any is."""
    world = rank_of_world()[1]
    if world == 1:
        return loss
    gradients = [p.grad for p in module.parameters() if p.grad is not None]
    together = torch.cat([*(g.flatten() for g in gradients), gradients[0].new_tensor([loss])])
    dist.all_reduce(together)
    together /= world
    for g, mean in zip(gradients, together[:-1].split([g.numel() for g in gradients]), strict=True):
        g.copy_(mean.view_as(g))
    return together[-1].item()
