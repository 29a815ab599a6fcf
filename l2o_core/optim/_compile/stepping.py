"""The parameters of a group, in buckets that are made anew whenever parameters or state have changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import is_
from typing import Any

import torch
from torch import Tensor

from ... import features
from ..options import check, check_rate, equation
from .buckets import Bucket, State, is_large, step_of
from .kernels import Types, kernel
from .memory import check_parameter, local, turns
from .plan import Bound, compute_dtype, make_plan, names_of

WORTH_COMPILING = 100_000
"""With fewer numbers than this, an optimizer with `compile="auto"` does not start a compiler."""


class Stepping:
    """How the parameters of one group step.

    Buckets are kept: as long as the same parameters have gradients and the state is as it was left, nothing
    is gathered anew.
    """

    def __init__(self) -> None:
        self._values: tuple[Any, ...] | None = None
        self._bound: Bound
        self._kind: tuple[Any, ...] = ()
        self._params: list[Tensor] = []
        self._together: list[list[Bucket]] = []

    def prepared(self, group: Mapping[str, Any], state: State, numbers: int) -> list[Callable[[], None]]:
        """The steps to take, one after the other, once all groups are known to be in order.

        `numbers`: how many an optimizer works on, which decides whether its kernels are compiled. Raises
        ConfigError, before anything has moved, for numbers, parameters, gradients or a state that do not fit
        the rule or each other, and where a kernel cannot be compiled.
        """
        rates = check_rate("lr", group["lr"]), check_rate("weight_decay", group["weight_decay"])
        bound = self._bind(group)
        params = [p for p in group["params"] if p.grad is not None]
        kind = bound.plan, group["moment_dtype"], group["history_dtype"]
        if (
            kind != self._kind
            or len(params) != len(self._params)
            or not all(map(is_, params, self._params))
            or not all(
                bucket.is_current(state, bound.plan.slots(bucket.step + 1))
                for buckets in self._together
                for bucket in buckets
            )
        ):
            self._kind = ()
            self._together = in_buckets(params, state, bound, *kind[1:])
            self._kind, self._params = kind, params
        return [_step(buckets, bound, rates, group["compile"], numbers) for buckets in self._together]

    def _bind(self, group: Mapping[str, Any]) -> Bound:
        """The group's plan with its numbers; made anew where one of them has changed."""
        names = _names(group["rule"])
        values = tuple(group.get(name) for name in names)
        if any(isinstance(value, Tensor) for value in values) or values != self._values:
            check(group)
            self._bound = make_plan(equation(group["rule"]), group).bind(group)
            self._values = values
        return self._bound


def _step(
    buckets: list[Bucket], bound: Bound, rates: tuple[float, float], compiled: bool | str, numbers: int
) -> Callable[[], None]:
    """A step of buckets that are of one type, device and age."""
    for bucket in buckets:
        bucket.check_gradients()
    first, plan = buckets[0], bound.plan
    backend = backend_of(first.flat.device.type, compiled, numbers)
    run = kernel(plan, plan.phase(first.step + 1), first.types, backend)
    slots, scalars = plan.slots(first.step + 1), bound.scalars(first.step + 1, *rates)

    def step() -> None:
        run([bucket.operands(slots) for bucket in buckets], scalars)
        for bucket in buckets:
            bucket.finish()

    return step


@lru_cache(maxsize=1024)
def _names(rule: str) -> tuple[str, ...]:
    """All in a group that its plan and numbers depend on."""
    return (
        *("rule", "lag_tolerance", "history_dtype", "moment_dtype", "compile"),
        *dict.fromkeys((*names_of(equation(rule)), *features.OPTIONS, *features.POWERS)),
    )


def backend_of(device: str, compiled: bool | str, numbers: int) -> str:
    """How a kernel runs. "auto" is compiled on a CPU, from `WORTH_COMPILING` numbers on."""
    if compiled == "auto":
        return "auto" if device == "cpu" and numbers >= WORTH_COMPILING else "eager"
    if not compiled or device == "meta":
        return "eager"
    return "cpp" if device == "cpu" else "inductor"


def in_buckets(
    params: Sequence[Tensor], state: State, bound: Bound, moment: str | None, history: str | None
) -> list[list[Bucket]]:
    """Parameters by type, device and age; those that share memory apart, in their order."""
    locals_ = [local(p) for p in params]
    for q in locals_:
        check_parameter(q)
    alike: dict[tuple, dict[int | None, list[Tensor]]] = defaultdict(lambda: defaultdict(list))
    for p, q, turn in zip(params, locals_, turns(locals_), strict=True):
        apart = id(p) if is_large(q) else None
        alike[turn, _types(p, moment, history), q.device, step_of(state.get(p, {}))][apart].append(p)
    for _, types, *_ in alike:
        bound.check_moments(types.moment)
    return [
        [Bucket(members, state, bound, types) for members in parts.values()]
        for (_, types, *_), parts in sorted(alike.items(), key=lambda item: item[0][0])
    ]


def _types(p: Tensor, moment: str | None, history: str | None) -> Types:
    """The types of all that a step of a parameter reads and writes."""
    wide = compute_dtype(p.dtype)
    own = {None: None} | {name: getattr(torch, name) for name in (moment, history) if name}
    gradient = p.dtype if p.grad is None or p.grad.dtype is p.dtype else wide
    return Types(p.dtype, gradient, own[moment] or wide, own[history] or p.dtype)
