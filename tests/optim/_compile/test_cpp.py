"""The functions that loops in C++ are written in, against PyTorch's."""

import math
import shutil

import pytest
import torch
from torch import fx

from l2o_core.expressions.operators import OPERATORS
from l2o_core.optim._compile.cpp import Loop

pytestmark = pytest.mark.skipif(not shutil.which("g++"), reason="needs a C++ compiler")

EDGES = [0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, 1e-30, -1e-30, 3e38, 1e-3, 88.6, 89.5, -87.2]


def computed(name: str, dtype: torch.dtype, *inputs: torch.Tensor) -> torch.Tensor:
    """An operator of update rules as a loop."""
    graph = fx.Graph()
    tracer = fx.proxy.GraphAppendingTracer(graph)
    names = [f"in_{index}" for index in range(len(inputs))]
    proxies = {name: fx.Proxy(graph.placeholder(name), tracer) for name in (*names, "out")}
    proxies["out"].copy_(OPERATORS[name].function(*(proxies[name] for name in names)))
    out = torch.empty_like(inputs[0])
    loop = Loop(graph, dict.fromkeys((*names, "out"), dtype), dtype)
    loop([[*inputs, out]], torch.zeros(1, dtype=dtype))
    return out


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", OPERATORS)
def test_every_operator(name, dtype):
    generator = torch.Generator().manual_seed(0)
    size = 4000
    signs = torch.randn(size, generator=generator, dtype=dtype).sign()
    powers = signs * torch.logspace(-12, 1.9, size, dtype=dtype)
    wide = torch.cat([powers, torch.linspace(-20, 20, size, dtype=dtype)])
    inputs = [wide, wide.roll(1237)][: OPERATORS[name].arity]
    expected = OPERATORS[name].function(*inputs)
    rtol = 2e-6 if name == "pow" and dtype == torch.float32 else 8 * torch.finfo(dtype).eps
    atol = 1e-4 if name in ("sin", "cos") and dtype == torch.float32 else torch.finfo(dtype).tiny
    torch.testing.assert_close(computed(name, dtype, *inputs), expected, rtol=rtol, atol=atol)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", OPERATORS)
def test_infinite_undefined_and_extreme(name, dtype):
    edges = torch.tensor(EDGES, dtype=dtype)
    grid = [axis.reshape(-1).contiguous() for axis in torch.meshgrid(edges, edges, indexing="ij")]
    inputs = grid[: OPERATORS[name].arity]
    expected = OPERATORS[name].function(*inputs)
    torch.testing.assert_close(
        computed(name, dtype, *inputs), expected, rtol=1e-5, atol=1e-37, equal_nan=True
    )


def test_a_tanh_is_at_most_1():
    x = torch.linspace(5, 10, 200_001)
    assert computed("tanh", torch.float32, x).max() == 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_read_and_rounded_as_by_pytorch(dtype):
    every = torch.arange(-(2**15), 2**15, dtype=torch.int16).view(dtype)
    generator = torch.Generator().manual_seed(0)
    between = (
        torch.randint(-(2**31), 2**31, (200_000,), generator=generator).to(torch.int32).view(torch.float32)
    )
    halves = every.float() * (1 + 2.0**-11)  # ties, and their neighbours
    x = torch.cat(
        [every.float(), between, halves, halves.nextafter(torch.tensor(0.0)), torch.tensor([65519.996])]
    )
    torch.testing.assert_close(copied(x, torch.float32, dtype), x.to(dtype), rtol=0, atol=0, equal_nan=True)
    torch.testing.assert_close(
        copied(every, dtype, torch.float32), every.float(), rtol=0, atol=0, equal_nan=True
    )


def copied(x: torch.Tensor, before: torch.dtype, after: torch.dtype) -> torch.Tensor:
    """Numbers of one type stored as another."""
    graph = fx.Graph()
    tracer = fx.proxy.GraphAppendingTracer(graph)
    given, out = (fx.Proxy(graph.placeholder(name), tracer) for name in ("given", "out"))
    out.copy_(given.to(torch.float32))
    result = torch.empty(len(x), dtype=after)
    Loop(graph, {"given": before, "out": after}, torch.float32)([[x, result]], torch.zeros(1))
    return result
