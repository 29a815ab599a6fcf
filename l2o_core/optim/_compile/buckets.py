"""Parameters that step together, on one flat axis with all their stored tensors."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ...errors import ConfigError
from .kernels import kernel
from .plan import Plan

LARGE = {"cpu": 1 << 12, "cuda": 1 << 21}
"""A parameter of at least this many numbers steps by itself, in place; smaller ones are gathered.

On a GPU, to start a kernel takes as long as to copy about this many (50 microseconds, 1 TB/s).
"""


class Bucket:
    """One large parameter, or many small ones, with their stored tensors, flat [N], by name.

    In the optimizer's `state`, each parameter has its views of these tensors, shaped as it is, and `step`.
    """

    def __init__(
        self,
        params: list[Tensor],
        state: MutableMapping[Tensor, Any],
        plan: Plan,
        history_dtype: torch.dtype | None,
    ):
        self.params, self.plan = params, plan
        self.sizes = [p.numel() for p in params]
        self.flat = _flat(params[0]) if self.is_large(params[0]) else None
        self.stored: dict[str, Tensor] = {}
        known = [state[p] for p in params]
        for p, old in zip(params, known, strict=True):
            state[p] = {"step": old.get("step", 0)}
        first = params[0]
        self.history_dtype = history_dtype or first.dtype
        for name, start in plan.initial_state.items():
            dtype = self.history_dtype if name in plan.history else first.dtype
            flat = torch.full((sum(self.sizes),), start, dtype=dtype, device=first.device)
            for p, old, part in zip(params, known, flat.split(self.sizes), strict=True):
                view = part.as_strided(p.shape, p.stride()) if self.flat is not None else part.view(p.shape)
                state[p][name] = view.copy_(old[name]) if name in old else view
            self.stored[name] = flat

    @staticmethod
    def is_large(p: Tensor) -> bool:
        """Whether a parameter has a bucket of its own: it is large, and without gaps in memory."""
        dense = p.is_contiguous() or (p.ndim == 4 and p.is_contiguous(memory_format=torch.channels_last))
        return dense and p.numel() >= LARGE.get(p.device.type, LARGE["cuda"])

    def operands(self, slots: Sequence[str]) -> list[Tensor]:
        """Parameters, gradients and the stored tensors in `slots`, each [N]: views, or gathered."""
        p = torch.cat([q.reshape(-1) for q in self.params]) if self.flat is None else self.flat
        return [p, self._gradient(), *(self.stored[slot] for slot in slots)]

    def scatter(self, p: Tensor) -> None:
        """Give the parameters their values from `p`, the first of `operands`."""
        if self.flat is None:
            parts = [part.view(q.shape) for q, part in zip(self.params, p.split(self.sizes), strict=True)]
            torch._foreach_copy_(self.params, parts)

    def _gradient(self) -> Tensor:
        """All gradients [N]; that of a large parameter without a copy, if the layouts agree."""
        gradients = [_dense_gradient(p) for p in self.params]
        if self.flat is None:
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
    backend = "eager" if not compiled else "cpp" if p.device.type == "cpu" else "inductor"
    run = kernel(plan, plan.phase(step), p.dtype, first.history_dtype, backend)
    slots = plan.slots(step)
    parts = [bucket.operands(slots) for bucket in buckets]
    run(parts, plan.step_scalars(step, lr, weight_decay, p))
    for bucket, part in zip(buckets, parts, strict=True):
        bucket.scatter(part[0])
        for q in bucket.params:
            state[q]["step"] = step


def _dense_gradient(p: Tensor) -> Tensor:
    if p.grad is None or p.grad.is_sparse or p.is_complex():
        raise ConfigError("update rules work on dense, real gradients")
    return p.grad


def _flat(x: Tensor) -> Tensor:
    """The numbers of a tensor without gaps, in memory order, as a view that autograd does not track."""
    return x.new_empty(0).set_(x.untyped_storage(), x.storage_offset(), (x.numel(),), (1,))
