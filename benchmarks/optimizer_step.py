"""How long does a step of an optimizer take, and how much does it store? Every ratio is from one run.

    python benchmarks/optimizer_step.py [--millions 1 8 25] [--width 512] [--lines Adam] [--device cpu]

The parameters are square matrices and biases. Rounds of all optimizers take turns, and a line is the median
over rounds, so that a busy moment of the machine affects all alike.

- `moved` is how many bytes one step reads and writes for each number, on average: parameter, gradient,
  moments, running sums, and the past values that its phase needs. `direct` is the same if every step read
  all of the past. Each has its floor: the time that it takes at the bandwidth of x.add_(y), measured in the
  same rounds on tensors four times as large as the parameters. (Reading alone, x.sum(), may be slower.)
- `first` is the first step, which makes the state and the kernel (of the first phase).
- `state` is what is stored between steps, in bytes for each number.
- `Eq. 6` has 20 lags of three features, its weights falling as in this book's equations;
  `running sums` replaces them by running sums within 1 %, `bfloat16` stores the past in half precision.
- Rules with a memory of their own: Adam written as one; from the recorded run of the page on such rules, the
  rule that was found without a teacher, and RP's.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import torch
from l2o_book import provenance, records
from l2o_book.contestants import discovered_rule
from torch import nn

from l2o_core.expressions import System
from l2o_core.optim import SymbolicOptimizer
from l2o_core.optim._compile.plan import make_plan

EQ6 = {f"{letter}{lag}": scale * decay**lag for letter, scale, decay in
       (("a", 0.5, 0.7), ("c", 0.3, 0.5), ("d", 0.2, 0.6)) for lag in range(20)} | {"gamma": 0.1}  # fmt: skip
ADAM = "p = 0.9*p[1] + 0.1*g; q = 0.999*q[1] + 0.001*g^2; -p / (sqrt(q) + 1e-8)"  # without bias correction
BASE = "Adam, fused"
STEPS = 12  # timed together: some steps of a rule with many lags do more than others, by turns
NUMBER = 4  # bytes of a float32
COLUMNS = {"ms": "ms", "to fused Adam": "to fused Adam", "state": "state, bytes", "moved": "moved, bytes"}
COLUMNS |= {
    "to floor": "to floor",
    "direct": "direct, bytes",
    "to direct floor": "to its floor",
    "first": "first, s",
}


def optimizers() -> dict:
    """The optimizers to time: how to make one, and the numbers that a step moves (None: as planned)."""
    ours, torchs = SymbolicOptimizer, torch.optim
    distilled = records.load("rules_with_memory", "standard").values["fits"]["RP"]["second"][0]["text"]
    adam, momentum = 7, 5  # the gradient is read; the parameter and the moments are read and written
    return {
        "SGD, momentum, foreach": (lambda p: torchs.SGD(p, 1e-3, momentum=0.9, foreach=True), momentum),
        "SGD, momentum, fused": (lambda p: torchs.SGD(p, 1e-3, momentum=0.9, fused=True), momentum),
        "momentum, equation": (lambda p: ours(p, "momentum", compile=False), None),
        "momentum, compiled": (lambda p: ours(p, "momentum", compile=True), None),
        "Adam, foreach": (lambda p: torchs.Adam(p, foreach=True), adam),
        "Adam, fused": (lambda p: torchs.Adam(p, fused=True), adam),
        "Adam, equation": (lambda p: ours(p, "adam", compile=False), None),
        "Adam, compiled": (lambda p: ours(p, "adam", compile=True), None),
        "AdamW, fused": (lambda p: torchs.AdamW(p, fused=True), adam),
        "AdamW, compiled": (lambda p: ours(p, "adamw", compile=True), None),
        "Eq. 6, equation": (lambda p: ours(p, "syml2o_eq6", compile=False, **EQ6), None),
        "Eq. 6, compiled": (lambda p: ours(p, "syml2o_eq6", compile=True, **EQ6), None),
        "Eq. 6, bfloat16": (
            lambda p: ours(p, "syml2o_eq6", compile=True, history_dtype=torch.bfloat16, **EQ6),
            None,
        ),
        "Eq. 6, running sums": (
            lambda p: ours(p, "syml2o_eq6", compile=True, lag_tolerance=0.01, **EQ6),
            None,
        ),
        "Adam as a system, compiled": (lambda p: ours(p, ADAM, 1e-3, compile=True), None),
        "discovered, equation": (lambda p: ours(p, discovered_rule()[0], 0.1, compile=False), None),
        "discovered, compiled": (lambda p: ours(p, discovered_rule()[0], 0.1, compile=True), None),
        "RP with a memory, compiled": (lambda p: ours(p, distilled, 0.1, compile=True), None),
    }


def traffic(optimizer: SymbolicOptimizer) -> tuple[float, float]:
    """Bytes that a step moves for each number: on average, and if it read all of the past."""
    group = optimizer.param_groups[0]
    if isinstance(optimizer.rule, System):  # all that it keeps is read and written, every step
        kept = sum(
            torch.is_tensor(part) and part.ndim > 0 for part in next(iter(optimizer.state.values())).values()
        )
        return NUMBER * (3 + 2 * kept), NUMBER * (3 + 2 * kept)
    plan = make_plan(optimizer.rule, group)
    past = 2 if group["history_dtype"] else NUMBER
    always = NUMBER * (3 + 2 * len(plan.moments) + 2 * len(plan.sums))
    newest = sum(count > 0 for count in plan.history_length.values())
    phases = [len(phase.reads) + len(phase.prepared) + newest for phase in plan.phases]
    return always + past * statistics.mean(phases), always + past * (len(plan.history) + newest)


def parameters(count: float, width: int, device: str) -> list[nn.Parameter]:
    """Matrices and biases, `count` numbers in all, with gradients."""
    params = []
    for _ in range(max(1, round(count / (width * width + width)))):
        params += [nn.Parameter(torch.randn(shape, device=device)) for shape in ((width, width), (width,))]
    for p in params:
        p.grad = 1e-3 * torch.randn_like(p)
    return params


def timed(action, device: str, times: int = 1) -> float:
    """Seconds of one call, on average."""
    if device != "cpu":
        torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(times):
        action()
    if device != "cpu":
        torch.cuda.synchronize()
    return (time.perf_counter() - start) / times


def state_bytes(optimizer: torch.optim.Optimizer, numbers: int) -> float:
    """Bytes that are stored for each number of the parameters."""
    tensors = (value for stored in optimizer.state.values() for value in stored.values())
    return sum(t.numel() * t.element_size() for t in tensors if torch.is_tensor(t) and t.ndim) / numbers


def measured(millions: float, width: int, device: str, repeats: int, wanted: list[str]) -> dict:
    """Lines of the table for one size: those whose names contain a text of `wanted`."""
    numbers = sum(p.numel() for p in parameters(millions * 1e6, width, device))
    x, y = torch.randn(2, 4 * numbers, device=device)
    known = {k: v for k, v in optimizers().items() if k == BASE or any(text in k for text in wanted)}
    runs, stepping, first = {}, {}, {}
    for name, (make, _) in known.items():
        stepping[name] = make(parameters(millions * 1e6, width, device))
        first[name] = timed(stepping[name].step, device)  # states and kernels are made
        for _ in range(STEPS - 1):
            stepping[name].step()
    speed = {"read": (lambda: x.sum(), 1), "add": (lambda: x.add_(y), 3)}
    for _ in range(repeats):
        for name, (action, moved) in speed.items():
            runs.setdefault(name, []).append(timed(action, device) / (NUMBER * moved * x.numel()))
        for name, optimizer in stepping.items():
            runs.setdefault(name, []).append(timed(optimizer.step, device, STEPS))
    median = {name: statistics.median(values) for name, values in runs.items()}
    lines = {}
    for name, optimizer in stepping.items():
        count = known[name][1]
        moved, direct = (NUMBER * count, NUMBER * count) if count else traffic(optimizer)
        lines[name] = {
            "ms": 1e3 * median[name],
            "first": first[name],
            "to fused Adam": median[name] / median[BASE],
            "state": state_bytes(optimizer, numbers),
            "moved": moved,
            "direct": direct,
            "to floor": median[name] / (median["add"] * moved * numbers),
            "to direct floor": median[name] / (median["add"] * direct * numbers),
        }
    return {"numbers": numbers, "GB/s": {name: 1e-9 / median[name] for name in speed}, "lines": lines}


def main() -> None:
    """Print a table for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--millions", type=float, nargs="+", default=[1, 8, 25])
    parser.add_argument("--width", type=int, default=512, help="of the matrices")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--lines", nargs="+", default=[""], help="only those that contain one of these texts")
    parser.add_argument("--json", type=Path, help="also write everything there, with commit and hardware")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    found = []
    for millions in options.millions:
        result = measured(millions, options.width, options.device, options.repeats, options.lines)
        found.append(result)
        print(
            f"\n{result['numbers'] / 1e6:.1f} million parameters, width {options.width}, {options.device}, "
            f"{options.threads} threads, GB/s: "
            + ", ".join(f"{name} {speed:.1f}" for name, speed in result["GB/s"].items())
        )
        print(f"{'':<24}" + "".join(f"{title:>15}" for title in COLUMNS.values()))
        for name, line in result["lines"].items():
            print(f"{name:<24}" + "".join(f"{line[column]:>15.2f}" for column in COLUMNS))
    if options.json:
        facts = {"commit": provenance.commit(), "hardware": provenance.hardware(), "torch": torch.__version__}
        options.json.write_text(json.dumps(facts | {"runs": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
