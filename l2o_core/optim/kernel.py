"""One step of a rule as a function of flat tensors: run block by block, or fused into one kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, fx

from ..errors import ConfigError

if TYPE_CHECKING:
    from .plan import Plan

Rows = Sequence[Tensor]
Kernel = Callable[[Tensor, Tensor, Rows, Rows, Sequence[Rows], Tensor], None]

BLOCK = 1 << 16
"""Numbers that step together on a CPU: their temporaries stay in the cache."""


def step_of(plan: Plan, wide: torch.dtype) -> Kernel:
    """The function `step(p, g, moments, sums, past, clock)` of a plan, which works in place.

    Parameters `p` [N], gradient `g` [N]; `moments` and `sums` [N] each, in the plan's order; `past`: for each
    stream its past values [N], newest first, of which the last is overwritten by the newest; `clock`: what
    `Plan.clock` gives. Everything is computed in the type `wide`.
    """
    features, moments_of, sums_of = plan.features, plan.moments, tuple(plan.sums.items())
    ticks = tuple(features.clock(torch.ones(())))
    streams_of = tuple((name, stream.compile()) for name, stream in plan.streams.items())
    rule = plan.rule.compile()

    def step(p: Tensor, g: Tensor, moments: Rows, sums: Rows, past: Sequence[Rows], clock: Tensor) -> None:
        lr, keep = clock[0], clock[1]
        scalars = {name: clock[index] for index, name in enumerate(ticks, start=2)}
        old = {name: kept.to(wide) for name, kept in zip(moments_of, moments, strict=True)}
        now, new = features.advance(g.to(wide), old, scalars)
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
    """The step, on a CPU block by block: no temporary is larger than a block."""

    def run(p: Tensor, g: Tensor, moments: Rows, sums: Rows, past: Sequence[Rows], clock: Tensor) -> None:
        size = BLOCK if p.device.type == "cpu" else max(1, len(p))
        for start in range(0, len(p), size):
            cut = slice(start, start + size)
            kept = ([value[cut] for value in values] for values in (moments, sums))
            step(p[cut], g[cut], *kept, [[row[cut] for row in rows] for rows in past], clock)

    return run


def fused(plan: Plan, wide: torch.dtype) -> Kernel:
    """The step as one kernel, made at the first call, for any size and learning rate.

    Calls raise ConfigError where it cannot be made, as on a machine without a C++ compiler.
    """
    from torch._dynamo.exc import TorchDynamoException  # takes seconds to import

    kernel = torch.compile(_traced(plan, wide).forward, dynamic=True, fullgraph=True)

    def run(p: Tensor, g: Tensor, moments: Rows, sums: Rows, past: Sequence[Rows], clock: Tensor) -> None:
        try:
            kernel(p, g, *moments, *sums, *(row for rows in past for row in rows), clock)
        except TorchDynamoException as error:
            cause = str(getattr(error, "inner_exception", error)).strip()
            raise ConfigError(
                f"compile=True does not work here: {cause.splitlines()[0][:300]}. It needs a C++ compiler, "
                "on a GPU Triton; compile=False takes the same steps without"
            ) from error

    return run


def _traced(plan: Plan, wide: torch.dtype) -> fx.GraphModule:
    """The step as a graph in which all numbers of the rule are literals, and only tensors come in."""
    graph = fx.Graph()
    tracer = fx.proxy.GraphAppendingTracer(graph)

    def named(names: Iterable[str]) -> list[fx.Proxy]:
        return [fx.Proxy(graph.placeholder(name), tracer) for name in names]

    p, g = named(["p", "g"])
    moments, sums = (named(f"old_{name}" for name in names) for names in (plan.moments, plan.sums))
    past = [named(f"{name}_{lag}_ago" for lag in range(1, depth + 1)) for name, depth in plan.depths.items()]
    (clock,) = named(["clock"])
    step_of(plan, wide)(p, g, moments, sums, past, clock)
    graph.output(None)
    return fx.GraphModule(torch.nn.Module(), graph)
