"""One step of a rule as a function of flat tensors, on one of four backends.

"eager" runs it operation by operation in PyTorch, on a CPU block by block; "cpp" compiles it to one C++ loop
on a CPU, "auto" does so where it can; "inductor" is PyTorch's compiler, for GPUs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx

from ...errors import ConfigError
from ...expressions import Expression, Variable
from ...expressions.compilation import Compiled, compile_expression
from ...expressions.system import PARAMETER, UPDATE
from .blocks import Blocks
from .cpp import Loop
from .plan import Plan, compute_dtype

Operands = Sequence[Tensor]
"""The tensors that a step of some parameters reads and writes, each [N], in the order of `Plan.operands`."""
Kernel = Callable[[Sequence[Operands], Sequence[float]], None]
"""`kernel(parts, scalars)`: a step in place of each of the parts; `scalars`: see `Bound.scalars`."""


class Types(NamedTuple):
    """The types of parameters, gradients, moments (also running sums and states), and past values."""

    parameter: torch.dtype
    gradient: torch.dtype
    moment: torch.dtype
    history: torch.dtype

    def of(self, plan: Plan, operand: str) -> torch.dtype:
        """The type of one of `Plan.operands`, or of a slot."""
        if plan.is_history(operand):
            return self.history
        return {"p": self.parameter, "g": self.gradient}.get(operand, self.moment)


def kernel(plan: Plan, phase: int, types: Types, backend: str) -> Kernel:
    """The kernel of a phase; it lives as long as the plan."""
    key = phase, types, backend
    if key not in plan.kernels:
        by_name = {name: types.of(plan, name) for name in plan.operands[phase]}
        plan.kernels[key] = BACKENDS[backend](plan, phase, by_name, compute_dtype(types.parameter))
    return plan.kernels[key]


def step_function(
    plan: Plan, phase: int, dtype: torch.dtype
) -> Callable[[Mapping[str, Tensor], Mapping[str, Any]], None]:
    """The function `step(operands, scalars)` of a phase, which works in place.

    `operands`: by the names of `Plan.operands`, parameters "p" [N], gradients "g" [N], moments, running sums
    and past values; the newest past value overwrites the oldest. `scalars`: by the names of `Plan.scalars`.
    Everything is computed in the type `dtype`.
    """
    features, at = plan.features, plan.phases[phase]
    function = partial(compile_expression, differentiable=False)

    def own(value: Expression) -> Compiled:
        """What computes one of the rule's own values; never a past one itself, which is about to change."""
        compiled, is_past = function(value), isinstance(value.root, Variable) and value.root.lag
        return (lambda inputs: compiled(inputs).clone()) if is_past else compiled

    states = {name: own(state) for name, state in plan.states.items()}
    streams = {name: function(stream) for name, stream in plan.streams.items()}
    prepared = {name: function(ahead) for name, ahead in at.prepared.items()}
    rule = own(at.rule) if plan.history_length.get(UPDATE) else function(at.rule)

    def step(operands: Mapping[str, Tensor], scalars: Mapping[str, Any]) -> None:
        old = {name: operands[name].to(dtype) for name in plan.moments}
        now, new = features.advance(operands["g"].to(dtype), old, scalars)
        inputs = {f"{name}[0]": value for name, value in now.items()} | dict(scalars)
        newest = {name: stream(inputs) for name, stream in streams.items()}
        inputs |= {f"{name}[0]": value for name, value in newest.items()}
        inputs |= {name: operands[name].to(dtype) for name in plan.reads(phase)}
        if plan.reads_parameter:
            inputs[f"{PARAMETER}[0]"] = operands["p"].to(dtype)
        for name, state in states.items():
            newest[name] = inputs[f"{name}[0]"] = state(inputs)
        for name, (stream, decay) in plan.sums.items():
            total = decay * operands[name].to(dtype) + newest[stream]
            lost = total - total != 0  # infinite or undefined: as lags would, the sum forgets it
            new[name] = inputs[name] = torch.where(lost, newest[stream], total)
        newest[UPDATE] = update = rule(inputs)
        new |= {name: ahead(inputs) for name, ahead in prepared.items()}
        new |= {f"{name}[{count}]": newest[name] for name, count in plan.history_length.items() if count}
        new["p"] = scalars["decay"] * operands["p"].to(dtype) + scalars["lr"] * update
        for name, value in new.items():
            operands[name].copy_(value)

    return step


def eager_kernel(plan: Plan, phase: int, types: Mapping[str, torch.dtype], dtype: torch.dtype) -> Kernel:
    """Operation by operation; on a CPU block by block, so that temporaries stay in its cache."""
    graph = traced(plan, phase, dtype)
    blocks = Blocks(graph.graph, {_symbol(name): kind for name, kind in types.items()}, dtype)

    def run(parts: Sequence[Operands], scalars: Sequence[float]) -> None:
        device = parts[0][0].device
        if device.type == "cpu":
            return blocks(parts, scalars)
        shared = torch.tensor(scalars, dtype=dtype, device=device)
        for operands in parts:
            graph(shared, *operands)

    return run


def cpp_kernel(plan: Plan, phase: int, types: Mapping[str, torch.dtype], dtype: torch.dtype) -> Kernel:
    """One loop in C++, compiled now. Raises ConfigError where that is not possible."""
    graph = traced(plan, phase, dtype).graph
    return Loop(graph, {_symbol(name): kind for name, kind in types.items()}, dtype)


def automatic_kernel(plan: Plan, phase: int, types: Mapping[str, torch.dtype], dtype: torch.dtype) -> Kernel:
    """In C++ where that can be compiled, else operation by operation."""
    try:
        return BACKENDS["cpp"](plan, phase, types, dtype)
    except ConfigError:
        return eager_kernel(plan, phase, types, dtype)


def inductor_kernel(plan: Plan, phase: int, types: Mapping[str, torch.dtype], dtype: torch.dtype) -> Kernel:
    """PyTorch's compiler, which runs at the first call; one kernel for every size and every number.

    Calls raise ConfigError where it cannot compile.
    """
    from torch._dynamo.exc import TorchDynamoException  # takes seconds to import

    compiled = torch.compile(traced(plan, phase, dtype).forward, dynamic=True, fullgraph=True)

    def run(parts: Sequence[Operands], scalars: Sequence[float]) -> None:
        shared = torch.tensor(scalars, dtype=dtype, device=parts[0][0].device)
        try:
            for operands in parts:
                compiled(shared, *operands)
        except TorchDynamoException as error:
            cause = str(getattr(error, "inner_exception", error)).strip()
            raise ConfigError(
                f"compile=True does not work here: {cause.splitlines()[0][:300]}. On a GPU it needs Triton; "
                "compile=False takes the same steps without"
            ) from error

    return run


BACKENDS = {
    "eager": eager_kernel,
    "cpp": cpp_kernel,
    "auto": automatic_kernel,
    "inductor": inductor_kernel,
}


def traced(plan: Plan, phase: int, dtype: torch.dtype) -> fx.GraphModule:
    """The step as a graph whose only inputs are tensors, numbers being the entries of the first of them."""
    graph = fx.Graph()
    tracer = fx.proxy.GraphAppendingTracer(graph)
    names = ("scalars", *plan.operands[phase])
    inputs: dict[str, Any] = {name: fx.Proxy(graph.placeholder(_symbol(name)), tracer) for name in names}
    shared = inputs.pop("scalars")
    step_function(plan, phase, dtype)(inputs, {name: shared[i] for i, name in enumerate(plan.scalars)})
    graph.output(None)
    graph.eliminate_dead_code(lambda node: node.target == "copy_" or node.op in ("placeholder", "output"))
    return fx.GraphModule(torch.nn.Module(), graph)


def _symbol(name: str) -> str:
    """A valid identifier for an operand: old_m, old_stream0_3."""
    return "old_" + name.replace("[", "_").replace("]", "")
