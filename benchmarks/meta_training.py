"""How fast is meta-training, and in how much memory? Every ratio is to the published structure, same run.

    L2O_DATA_ROOT=... python benchmarks/meta_training.py [--models RP DM] [--compile] [--resnet] [--tune]

Each line is a process of its own: optimizee steps per second (meta-update included, best of a few unrolls of
20 steps), and the peak of its memory above what the imports take. Optimizees: P2's MLP 784-50-20-10 (N =
40,480, batch 128), P1 with 128 instances at once, and, with --resnet, ResNet-18 on CIFAR-10 (11 million
coordinates, batch 128, unrolls of 4 steps); with --tune, SymL2O's Eq. 6 is tuned on ResNet-50 (23.5 million
coordinates, batch 32, unrolls of 20 steps). Without MNIST at hand, the MLP is 64-50-20-10 on scikit-learn's
digits (N = 4,480), and the first lines say so; without CIFAR-10, the ResNets are left out.

- `published` has the structure of the published code: a loop over parameter tensors, the unroll kept in one
  graph, and traversed again at every step. `naive` is the reference of the tests: the same, traversed once.
- `adjoint` is what `meta_train` does, `float16 state` the same with `state_dtype=torch.float16`, `pes`
  evolution strategies.
- `ordinary` is training by torch.optim.Adam, without a learned optimizer.
"""

import argparse
import json
import runpy
import subprocess
import sys
import time
from pathlib import Path

import torch
from l2o_book.meta_memory import peak
from torch import nn

from l2o_core import data, models, tasks
from l2o_core.errors import DataError
from l2o_core.meta.estimators import PES, TBPTT
from l2o_core.optim import zoo

STEPS = 20
TESTS = Path(__file__).resolve().parent.parent / "tests"
SHAPES = {"RP": (20, 20, 2), "DM": (0, 20, 2), "RPSmall": (6, 7, 1)}  # projection, hidden, layers


class Published(nn.Module):
    """An LSTM optimizer as it was published: one tensor at a time, all in the graph but g."""

    def __init__(self, projection: int, hidden: int, layers: int):
        super().__init__()
        self.hidden = hidden
        self.projection = nn.Sequential(nn.Linear(2, projection), nn.ELU()) if projection else None
        widths = [projection or 1] + [hidden] * (layers - 1)
        self.cells = nn.ModuleList(nn.LSTMCell(width, hidden) for width in widths)
        self.readout = nn.Linear(hidden, 1)

    def start(self, tensor):
        zeros = [torch.zeros(tensor.numel(), self.hidden) for _ in range(2 * len(self.cells))]
        return [torch.zeros(tensor.numel()), torch.zeros(tensor.numel()), 0, zeros]

    def step(self, g, memory):
        m, v, t, cells = memory
        g, t = g.detach().reshape(-1).clone(), t + 1  # backward goes on adding to .grad
        m, v = 0.95 * m + 0.05 * g, 0.95 * v + 0.05 * g * g
        scale = (v / (1 - 0.95**t)).sqrt() + 1e-12
        signal = g[:, None]
        if self.projection:
            signal = self.projection(torch.stack([m / (1 - 0.95**t) / scale, g / scale], dim=-1))
        kept = []
        for cell, h, c in zip(self.cells, cells[::2], cells[1::2], strict=True):
            signal, c = cell(signal, (h, c))
            kept += [signal, c]
        output = self.readout(signal).squeeze(-1)
        return 0.01 * (output.tanh() if self.projection else output), [m, v, t, kept]


def published_unroll(task, name):
    """One unroll of the published structure."""
    optimizer = Published(*SHAPES[name])
    meta_optimizer = torch.optim.Adam(optimizer.parameters(), lr=1e-3)
    generator = torch.Generator().manual_seed(0)
    batches = task.batches(generator)

    def unroll():
        start = task.unflatten(task.init(generator))
        tensors = {key: tensor.clone().requires_grad_() for key, tensor in start.items()}
        memory = {key: optimizer.start(tensor) for key, tensor in tensors.items()}
        meta_optimizer.zero_grad()
        for _ in range(STEPS):
            images, labels = next(batches)
            for tensor in tensors.values():
                tensor.retain_grad()
            logits = task.logits(tensors, images)[0]
            nn.functional.cross_entropy(logits, labels[0]).backward(retain_graph=True)
            moved = {}
            for key, tensor in tensors.items():
                update, memory[key] = optimizer.step(tensor.grad, memory[key])
                moved[key] = tensor + update.view_as(tensor)
            tensors = moved
        meta_optimizer.step()

    return unroll


def naive_unroll(optimizer, task, instances):
    naive = runpy.run_path(str(TESTS / "meta" / "test_adjoint.py"))["naive_meta_gradient"]
    weights = torch.full((STEPS,), 1 / STEPS)
    return lambda: naive(optimizer, task, seed=0, instances=instances, steps=STEPS, weights=weights)


def our_unroll(optimizer, task, instances, kind, fraction, steps=STEPS, state_dtype=None):
    meta_optimizer = torch.optim.Adam(optimizer.parameters(), lr=1e-3)
    estimator = kind(optimizer, task, 0, instances, fraction, state_dtype=state_dtype)

    def unroll():
        meta_optimizer.zero_grad()
        estimator.unroll(steps)
        meta_optimizer.step()

    return unroll


def ordinary(task, steps):
    """The network trained by itself, as anyone would."""
    network, generator = task.build().train(), torch.Generator().manual_seed(0)
    optimizer, batches = torch.optim.Adam(network.parameters()), task.batches(generator)

    def unroll():
        for _ in range(steps):
            images, labels = next(batches)
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(images[0]), labels[0]).backward()
            optimizer.step()

    return unroll


def equation6():
    """SymL2O's Eq. 6 with 20 lags of three features, every number of it trainable."""
    weights = {f"{letter}{lag}": 0.01 * 0.7**lag for letter in "acd" for lag in range(20)}
    return models.Equation(zoo.get("syml2o_eq6").equation, {"gamma": 1.0} | weights)


def measure(problem, name, how, fraction, threads):
    """Steps per second, peak memory in MB above the imports, seconds of the first unroll."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    before = peak()
    instances = 128 if problem == "p1" else 1
    steps = 4 if problem == "resnet18" else STEPS
    options = {"batch": 32} if problem == "resnet50" else {}
    if how == "published":
        unroll = published_unroll(tasks.load(problem), name)
    elif how == "ordinary":
        unroll = ordinary(tasks.load(problem, **options), steps)
    else:
        task = tasks.load(problem, **options)
        optimizer = equation6() if name == "Eq. 6" else getattr(models, name)()
        if how == "naive":
            unroll = naive_unroll(optimizer, task, instances)
        else:
            if how == "compiled":
                optimizer.compile()
            kind = PES if how == "pes" else TBPTT
            dtype = torch.float16 if how == "float16 state" else None
            unroll = our_unroll(optimizer, task, instances, kind, fraction, steps, dtype)
    seconds = []
    slow = how in ("published", "naive", "ordinary", "float16 state")
    for _ in range(2 if problem == "resnet50" else 3 if slow else 6):
        started = time.perf_counter()
        unroll()
        seconds.append(time.perf_counter() - started)
    return {"rate": steps / min(seconds[1:]), "memory": peak() - before, "first": seconds[0]}


def at_hand(name):
    """Whether a data set can be read here; says so where it cannot."""
    try:
        data.load(name)
    except DataError as error:
        print(error)
        return False
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--models", nargs="*", choices=SHAPES, default=list(SHAPES), metavar="MODEL")
    parser.add_argument("--compile", action="store_true", help="also with torch.compile (slow to start)")
    parser.add_argument("--resnet", action="store_true", help="also ResNet-18 (minutes, and 4 GB)")
    parser.add_argument("--tune", action="store_true", help="also Eq. 6 on ResNet-50 (many minutes, 6 GB)")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        print(json.dumps(measure(*json.loads(options.case))))
        return

    ours = [("naive", 1.0), ("adjoint", 1.0), ("adjoint", 0.1), ("adjoint", 0.05), ("pes", 1.0)]
    ours += [("compiled", 1.0), ("compiled", 0.05)] if options.compile else []
    large = [("ordinary", 1.0), ("float16 state", 0.01)]
    wanted = [("resnet18", ["RP"], large)] * options.resnet + [("resnet50", ["Eq. 6"], large)] * options.tune
    perceptron = "p2" if at_hand("mnist") else "digits"
    plan = [(perceptron, options.models, [("published", 1.0), *ours]), ("p1", ["DM"], ours)]
    plan += wanted if wanted and at_hand("cifar10") else []
    if perceptron == "digits":
        print("the perceptron is measured on digits, a stand-in of a tenth of the size")
    print(f"torch {torch.__version__}, {options.threads} threads, unroll {STEPS}")
    print(f"{'problem':10}{'model':9}{'gradient':31}{'steps/s':>9}{'ratio':>7}{'MB':>7}{'first s':>9}")
    for problem, names, hows in plan:
        for name in names:
            baseline = None
            for how, fraction in hows:
                case = json.dumps([problem, name, how, fraction, options.threads])
                command = [sys.executable, __file__, "--case", case]
                result = subprocess.run(command, capture_output=True, text=True)
                if result.returncode:
                    sys.exit(result.stderr)
                got = json.loads(result.stdout.splitlines()[-1])
                baseline = baseline or got["rate"]
                label = how + (f", {fraction:.0%} of coordinates" if fraction < 1 else "")
                print(
                    f"{problem:10}{name:9}{label:31}{got['rate']:9.1f}{got['rate'] / baseline:7.1f}"
                    f"{got['memory']:7.0f}{got['first']:9.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
