"""One step of a rule as a function of flat tensors: run block by block, as one loop in C++, or in Triton."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, fx

from ...errors import ConfigError
from .cpp import Loop

if TYPE_CHECKING:
    from .plan import Plan

Rows = Sequence[Tensor]
"""What a step of some parameters uses, each [N], in the order of `Plan.used`."""
Kernel = Callable[[Sequence[Rows], Tensor], None]
"""`kernel(parts, clock)`: a step in place of each of the parts; `clock` is what `Plan.clock` gives."""
Types = Mapping[str, torch.dtype]

BLOCK = 1 << 16
"""Numbers that step together on a CPU: their temporaries stay in the cache."""


def step_of(plan: Plan, phase: int, wide: torch.dtype) -> Callable[[Mapping[str, Tensor], Tensor], None]:
    """The function `step(kept, clock)` of a phase, which works in place.

    `kept`: by the names of `Plan.used`, parameters "p" [N], gradients "g" [N], moments, running sums and past
    values, where the newest takes the place of the oldest. Everything is computed in the type `wide`.
    """
    features, at = plan.features, plan.phases[phase]
    ticks = tuple(features.clock(1.0))
    streams = {name: stream.compile() for name, stream in plan.streams.items()}
    prepared = {name: total.compile() for name, total in at.prepared.items()}
    rule = at.rule.compile()

    def step(kept: Mapping[str, Tensor], clock: Tensor) -> None:
        lr, keep = clock[0], clock[1]
        scalars = {name: clock[index] for index, name in enumerate(ticks, start=2)}
        old = {name: kept[name].to(wide) for name in plan.moments}
        now, new = features.advance(kept["g"].to(wide), old, scalars)
        inputs = {f"{name}[0]": value for name, value in now.items()}
        newest = {name: stream(inputs) for name, stream in streams.items()}
        inputs |= {f"{name}[0]": value for name, value in newest.items()}
        inputs |= {name: kept[name].to(wide) for name in at.past}
        for name, (stream, decay) in plan.sums.items():
            new[name] = inputs[name] = decay * kept[name].to(wide) + newest[stream]
        update = rule(inputs or {"g": kept["g"]})
        new |= {name: total(inputs) for name, total in prepared.items()}
        new |= {f"{name}[{depth}]": newest[name] for name, depth in plan.depths.items() if depth}
        new["p"] = keep * kept["p"].to(wide) + lr * update
        for name, value in new.items():
            kept[name].copy_(value)

    return step


def blocked(plan: Plan, phase: int, types: Types, wide: torch.dtype) -> Kernel:
    """Operation by operation, on a CPU block by block: no temporary is larger than a block."""
    step = step_of(plan, phase, wide)

    def run(parts: Sequence[Rows], clock: Tensor) -> None:
        for rows in parts:
            size = BLOCK if rows[0].device.type == "cpu" else max(1, len(rows[0]))
            for start in range(0, len(rows[0]), size):
                block = (row[start : start + size] for row in rows)
                step(dict(zip(types, block, strict=True)), clock)

    return run


def native(plan: Plan, phase: int, types: Types, wide: torch.dtype) -> Kernel:
    """As one loop in C++, made now. Raises ConfigError where that is not possible."""
    return Loop(traced(plan, phase, wide).graph, {_symbol(name): kind for name, kind in types.items()}, wide)


def fused(plan: Plan, phase: int, types: Types, wide: torch.dtype) -> Kernel:
    """As PyTorch's compiler makes it at the first call, for any size and learning rate.

    Calls raise ConfigError where it cannot be made.
    """
    from torch._dynamo.exc import TorchDynamoException  # takes seconds to import

    kernel = torch.compile(traced(plan, phase, wide).forward, dynamic=True, fullgraph=True)

    def run(parts: Sequence[Rows], clock: Tensor) -> None:
        try:
            for rows in parts:
                kernel(clock, *rows)
        except TorchDynamoException as error:
            cause = str(getattr(error, "inner_exception", error)).strip()
            raise ConfigError(
                f"compile=True does not work here: {cause.splitlines()[0][:300]}. On a GPU it needs Triton; "
                "compile=False takes the same steps without"
            ) from error

    return run


KERNELS = {"blocked": blocked, "native": native, "fused": fused}


def traced(plan: Plan, phase: int, wide: torch.dtype) -> fx.GraphModule:
    """The step as a graph in which all numbers of the rule are literals, and only tensors come in."""
    graph = fx.Graph()
    tracer = fx.proxy.GraphAppendingTracer(graph)
    names = ("clock", *plan.used[phase])
    kept = {name: fx.Proxy(graph.placeholder(_symbol(name)), tracer) for name in names}
    step_of(plan, phase, wide)(kept, kept.pop("clock"))
    graph.output(None)
    return fx.GraphModule(torch.nn.Module(), graph)


def _symbol(name: str) -> str:
    """A name as those of variables are: old_m, stream0_3."""
    return "old_" + name.replace("[", "_").replace("]", "")
