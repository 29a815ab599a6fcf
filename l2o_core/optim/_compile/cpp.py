"""One step of a rule as a loop in C++: on a CPU, all parameters step in one call."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, fx

from ...errors import ConfigError

FLAGS = ("-std=c++17", "-O3", "-shared", "-fPIC", "-ffp-contract=fast", "-fno-math-errno")
FLAGS += ("-fno-trapping-math", "-freciprocal-math")
WORTH_THREADS = 1 << 15
"""Fewer numbers than this step faster on one core."""

LOOP = """\
#include "cpp.hpp"
using W = {wide};

static void step(void* const* at, int64_t first, int64_t end, const W* clock) {{
  {scalars}
  {arrays}
#pragma omp simd
  for (int64_t i = first; i < end; i++) {{
    {body}
  }}
}}

extern "C" void step_all(void* const* table, const int64_t* sizes, int64_t parts, const W* clock,
                         int threads) {{
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
  for (int k = 0; k < threads; k++)
    for (int64_t part = 0; part < parts; part++)
      step(table + {columns} * part, sizes[part] * k / threads, sizes[part] * (k + 1) / threads, clock);
}}
"""


class Loop:
    """The compiled loop over a graph from `kernels.traced`.

    `types`: of the tensors that come in, by placeholder; `wide`: what is computed in. Raises ConfigError
    where it cannot be compiled, as on a machine without a C++ compiler.
    """

    def __init__(self, graph: fx.Graph, types: Mapping[str, torch.dtype], wide: torch.dtype):
        self._step = _built(source(graph, types, wide)).step_all
        self._step.restype = None

    def __call__(self, parts: Sequence[Sequence[Tensor]], clock: Tensor) -> None:
        """A step of all `parts`: each its tensors [N] in the order of `types`, without gaps in memory."""
        pointers = [tensor.data_ptr() for part in parts for tensor in part]
        sizes = [len(part[0]) for part in parts]
        threads = torch.get_num_threads() if sum(sizes) >= WORTH_THREADS else 1
        self._step(
            (ctypes.c_void_p * len(pointers))(*pointers),
            (ctypes.c_int64 * len(sizes))(*sizes),
            ctypes.c_int64(len(sizes)),
            ctypes.c_void_p(clock.data_ptr()),
            ctypes.c_int(threads),
        )


def source(graph: fx.Graph, types: Mapping[str, torch.dtype], wide: torch.dtype) -> str:
    """The loop as C++: each node of the graph is a call of the function in cpp.hpp with its name."""
    body, stores, scalars = [], [], []
    once: set[fx.Node] = set()  # what is one number for all coordinates
    for node in _soonest(graph):
        function = node.target if isinstance(node.target, str) else node.target.__name__
        match node.op, function:
            case "output", _:
                pass
            case "placeholder", _:
                if node.users and node.name in types:
                    body.append(f"const W {node.name} = kept({node.name}_[i]);")
            case _, "getattr":  # x.dtype: all is computed in W
                pass
            case _, "getitem":
                once.add(node)
                scalars.append(f"const W {node.name} = clock[{node.args[1]}];")
            case _, "copy_":
                to, value = map(_written, node.args)
                stores.append(f"keep({to}_[i], {value});")
            case _:
                arguments = [_written(argument) for argument in node.args]
                value = (
                    f"W({arguments[0]})" if function == "to" else f"rule::{function}({', '.join(arguments)})"
                )
                if once.issuperset(node.all_input_nodes):
                    once.add(node)
                (scalars if node in once else body).append(f"const auto {node.name} = {value};")
    return LOOP.format(
        wide=_type(wide),
        columns=len(types),
        scalars="\n  ".join(scalars),
        arrays="\n  ".join(
            f"auto* __restrict {name}_ = static_cast<{_type(dtype)}*>(at[{column}]);"
            for column, (name, dtype) in enumerate(types.items())
        ),
        body="\n    ".join(body + stores),
    )


def _soonest(graph: fx.Graph) -> list[fx.Node]:
    """The nodes, each as soon as its inputs are there: what many sums read is loaded once and let go."""
    order: dict[fx.Node, None] = {}
    for node in graph.nodes:
        ready = [] if node in order else [node]
        while ready:
            now = ready.pop()
            order[now] = None
            ready += [user for user in now.users if order.keys() >= set(user.all_input_nodes)][::-1]
    return list(order)


def _type(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _written(argument: object) -> str:
    if not isinstance(argument, int | float):
        return str(argument)
    beyond = {"inf": "INFINITY", "-inf": "-INFINITY", "nan": "NAN"}
    return f"W({beyond.get(repr(float(argument)), repr(float(argument)))})"


def _built(text: str) -> ctypes.CDLL:
    """The loop as a library, for this processor; threads are OpenMP's, which PyTorch's are too."""
    compiler = next((found for name in _compilers() if (found := shutil.which(name))), None)
    if compiler is None:
        raise _refusal("there is no C++ compiler (install g++ or clang++, or set CXX)")
    processor = "-march=native" if platform.machine() in ("x86_64", "AMD64") else "-mcpu=native"
    with tempfile.TemporaryDirectory() as folder:
        loop, library = Path(folder, "loop.cpp"), Path(folder, "loop.so")
        loop.write_text(text)
        command = [compiler, *FLAGS, processor, f"-I{Path(__file__).parent}", str(loop), "-o", str(library)]
        for threads in ("-fopenmp", "-fopenmp-simd"):  # Apple's compiler comes without threads
            done = subprocess.run([*command, threads, "-lm"], capture_output=True, text=True)
            if not done.returncode:
                break
        else:
            raise _refusal(f"{compiler} says: {done.stderr.strip()[:300]}")
        try:
            return ctypes.CDLL(str(library))
        except OSError as error:  # as where temporary folders may not hold programs
            raise _refusal(str(error)) from error


def _compilers() -> Iterable[str]:
    return filter(None, (os.environ.get("CXX"), "g++", "clang++", "c++"))


def _refusal(why: str) -> ConfigError:
    return ConfigError(f"compile=True does not work here: {why}; compile=False takes the same steps without")
