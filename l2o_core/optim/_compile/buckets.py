"""Parameters that step together: one flat axis for all that is kept of them."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ...errors import ConfigError
from .plan import Plan

LARGE = {"cpu": 1 << 12, "cuda": 1 << 21}
"""A parameter of so many numbers steps by itself, in place; smaller ones are gathered, for few kernels.

On a GPU, to start a kernel takes as long as to copy about this many (50 microseconds, 1 TB/s).
"""


class Bucket:
    """One large parameter, or many small ones, and what is kept of them as flat tensors [N] by name.

    In the optimizer's `state`, each parameter has its views of these tensors, shaped as it is, and `step`.
    """

    def __init__(
        self,
        params: list[Tensor],
        state: MutableMapping[Tensor, Any],
        plan: Plan,
        history: torch.dtype | None,
    ):
        self.params, self.plan = params, plan
        self.sizes = [p.numel() for p in params]
        self.own = _flat(params[0]) if self.alone(params[0]) else None
        self.kept: dict[str, Tensor] = {}
        known = [state[p] for p in params]
        for p, old in zip(params, known, strict=True):
            state[p] = {"step": old.get("step", 0)}
        first = params[0]
        self.history = history or first.dtype
        for name, start in plan.before.items():
            dtype = self.history if name in plan.past else first.dtype
            flat = torch.full((sum(self.sizes),), start, dtype=dtype, device=first.device)
            for p, old, part in zip(params, known, flat.split(self.sizes), strict=True):
                view = part.as_strided(p.shape, p.stride()) if self.own is not None else part.view(p.shape)
                state[p][name] = view.copy_(old[name]) if name in old else view
            self.kept[name] = flat

    @staticmethod
    def alone(p: Tensor) -> bool:
        """Whether a parameter is worth a bucket of its own: large, and without gaps in memory."""
        dense = p.is_contiguous() or (p.ndim == 4 and p.is_contiguous(memory_format=torch.channels_last))
        return dense and p.numel() >= LARGE.get(p.device.type, LARGE["cuda"])

    def tensors(self, places: Sequence[str]) -> list[Tensor]:
        """Parameters, gradients and what is kept in `places`, each [N]: views, or gathered."""
        p = torch.cat([q.reshape(-1) for q in self.params]) if self.own is None else self.own
        return [p, self._gradient(), *(self.kept[place] for place in places)]

    def put(self, p: Tensor) -> None:
        """Give the parameters their values from `p`, the first of `tensors`."""
        if self.own is None:
            parts = [part.view(q.shape) for q, part in zip(self.params, p.split(self.sizes), strict=True)]
            torch._foreach_copy_(self.params, parts)

    def _gradient(self) -> Tensor:
        """All gradients [N]; of a parameter of its own without a copy, where the layouts agree."""
        gradients = [_dense(p) for p in self.params]
        if self.own is None:
            return torch.cat([g.reshape(-1) for g in gradients])
        (p,), (g,) = self.params, gradients
        return _flat(g if g.stride() == p.stride() else torch.empty_like(p).copy_(g))


def step_together(
    buckets: Sequence[Bucket],
    state: MutableMapping[Tensor, Any],
    lr: float,
    weight_decay: float,
    compiled: bool,
) -> None:
    """One step of buckets of one plan, type, device and age."""
    first = buckets[0]
    p, plan, step = first.params[0], first.plan, state[first.params[0]]["step"] + 1
    made = "blocked" if not compiled else "native" if p.device.type == "cpu" else "fused"
    kernel = plan.kernel(plan.phase(step), p.dtype, first.history, made)
    places = plan.places(step)
    parts = [bucket.tensors(places) for bucket in buckets]
    kernel(parts, plan.clock(step, lr, weight_decay, p))
    for bucket, part in zip(buckets, parts, strict=True):
        bucket.put(part[0])
        for q in bucket.params:
            state[q]["step"] = step


def _dense(p: Tensor) -> Tensor:
    if p.grad.is_sparse or p.is_complex():
        raise ConfigError("update rules work on dense, real gradients")
    return p.grad


def _flat(x: Tensor) -> Tensor:
    """The numbers of a tensor without gaps, in the order of memory; no view that autograd would track."""
    return x.new_empty(0).set_(x.untyped_storage(), x.storage_offset(), (x.numel(),), (1,))
