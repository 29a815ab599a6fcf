"""One step of a rule as a function of flat tensors, on one of three backends.

"eager" runs it operation by operation in PyTorch, on a CPU block by block; "cpp" compiles it to one C++ loop
on a CPU; "inductor" is PyTorch's compiler, for GPUs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, fx

from ...errors import ConfigError
from .cpp import Loop
from .plan import Plan, compute_dtype

Operands = Sequence[Tensor]
"""The tensors that a step of some parameters reads and writes, each [N], in the order of `Plan.operands`."""
Kernel = Callable[[Sequence[Operands], Tensor], None]
"""`kernel(parts, scalars)`: a step in place of each of the parts; `scalars`: see `Plan.step_scalars`."""
Types = Mapping[str, torch.dtype]

BLOCK = 1 << 16
"""Coordinates that step together on a CPU: their temporaries stay in the cache."""


@lru_cache(maxsize=512)
def kernel(plan: Plan, phase: int, dtype: torch.dtype, history_dtype: torch.dtype, backend: str) -> Kernel:
    """The kernel of a phase, for parameters of type `dtype` and past values stored as `history_dtype`."""
    types = {name: history_dtype if plan.is_past(name) else dtype for name in plan.operands[phase]}
    return BACKENDS[backend](plan, phase, types, compute_dtype(dtype))


def step_function(
    plan: Plan, phase: int, dtype: torch.dtype
) -> Callable[[Mapping[str, Tensor], Tensor], None]:
    """The function `step(operands, scalars)` of a phase, which works in place.

    `operands`: by the names of `Plan.operands`, parameters "p" [N], gradients "g" [N], moments, running sums
    and past values; the newest past value overwrites the oldest. Everything is computed in the type `dtype`.
    """
    features, at = plan.features, plan.phases[phase]
    shared = tuple(features.step_scalars(1.0))
    streams = {name: stream.compile() for name, stream in plan.streams.items()}
    prepared = {name: total.compile() for name, total in at.prepared.items()}
    rule = at.rule.compile()

    def step(operands: Mapping[str, Tensor], scalars: Tensor) -> None:
        lr, decay_factor = scalars[0], scalars[1]
        named = {name: scalars[index] for index, name in enumerate(shared, start=2)}
        old = {name: operands[name].to(dtype) for name in plan.moments}
        now, new = features.advance(operands["g"].to(dtype), old, named)
        inputs = {f"{name}[0]": value for name, value in now.items()}
        newest = {name: stream(inputs) for name, stream in streams.items()}
        inputs |= {f"{name}[0]": value for name, value in newest.items()}
        inputs |= {name: operands[name].to(dtype) for name in at.reads}
        for name, (stream, decay) in plan.sums.items():
            new[name] = inputs[name] = decay * operands[name].to(dtype) + newest[stream]
        update = rule(inputs or {"g": operands["g"]})
        new |= {name: total(inputs) for name, total in prepared.items()}
        new |= {f"{name}[{count}]": newest[name] for name, count in plan.history_length.items() if count}
        new["p"] = decay_factor * operands["p"].to(dtype) + lr * update
        for name, value in new.items():
            operands[name].copy_(value)

    return step


def eager_kernel(plan: Plan, phase: int, types: Types, dtype: torch.dtype) -> Kernel:
    """Operation by operation; on a CPU block by block, so that no temporary is larger than a block."""
    step = step_function(plan, phase, dtype)

    def run(parts: Sequence[Operands], scalars: Tensor) -> None:
        for operands in parts:
            count = len(operands[0])
            size = BLOCK if operands[0].device.type == "cpu" else max(1, count)
            for start in range(0, count, size):
                block = (tensor[start : start + size] for tensor in operands)
                step(dict(zip(types, block, strict=True)), scalars)

    return run


def cpp_kernel(plan: Plan, phase: int, types: Types, dtype: torch.dtype) -> Kernel:
    """One loop in C++, compiled now. Raises ConfigError where that is not possible."""
    graph = traced(plan, phase, dtype).graph
    return Loop(graph, {_symbol(name): kind for name, kind in types.items()}, dtype)


def inductor_kernel(plan: Plan, phase: int, types: Types, dtype: torch.dtype) -> Kernel:
    """PyTorch's compiler, which runs at the first call; one kernel for every size and learning rate.

    Calls raise ConfigError where it cannot compile.
    """
    from torch._dynamo.exc import TorchDynamoException  # takes seconds to import

    compiled = torch.compile(traced(plan, phase, dtype).forward, dynamic=True, fullgraph=True)

    def run(parts: Sequence[Operands], scalars: Tensor) -> None:
        try:
            for operands in parts:
                compiled(scalars, *operands)
        except TorchDynamoException as error:
            cause = str(getattr(error, "inner_exception", error)).strip()
            raise ConfigError(
                f"compile=True does not work here: {cause.splitlines()[0][:300]}. On a GPU it needs Triton; "
                "compile=False takes the same steps without"
            ) from error

    return run


BACKENDS = {"eager": eager_kernel, "cpp": cpp_kernel, "inductor": inductor_kernel}


def traced(plan: Plan, phase: int, dtype: torch.dtype) -> fx.GraphModule:
    """The step as a graph whose only inputs are tensors; all numbers of the rule are literals in it."""
    graph = fx.Graph()
    tracer = fx.proxy.GraphAppendingTracer(graph)
    names = ("scalars", *plan.operands[phase])
    inputs: dict[str, Any] = {name: fx.Proxy(graph.placeholder(_symbol(name)), tracer) for name in names}
    step_function(plan, phase, dtype)(inputs, inputs.pop("scalars"))
    graph.output(None)
    return fx.GraphModule(torch.nn.Module(), graph)


def _symbol(name: str) -> str:
    """A valid identifier for an operand: old_m, old_stream0_3."""
    return "old_" + name.replace("[", "_").replace("]", "")
