"""One step of a rule as a loop in C++: on a CPU, all parameters step in one call."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, fx

from ...errors import ConfigError
from .blocks import early_order
from .build import library

WORTH_THREADS = 1 << 15
"""With fewer numbers than this, one thread is faster."""

LOOP = """\
#include "cpp.hpp"
using W = {compute};

static void step(void* const* at, int64_t first, int64_t end, const W* scalars) {{
  {shared}
  {arrays}
#pragma omp simd
  for (int64_t i = first; i < end; i++) {{
    {body}
  }}
}}

extern "C" void step_all(void* const* table, const int64_t* sizes, int64_t parts, const W* scalars,
                         int threads) {{
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
  for (int k = 0; k < threads; k++)
    for (int64_t part = 0; part < parts; part++)
      step(table + {columns} * part, sizes[part] * k / threads, sizes[part] * (k + 1) / threads, scalars);
}}
"""


class Loop:
    """The compiled loop over a graph from `kernels.traced`.

    `types`: the type of each tensor, by placeholder; `dtype`: the type of all arithmetic. Raises ConfigError
    where it cannot be compiled, as on a machine without a C++ compiler.
    """

    def __init__(self, graph: fx.Graph, types: Mapping[str, torch.dtype], dtype: torch.dtype):
        self._library = library(source(graph, types, dtype))
        self._types = tuple(types.values())
        self._number = ctypes.c_double if dtype is torch.float64 else ctypes.c_float

    def __call__(self, parts: Sequence[Sequence[Tensor]], scalars: Sequence[float]) -> None:
        """A step of all `parts`: each its tensors [N] in the order of `types`, without gaps in memory.

        Raises ConfigError, and reads and writes nothing, where a tensor is not as it must be.
        """
        sizes = [len(part[0]) for part in parts]
        for part, size in zip(parts, sizes, strict=True):
            for tensor, kind in zip(part, self._types, strict=True):
                if (
                    tensor.dtype is not kind
                    or tensor.shape != (size,)
                    or tensor.stride() != (1,)
                    or tensor.device.type != "cpu"
                ):
                    raise ConfigError(
                        f"a compiled step takes {kind} [{size}] without gaps, not {describe(tensor)}"
                    )
        pointers = [tensor.data_ptr() for part in parts for tensor in part]
        threads = torch.get_num_threads() if sum(sizes) >= WORTH_THREADS else 1
        self._library.step(
            (ctypes.c_void_p * len(pointers))(*pointers),
            (ctypes.c_int64 * len(sizes))(*sizes),
            ctypes.c_int64(len(sizes)),
            (self._number * len(scalars))(*scalars),
            ctypes.c_int(threads),
        )


def source(graph: fx.Graph, types: Mapping[str, torch.dtype], dtype: torch.dtype) -> str:
    """The loop as C++: each node of the graph is a call of the function in cpp.hpp with its name."""
    body, stores, shared = [], [], []
    is_shared: set[fx.Node] = set()  # one number for all coordinates, computed before the loop
    for node in early_order(graph):
        function = node.target if isinstance(node.target, str) else node.target.__name__
        match node.op, function:
            case "output", _:
                pass
            case "placeholder", _:
                if node.users and node.name in types:
                    body.append(f"const W {node.name} = load({node.name}_[i]);")
            case _, "getattr":  # x.dtype: everything is computed in W
                pass
            case _, "getitem":
                is_shared.add(node)
                shared.append(f"const W {node.name} = scalars[{node.args[1]}];")
            case _, "copy_":
                to, value = map(_literal, node.args)
                stores.append(f"store({to}_[i], {value});")
            case _:
                arguments = [_literal(argument) for argument in node.args]
                value = (
                    f"W({arguments[0]})" if function == "to" else f"rule::{function}({', '.join(arguments)})"
                )
                if is_shared.issuperset(node.all_input_nodes):
                    is_shared.add(node)
                (shared if node in is_shared else body).append(f"const auto {node.name} = {value};")
    return LOOP.format(
        compute=_type(dtype),
        columns=len(types),
        shared="\n  ".join(shared),
        arrays="\n  ".join(
            f"auto* __restrict {name}_ = static_cast<{_type(kind)}*>(at[{column}]);"
            for column, (name, kind) in enumerate(types.items())
        ),
        body="\n    ".join(body + stores),
    )


def _type(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _literal(argument: object) -> str:
    if not isinstance(argument, int | float):
        return str(argument)
    beyond = {"inf": "INFINITY", "-inf": "-INFINITY", "nan": "NAN"}
    return f"W({beyond.get(repr(float(argument)), repr(float(argument)))})"


def describe(tensor: Tensor) -> str:
    """Type, shape, strides and device, for a message."""
    return f"{tensor.dtype} {list(tensor.shape)} with strides {tensor.stride()} on {tensor.device}"
