"""Parameters that step together, on one flat axis with all their stored tensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from operator import is_
from typing import Any

import torch
from torch import Tensor

from ...errors import ConfigError
from .kernels import Types
from .memory import check_gradient, check_memory, flat, is_flat, is_readable, local, shares_memory
from .plan import Bound

LARGE = {"cpu": 1 << 12, "cuda": 1 << 21}
"""A parameter of at least this many numbers steps by itself, in place; smaller ones are gathered.

On a GPU, to start a kernel takes as long as to copy about this many (50 microseconds, 1 TB/s).
"""

State = MutableMapping[Tensor, dict[str, Any]]


class Bucket:
    """One large parameter, or many small ones, with their stored tensors, flat [N], by name.

    In the optimizer's `state`, each parameter has its views of these tensors, shaped as it is, and `step`.
    The state is the truth: as soon as it holds anything else, the bucket is no longer current, and the next
    one starts from what the state holds. Raises ConfigError where that does not fit a parameter.
    """

    def __init__(self, params: list[Tensor], state: State, bound: Bound, types: Types):
        self.params, self.types, self.step = params, types, step_of(state.get(params[0], {}))
        self.locals = [local(p) for p in params]
        self.sizes = [q.numel() for q in self.locals]
        first, numbers = self.locals[0], sum(self.sizes)
        self.is_large = is_large(first)
        self.flat = flat(first) if self.is_large else first.new_empty(numbers)
        self.gathered = self._parts(self.flat)
        self.gradient = None if self.is_large else first.new_empty(numbers, dtype=types.gradient)
        self.gradients = self._parts(self.gradient) if self.gradient is not None else []
        initial, plan = bound.initial_state, bound.plan
        held = [known(p, q, state.get(p, {}), initial) for p, q in zip(params, self.locals, strict=True)]
        self.entries = [state[p] for p in params]
        self.stored: dict[str, Tensor] = {}
        for name, start in initial.items():
            whole = self.stored[name] = torch.full_like(self.flat, start, dtype=types.of(plan, name))
            for p, entry, old, part in zip(params, self.entries, held, self._parts(whole), strict=True):
                entry[name] = _like(p, part.copy_(old[name]) if name in old else part)
        for entry in self.entries:
            entry["step"] = self.step
        self._handles = {name: [entry[name] for entry in self.entries] for name in self.stored}
        self._views = {name: [*map(local, handles)] for name, handles in self._handles.items()}
        self._forms = {name: _forms(views) for name, views in self._views.items()}
        self._places = self._now()

    def is_current(self, state: State, slots: Sequence[str]) -> bool:
        """Whether parameters, gradients' types and the state are those that this bucket was made of.

        Of the state, all that matters to a step is compared: what it reads or writes, in `slots`.
        """
        return (
            all(map(is_, map(state.get, self.params), self.entries))
            and [entry.get("step") for entry in self.entries].count(self.step) == len(self.entries)
            and self._now() == self._places
            and all(
                all(map(is_, [entry.get(slot) for entry in self.entries], self._handles[slot]))
                and _forms(self._views[slot]) == self._forms[slot]
                for slot in slots
            )
        )

    def operands(self, slots: Sequence[str]) -> list[Tensor]:
        """Parameters, gradients and the stored tensors in `slots`, each [N]: views, or gathered."""
        gradients = [local(p.grad) for p in self.params]  # type: ignore[arg-type]
        if self.gradient is not None:
            torch._foreach_copy_(self.gathered, self.locals)
            torch._foreach_copy_(self.gradients, gradients)
            return [self.flat, self.gradient, *(self.stored[slot] for slot in slots)]
        (p,), (g,), stored = self.locals, gradients, [self.stored[slot] for slot in slots]
        alike = g.dtype is self.types.gradient and g.stride() == p.stride() and is_flat(g)
        if not alike or shares_memory(g, (p, *stored)):  # what a step writes must not be what it reads
            g = torch.empty_like(p, dtype=self.types.gradient).copy_(g)
        return [self.flat, flat(g), *stored]

    def finish(self) -> None:
        """Give the parameters their values from the first of `operands`, and count the step."""
        if self.gradient is not None:
            torch._foreach_copy_(self.locals, self.gathered)
        elif not self.locals[0].is_inference():
            torch.autograd.graph.increment_version(self.locals)  # so that autograd knows of the change
        self.step += 1
        for entry in self.entries:
            entry["step"] = self.step

    def check_gradients(self) -> None:
        """Raise ConfigError for a gradient that does not fit its parameter."""
        for p, q in zip(self.params, self.locals, strict=True):
            check_gradient(p, q)
        if self.is_large:
            check_memory(local(self.params[0].grad), "a gradient")  # type: ignore[arg-type]

    def _parts(self, whole: Tensor) -> list[Tensor]:
        """The parts of a tensor [N], shaped and laid out as the parameters."""
        if self.is_large:
            return [whole.as_strided(self.locals[0].shape, self.locals[0].stride())]
        return [part.view(q.shape) for q, part in zip(self.locals, whole.split(self.sizes), strict=True)]

    def _now(self) -> list[Any]:
        """Where and what the parameters are, and the types of their gradients."""
        return [
            (q.data_ptr(), q.shape, q.stride(), q.dtype, q.device, p.grad.dtype)  # type: ignore[union-attr]
            for p, q in zip(self.params, map(local, self.params), strict=True)
        ]


def _forms(tensors: Sequence[Tensor]) -> list[list[Any]]:
    """Where tensors lie in memory, and how: all that can be changed of them in place, but their type."""
    return [[*map(read, tensors)] for read in (Tensor.data_ptr, Tensor.size, Tensor.stride)]


def is_large(q: Tensor) -> bool:
    """Whether a parameter has a bucket of its own: it is large, and without gaps in memory."""
    return is_flat(q) and q.numel() >= LARGE.get(q.device.type, LARGE["cuda"])


def step_of(entry: Mapping[str, Any]) -> int:
    """The number of steps that a parameter has taken. Raises ConfigError for what is no such number."""
    step = entry.get("step", 0)
    if isinstance(step, Tensor) and step.numel() == 1:
        step = step.item()
    if isinstance(step, bool) or not isinstance(step, int | float) or not 0 <= step == step // 1 < 1 << 53:
        raise ConfigError(f"a state's step must be a whole number of steps, not {step!r:.60}")
    return int(step)


def known(p: Tensor, q: Tensor, entry: Mapping[str, Any], names: Iterable[str]) -> dict[str, Tensor]:
    """What the state holds for a parameter, by name; ConfigError where that does not fit it."""
    found = {}
    for name in names:
        if name in entry:
            value = local(entry[name]) if isinstance(entry[name], Tensor) else entry[name]
            if not _fits(value, q):
                raise ConfigError(
                    f"the state of a parameter of shape {tuple(p.shape)} holds {name} of {_form(value)}: "
                    "resize it as the parameter, or clear optimizer.state[parameter] to start afresh"
                )
            check_memory(value, f"{name} in the state")
            found[name] = value
    return found


def _fits(value: Any, q: Tensor) -> bool:
    """Whether a part of the state has numbers that can be read, in the shape of the parameter."""
    if not isinstance(value, Tensor) or not is_readable(value) or (value.is_meta and not q.is_meta):
        return False
    return value.shape == q.shape


def _form(value: Any) -> str:
    """What there is to say of a part of the state that does not fit."""
    if not isinstance(value, Tensor):
        return type(value).__name__
    if is_readable(value) and not value.is_meta:
        return f"{tuple(value.shape)}"
    return f"{value.dtype}, {value.layout}, on {value.device}"


def _like(p: Tensor, part: Tensor) -> Tensor:
    """A part of the state in the form of `p`: as it is, or as the local part of a DTensor."""
    if not hasattr(p, "to_local"):
        return part
    from torch.distributed.tensor import DTensor

    mesh, placements = p.device_mesh, p.placements  # type: ignore[attr-defined]
    return DTensor.from_local(part, mesh, placements, run_check=False, shape=p.shape, stride=p.stride())
