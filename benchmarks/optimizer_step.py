"""How long does a step of an optimizer take, and what does it keep? Every ratio is from one run.

    python benchmarks/optimizer_step.py [--millions 1 8 25] [--width 512] [--device cpu] [--json FILE]

The parameters are square matrices and biases. Rounds of all optimizers take
turns, and a line is the median over rounds, so that a busy moment of the machine meets all alike.

- `bytes` is what one step must move for each number: parameter read and written, gradient read, moments and
  running sums read and written, past values read, the newest written. `floor` is that at the bandwidth of
  x.add_(y) on as large a tensor, measured in the same rounds.
- `first` is the first step, which makes the kernels, unless they are in PyTorch's cache from an earlier run.
- `state` is what is kept between steps, in bytes for each number.
- `Eq. 6` has 20 lags of three features, its weights falling as in this book's equations;
  `compact` replaces them by running sums within 1 %, `bfloat16` keeps the past in half precision.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import torch
from torch import nn

from l2o_core.optim import SymbolicOptimizer

EQ6 = {f"{letter}{lag}": scale * decay**lag for letter, scale, decay in
       (("a", 0.5, 0.7), ("c", 0.3, 0.5), ("d", 0.2, 0.6)) for lag in range(20)} | {"gamma": 0.1}  # fmt: skip
NUMBER = 4  # bytes of a float32
COLUMNS = {"ms": "ms", "to fused Adam": "to fused Adam", "state": "state, bytes", "bytes": "moved, bytes"}
COLUMNS |= {"to floor": "to floor", "first": "first, s"}


def optimizers(device: str) -> dict:
    """What is timed: a maker, and the bytes that one step moves (None: not ours to count)."""
    ours, torchs = SymbolicOptimizer, torch.optim
    past, moments = 57, 4
    eq6 = (3 + 2 * moments + past + 3) * NUMBER
    return {
        "SGD, momentum, foreach": (lambda p: torchs.SGD(p, 1e-3, momentum=0.9, foreach=True), 20),
        "SGD, momentum, fused": (lambda p: torchs.SGD(p, 1e-3, momentum=0.9, fused=True), 20),
        "momentum, equation": (lambda p: ours(p, "momentum"), 20),
        "momentum, compiled": (lambda p: ours(p, "momentum", compile=True), 20),
        "Adam, foreach": (lambda p: torchs.Adam(p, foreach=True), 28),
        "Adam, fused": (lambda p: torchs.Adam(p, fused=True), 28),
        "Adam, equation": (lambda p: ours(p, "adam"), 28),
        "Adam, compiled": (lambda p: ours(p, "adam", compile=True), 28),
        "AdamW, fused": (lambda p: torchs.AdamW(p, fused=True), 28),
        "AdamW, compiled": (lambda p: ours(p, "adamw", compile=True), 28),
        "Eq. 6, equation": (lambda p: ours(p, "syml2o_eq6", **EQ6), eq6),
        "Eq. 6, compiled": (lambda p: ours(p, "syml2o_eq6", compile=True, **EQ6), eq6),
        "Eq. 6, bfloat16": (
            lambda p: ours(p, "syml2o_eq6", compile=True, history_dtype=torch.bfloat16, **EQ6),
            eq6 - (past + 3) * NUMBER // 2,
        ),
        "Eq. 6, compact": (lambda p: ours(p, "syml2o_eq6", compile=True, compact=0.01, **EQ6), None),
    }


def parameters(count: float, width: int, device: str) -> list[nn.Parameter]:
    """Matrices and biases, `count` numbers in all, with gradients."""
    params = []
    for _ in range(max(1, round(count / (width * width + width)))):
        params += [nn.Parameter(torch.randn(shape, device=device)) for shape in ((width, width), (width,))]
    for p in params:
        p.grad = 1e-3 * torch.randn_like(p)
    return params


def timed(action, device: str) -> float:
    """Seconds of one call."""
    if device != "cpu":
        torch.cuda.synchronize()
    start = time.perf_counter()
    action()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def state_bytes(optimizer: torch.optim.Optimizer, numbers: int) -> float:
    """Bytes that are kept for each number of the parameters."""
    tensors = (value for kept in optimizer.state.values() for value in kept.values())
    return sum(t.numel() * t.element_size() for t in tensors if torch.is_tensor(t) and t.ndim) / numbers


def measured(millions: float, width: int, device: str, repeats: int) -> dict:
    """Lines of the table for one size."""
    numbers = sum(p.numel() for p in parameters(millions * 1e6, width, device))
    x, y = torch.randn(2, 4 * numbers, device=device)
    runs, known, stepping, first = {}, optimizers(device), {}, {}
    for name, (make, _) in known.items():
        stepping[name] = make(parameters(millions * 1e6, width, device))
        first[name] = timed(stepping[name].step, device)  # states and kernels are made
        stepping[name].step()
    stream = []
    for _ in range(repeats):
        stream.append(timed(lambda: x.add_(y), device) / (12 * 4 * numbers))  # x is read and written, y read
        for name, optimizer in stepping.items():
            runs.setdefault(name, []).append(timed(optimizer.step, device))
    per_byte = statistics.median(stream)
    adam = statistics.median(runs["Adam, fused"])
    lines = {}
    for name, optimizer in stepping.items():
        seconds = statistics.median(runs[name])
        state = state_bytes(optimizer, numbers)
        moved = known[name][1] or round(12 + 2 * state)
        lines[name] = {
            "ms": 1e3 * seconds,
            "first": first[name],
            "to fused Adam": seconds / adam,
            "state": state,
            "bytes": moved,
            "to floor": seconds / (per_byte * moved * numbers),
        }
    return {"numbers": numbers, "GB/s": 1e-9 / per_byte, "lines": lines}


def main() -> None:
    """Print a table for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--millions", type=float, nargs="+", default=[1, 8, 25])
    parser.add_argument("--width", type=int, default=512, help="of the matrices")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--json", type=Path, help="also write everything there")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    found = []
    for millions in options.millions:
        result = measured(millions, options.width, options.device, options.repeats)
        found.append(result)
        print(
            f"\n{result['numbers'] / 1e6:.1f} million parameters, width {options.width}, {options.device}, "
            f"{options.threads} threads, {result['GB/s']:.1f} GB/s"
        )
        print(f"{'':<24}" + "".join(f"{title:>15}" for title in COLUMNS.values()))
        for name, line in result["lines"].items():
            print(f"{name:<24}" + "".join(f"{line[column]:>15.2f}" for column in COLUMNS))
    if options.json:
        options.json.write_text(json.dumps({"torch": torch.__version__, "runs": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
