"""`kill -9` at random moments of long jobs, each then resumed: the results must be those of a job left alone.

python benchmarks/killed.py --kills 10 --seed 1
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import torch
from l2o_book import records, reproduce
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


NOTEBOOK = """# %% tags=["parameters"]
profile = "quick"
number = {number}

# %%
import hashlib

from l2o_book import checkout, records
from l2o_core.storage import Cache, Format

# %%
def work(text):
    for _ in range(40_000):
        text = hashlib.sha256(text.encode()).hexdigest()
    return text

form = Format(".txt", lambda value, path: path.write_text(value), lambda path: path.read_text())
cache = Cache(checkout.cache_dir("cache", profile))

# %%
keys = [{{"number": number, "part": part}} for part in range(8)]
parts = [cache.call("parts", key, lambda key=key: work(str(key)), form) for key in keys]
records.save("page{number}", {{"parts": parts}}, profile=profile, seed=number, dataset="none", wall_time=0.0)
"""


def run_notebooks(folder: Path) -> str:
    """`l2o reproduce` of a small book; only the notebooks that were not finished run again."""
    os.environ["L2O_BOOK_ROOT"] = str(folder)
    names = [f"page{number}" for number in range(2)]
    for part in ("notebooks", "profiles", "results"):
        (folder / part).mkdir(exist_ok=True)
    (folder / "_toc.yml").write_text("root: intro\n")
    (folder / "profiles" / "quick.yml").write_text("{}\n")
    for number, name in enumerate(names):
        (folder / "notebooks" / f"{name}.py").write_text(NOTEBOOK.format(number=number))
    done = reproduce.execute([], "quick", jobs=1)
    found = [records.load(name, "quick").values["parts"] for name in names]
    return digest([[run.failure for run in done], found])


JOBS: dict[str, Callable[[Path], str]] = {
    job.__name__: job for job in (train, tune, collect, train_network, run_notebooks)
}


def work(name: str, folder: Path, results: Connection) -> None:
    """Do that job and send its result."""
    torch.set_num_threads(1)
    results.send(JOBS[name](folder))


def attempt(name: str, folder: Path, seconds: float | None) -> str | None:
    """The result of that job in a process of its own; None where it took longer and was killed."""
    receiver, sender = SERVER.Pipe(duplex=False)
    process: ForkServerProcess = SERVER.Process(target=work, args=(name, folder, sender))
    process.start()
    sender.close()
    try:
        return receiver.recv() if receiver.poll(seconds) else None
    except EOFError:
        return "an error"
    finally:
        process.kill()
        process.join()


def kill_and_resume(name: str, kills: int, chance: random.Random) -> tuple[int, bool]:
    """How often a job was killed before it ended, and whether all results are equal."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        alone = attempt(name, Path(folder), None)
        seconds = time.perf_counter() - began
    killed, equal = 0, alone != "an error"
    while killed < kills:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            found = None
            while found is None:
                found = attempt(
                    name, Path(folder), chance.uniform(0, seconds / 2) if killed < kills else None
                )
                killed += found is None
            equal &= found == alone
    return killed, equal


SERVER = multiprocessing.get_context("forkserver")  # it has imported everything before a job begins

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=12, help="of each kind of job")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=[*JOBS], help="all, unless some are named")
    options = parser.parse_args()
    SERVER.set_forkserver_preload(["__main__"])
    wrong = False
    for name in options.jobs:
        killed, equal = kill_and_resume(name, options.kills, random.Random(f"{options.seed} {name}"))
        print(f"{name}: killed {killed} times, results {'equal' if equal else 'DIFFER'}", flush=True)
        wrong |= not equal
    sys.exit(wrong)
