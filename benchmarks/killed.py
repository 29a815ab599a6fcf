"""`kill -9` at random moments of long jobs, each then resumed: the results must be those of a job left alone.

python benchmarks/killed.py --kills 10 --seed 1
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from l2o_book.training import fit

from l2o_core import data, distiller, meta, models, tasks
from l2o_core.storage import Cache, digest

SHORT = {"epochs": 40, "steps": 50, "unroll": 10, "validation_instances": 8, "progress": False}


def train(folder: Path) -> str:
    """A meta-training."""
    torch.manual_seed(0)
    optimizer = models.RPSmall()
    history = meta.meta_train(optimizer, tasks.load("p1"), checkpoint=folder / "run.pt", **SHORT)
    return digest([optimizer.state_dict(), history.losses, history.validation])


def tune(folder: Path) -> str:
    """A meta-tuning."""
    rule, history = meta.tune("-0.01*m_hat", tasks.load("p1"), checkpoint=folder / "run.pt", **SHORT)
    return digest([rule.state_dict(), history.losses])


def collect(folder: Path) -> str:
    """Rows, evaluations and fronts in a cache."""
    cache, parts = Cache(folder), []
    for seed in range(6):
        options = {"steps": 100, "instances": 32, "seed": seed}
        parts.append(meta.evaluate(models.load("rp_small/p1"), tasks.load("p1"), cache=cache, **options))
        rows = distiller.collect(models.load("rp_small/p1"), tasks.load("p1"), samples=500, lags=2, **options)
        front = distiller.distill(rows, engine="linear", cache=cache)
        parts.append([str(entry.equation) for entry in front])
    return digest(parts)


def train_network(folder: Path) -> str:
    """The training of a network."""
    digits = data.load("digits")
    rows = (slice(0, 900), slice(900, 1100), slice(1100, 1400))
    parts = [replace(digits, images=digits.images[at], labels=digits.labels[at]) for at in rows]
    found = fit(
        lambda: torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 60), torch.nn.Linear(60, 10)),
        lambda parameters: torch.optim.Adam(parameters),
        *parts,
        epochs=40,
        cache=Cache(folder),
    )
    return digest([found.losses, found.validation, found.test])


JOBS: dict[str, Callable[[Path], str]] = {job.__name__: job for job in (train, tune, collect, train_network)}


def start(name: str, folder: Path) -> subprocess.Popen[str]:
    """A process with that job, ready to begin."""
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", __file__, "--job", name, "--folder", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    if not process.stdout or process.stdout.readline() != "ready\n":
        raise SystemExit(f"the job {name} did not begin")
    return process


def kill_and_resume(name: str, kills: int, chance: random.Random) -> tuple[int, bool]:
    """How often a job was killed before it ended, and whether all results are equal."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        alone = start(name, Path(folder)).communicate("go\n")[0]
        seconds = time.perf_counter() - began
    killed, equal = 0, True
    while killed < kills:
        with tempfile.TemporaryDirectory() as folder:
            while True:
                process = start(name, Path(folder))
                try:
                    wait = chance.uniform(0, seconds / 2) if killed < kills else None
                    equal &= process.communicate("go\n", timeout=wait)[0] == alone
                    break
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.communicate()
                    killed += 1
    return killed, equal


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=12, help="of each kind of job")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--job", choices=JOBS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        torch.set_num_threads(1)
        print("ready", flush=True)
        sys.stdin.readline()
        print(JOBS[options.job](options.folder), flush=True)
    else:
        for name in JOBS:
            killed, equal = kill_and_resume(name, options.kills, random.Random(f"{options.seed} {name}"))
            print(f"{name}: killed {killed} times, results {'equal' if equal else 'DIFFER'}", flush=True)
