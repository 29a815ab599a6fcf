"""One step of a rule in PyTorch's operations, block by block, in few passes over memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx

BLOCK = 1 << 15
"""Coordinates that step together, for each thread: their temporaries stay in the cache."""
INTO = {
    name: getattr(torch, {"truediv": "div"}.get(name, name))
    for name in (
        *("add", "sub", "mul", "truediv", "neg", "abs", "sqrt", "square", "copysign", "sign", "exp", "log"),
        *("tanh", "asinh", "sinh", "erfc", "cos", "sin", "pow", "minimum", "maximum", "where"),
        *("clamp_min", "clamp_max"),
    )
}
"""The functions that can write their result into a tensor that is there."""
Key = Any  # a node, a number, or the name of a buffer


class _Operation(NamedTuple):
    """`node = function(*arguments)`, written `into` something that is there, or into a tensor of its own."""

    node: fx.Node
    function: Any
    arguments: tuple[Key, ...]
    into: Key | None = None


class Blocks:
    """A graph from `kernels.traced`, run operation by operation.

    Results are written into a few buffers that are used again and again, or at once to where they belong.
    `types`: the type of each tensor, by placeholder; `dtype`: the type of all arithmetic.
    """

    def __init__(self, graph: fx.Graph, types: Mapping[str, torch.dtype], dtype: torch.dtype):
        self._dtype = dtype
        placeholders = {node.name: node for node in graph.nodes if node.op == "placeholder"}
        self._operands = [placeholders[name] for name in types]
        self._scalars = [node for node in graph.nodes if _name(node) == "getitem"]
        operations = list(_operations(graph, types, dtype))
        shared = set(self._scalars)  # what all coordinates share is computed once
        self._once: list[_Operation] = []
        each: list[_Operation] = []
        for operation in operations:
            inputs = {key for key in operation.arguments if isinstance(key, fx.Node)}
            is_shared = not _is_store(operation) and inputs <= shared
            (self._once if is_shared else each).append(operation)
            shared |= {operation.node} if is_shared else set()
        self._each, self._buffers = _with_places(each, {placeholders[n]: t for n, t in types.items()}, dtype)
        numbers = {key for operation in operations for key in operation.arguments if isinstance(key, float)}
        self._constants = {number: torch.tensor(number, dtype=dtype) for number in numbers}

    def __call__(self, parts: Sequence[Sequence[Tensor]], scalars: Sequence[float]) -> None:
        """A step of all `parts`, each its tensors [N] in the order of `types`."""
        values: dict[Key, Tensor] = dict(self._constants)
        shared = torch.tensor(scalars, dtype=self._dtype)
        values |= {node: shared[node.args[1]] for node in self._scalars}
        for operation in self._once:
            values[operation.node] = operation.function(*(values[key] for key in operation.arguments))
        longest = max((len(part[0]) for part in parts), default=0)
        most = max(1, min(BLOCK * torch.get_num_threads(), longest))
        buffers = torch.empty(self._buffers, most, dtype=self._dtype).unbind()
        for operands in parts:
            for start in range(0, len(operands[0]), most):
                block = [tensor[start : start + most] for tensor in operands]
                values |= zip(self._operands, block, strict=True)
                size = len(block[0])
                values |= {f"buffer{i}": buffer[:size] for i, buffer in enumerate(buffers)}
                for node, function, arguments, into in self._each:
                    inputs = [values[key] for key in arguments]
                    out = {} if into is None else {"out": values[into]}
                    values[node] = function(*inputs, **out)


def _operations(
    graph: fx.Graph, types: Mapping[str, torch.dtype], dtype: torch.dtype
) -> Sequence[_Operation]:
    """The operations on tensors, in an order in which few values are alive; casts that change nothing go.

    Values are stored when all old ones have been read.
    """
    same: dict[fx.Node, fx.Node] = {}
    given = {node for node in graph.nodes if node.op == "placeholder"}
    found = []
    for node in early_order(graph):
        name = _name(node)
        if node.op in ("placeholder", "output") or name in ("getitem", "getattr"):
            continue
        arguments: tuple[Key, ...] = tuple(
            same.get(key, key) if isinstance(key, fx.Node) else key for key in node.args
        )
        if name == "to":
            if types.get(arguments[0].name) is dtype:
                same[node] = arguments[0]
            else:
                found.append(_Operation(node, lambda x: x.to(dtype), arguments[:1]))
        else:
            arguments = tuple(float(key) if isinstance(key, int | float) else key for key in arguments)
            found.append(_Operation(node, INTO.get(name) or getattr(torch.Tensor, name), arguments))
    stores = sorted(filter(_is_store, found), key=lambda operation: operation.arguments[1] not in given)
    return [*(operation for operation in found if not _is_store(operation)), *stores]


def _is_store(operation: _Operation) -> bool:
    return operation.node.target == "copy_"


def _with_places(
    operations: Sequence[_Operation], types: Mapping[fx.Node, torch.dtype], dtype: torch.dtype
) -> tuple[list[_Operation], int]:
    """The operations with a place for each result, and the number of buffers that takes.

    A result goes to where it is stored, if nobody reads the old value any more; else to a buffer.
    """
    last: dict[Key, int] = {}
    target: dict[Key, fx.Node] = {}
    for at, operation in enumerate(operations):
        if _is_store(operation):
            target.setdefault(operation.arguments[1], operation.arguments[0])
        last |= dict.fromkeys(operation.arguments[_is_store(operation) :], at)
    placed: list[_Operation] = []
    stored: set[tuple[Key, ...]] = set()
    held: dict[Key, int] = {}
    free: list[Key] = []
    count = 0
    for at, operation in enumerate(operations):
        free += [held.pop(key) for key in set(operation.arguments) if last.get(key) == at and key in held]
        node, goal = operation.node, target.get(operation.node)
        if _is_store(operation) or operation.function not in INTO.values():
            placed += [operation] if operation.arguments not in stored else []
        elif goal is not None and types[goal] is dtype and last.get(goal, -1) <= at:
            placed.append(operation._replace(into=goal))
            stored.add((goal, node))
        else:
            if not free:
                free, count = [f"buffer{count}"], count + 1
            held[node] = free.pop()
            placed.append(operation._replace(into=held[node]))
    return placed, count


def early_order(graph: fx.Graph) -> list[fx.Node]:
    """The nodes, each as soon as its inputs are computed: few values are alive at a time."""
    order: dict[fx.Node, None] = {}
    for node in graph.nodes:
        ready = [] if node in order else [node]
        while ready:
            now = ready.pop()
            order[now] = None
            ready += [user for user in now.users if order.keys() >= set(user.all_input_nodes)][::-1]
    return list(order)


def _name(node: fx.Node) -> str:
    return node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
