"""Compiled steps under an address sanitizer, for test_sanitizer.py; then an overflow that it must see."""

import ctypes

import torch
from torch import nn

from l2o_core.optim import SymbolicOptimizer
from l2o_core.optim._compile import build

OVERFLOW = '#include <cstdint>\nextern "C" void step_all(float* x, int64_t n) { x[n] = 1; }\n'
RULES = [
    "-m_hat - 0.3 * tanh(g[3])",
    "p = q[2] + tanh(g[1]); q = 0.5 * p[1] - theta; 0.5 * u[1] - p * m_hat",
]
SHAPES = [(), (0,), (1,), (7, 3), (4097,), (64, 3, 5, 5), (70_001,)]

if __name__ == "__main__":  # pytest, looking for doctests, imports every module
    build.FLAGS = (*build.FLAGS, "-O1", "-fsanitize=address")

    torch.set_num_threads(2)
    for rule in RULES:
        params = [nn.Parameter(torch.randn(shape).bfloat16()) for shape in SHAPES]
        optimizer = SymbolicOptimizer(params, rule, compile=True, history_dtype="float16")
        for _ in range(5):
            for p in params:
                p.grad_dtype = None  # any type
                p.grad = torch.randn(2, *p.shape)[1].to(torch.float32 if p.ndim == 1 else p.dtype)
            optimizer.step()

    whole = torch.randn(100, 100)
    p = nn.Parameter(whole)
    optimizer = SymbolicOptimizer([p], "-g", compile=True)
    for rows in (100, 50, 1):  # rows are pruned: what is left begins at the same address
        p.data = p.data[:rows]
        p.grad = torch.ones(rows, 100)
        optimizer.step()

    print("no fault", flush=True)
    x, library = torch.zeros(4097), build.library(OVERFLOW)
    library.step(ctypes.c_void_p(x.data_ptr()), ctypes.c_int64(len(x)))
