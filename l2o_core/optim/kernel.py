"""One step of a rule as a function of flat tensors: run as it is, or fused into one kernel."""

from __future__ import annotations

import types
from collections.abc import Callable, Sequence
from itertools import count
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..errors import ConfigError

if TYPE_CHECKING:
    from .plan import Plan

Kernel = Callable[
    [Tensor, Tensor, Sequence[Tensor], Sequence[Tensor], Sequence[Sequence[Tensor]], Tensor], None
]
BLOCK = 1 << 16
_serial = count()


def step_of(plan: Plan) -> Kernel:
    """The function `step(p, g, moments, sums, past, clock)` of a plan, which works in place.

    Parameters `p` [N], gradient `g` [N]; `moments` and `sums` [N] each, in the plan's order; `past`: for each
    stream its past values [N], newest first, of which the last is overwritten by the newest; `clock`: what
    `Plan.clock` gives, in the type that everything is computed in.
    """
    features, moments_of, sums_of = plan.features, plan.moments, tuple(plan.sums.items())
    ticks = tuple(features.clock(torch.ones(())))
    streams_of = tuple((name, stream.compile()) for name, stream in plan.streams.items())
    rule = plan.rule.compile()

    def step(
        p: Tensor,
        g: Tensor,
        moments: Sequence[Tensor],
        sums: Sequence[Tensor],
        past: Sequence[Sequence[Tensor]],
        clock: Tensor,
    ) -> None:
        wide = clock.dtype
        lr, keep, *scalars = clock.unbind()
        old = {name: kept.to(wide) for name, kept in zip(moments_of, moments, strict=True)}
        now, new = features.advance(g.to(wide), old, dict(zip(ticks, scalars, strict=True)))
        inputs = {f"{name}[0]": value for name, value in now.items()}
        newest = [stream(inputs) for _, stream in streams_of]
        for (name, _), value, rows in zip(streams_of, newest, past, strict=True):
            inputs[f"{name}[0]"] = value
            for lag, row in enumerate(rows, start=1):
                inputs[f"{name}[{lag}]"] = row.to(wide)
        for (name, (stream, decay)), kept in zip(sums_of, sums, strict=True):
            new[name] = inputs[name] = decay * kept.to(wide) + inputs[f"{stream}[0]"]
        update = rule(inputs or {"g": g})
        p.copy_(keep * p.to(wide) + lr * update)

        for name, kept in zip(moments_of, moments, strict=True):
            kept.copy_(new[name])
        for (name, _), kept in zip(sums_of, sums, strict=True):
            kept.copy_(new[name])
        for value, rows in zip(newest, past, strict=True):
            if rows:
                rows[-1].copy_(value)

    return step


def blocked(step: Kernel) -> Kernel:
    """The step, on a CPU block by block: temporaries stay in the cache, however many numbers there are."""

    def run(
        p: Tensor,
        g: Tensor,
        moments: Sequence[Tensor],
        sums: Sequence[Tensor],
        past: Sequence[Sequence[Tensor]],
        clock: Tensor,
    ) -> None:
        size = BLOCK if p.device.type == "cpu" else max(1, len(p))
        for start in range(0, len(p), size):
            cut = slice(start, start + size)
            kept = ([value[cut] for value in values] for values in (moments, sums))
            step(p[cut], g[cut], *kept, [[row[cut] for row in rows] for rows in past], clock)

    return run


def fused(step: Kernel) -> Kernel:
    """The step as one kernel for each type and device, made at the first call, whatever the size.

    Calls raise ConfigError where it cannot be made, as on a machine without a C++ compiler.
    """
    from torch._dynamo.exc import TorchDynamoException  # takes seconds to import

    # kernels are kept by code object, and only a few for each: every step gets a code object of its own
    code = step.__code__.replace(co_name=f"symbolic_step_{next(_serial)}")
    own = types.FunctionType(code, step.__globals__, code.co_name, None, step.__closure__)
    kernel = torch.compile(own, dynamic=True, fullgraph=True)

    def checked(*arguments: Tensor | Sequence) -> None:
        try:
            kernel(*arguments)
        except TorchDynamoException as error:
            cause = str(getattr(error, "inner_exception", error)).strip()
            raise ConfigError(
                f"compile=True does not work here: {cause.splitlines()[0][:300]}. It needs a C++ compiler, "
                "on a GPU Triton; compile=False takes the same steps without"
            ) from error

    return checked
