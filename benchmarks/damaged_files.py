"""Thousands of damaged files of every kind that is read: only errors of ours, quickly, in little memory.

    python benchmarks/damaged_files.py --files 10000 --seconds 100 --seed 1

Bits are flipped, bytes cut off, inserted, repeated, and the head of another kind of file put in front.
"""

from __future__ import annotations

import argparse
import gzip
import io
import os
import pickle
import random
import resource
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import torch
from l2o_book import checkout, claims, plan, profiles, records, runs, sync, tables
from l2o_book.jobs import Job, Outcome
from PIL import Image
from scipy.sparse import csr_matrix

from l2o_core import data, models
from l2o_core.distiller import Dataset, ParetoFront, read_hall_of_fame
from l2o_core.errors import DataError, L2OError
from l2o_core.models.cards import card
from l2o_core.storage import TENSORS, Checkpoint
from l2o_core.tasks import graph_files

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 3, 32, 32), dtype=np.uint8)
LABELS = np.arange(20, dtype=np.uint8) % 10


NOTEBOOK = b"""# ---
# jupyter:
#   jupytext:
#     formats: py:percent,ipynb
# ---

# %% [markdown]
# # A page

# %% tags=["parameters"]
seed = 0
rates = [0.1, 0.2]

# %%
print(seed)  # name="tab-a"
"""
CLAIMS = b"""claims:
- {id: one, paper: SOL, where: Table 1, claim: It works, published: [T / A], anchor: tab-a,
  record: every build, verdict: reproduced, because: It is drawn}
- {id: two, paper: SymL2O, where: Table 2, claim: It wins, published: in words,
  verdict: not run, because: no time}
scales: {one: small}
faults: {one: {commit: abc, notes: [a, b]}}
"""
HALL = b'Complexity,Loss,Equation\n1,1.5,x0\n7,0.5,"x0 + square(1.5 * x1) / x0"\n9,0.25,exp(x0) - x1 ^ 2\n'


class Matrix:
    """Pickled as Planetoid's files hold a SciPy matrix: Python 2 named its parts by bytes."""

    def __init__(self, dense: np.ndarray):
        made = csr_matrix(dense)
        self.parts = {b"_shape": made.shape, b"indptr": made.indptr, b"indices": made.indices}
        self.parts[b"data"] = made.data

    def __reduce__(self) -> tuple[Any, ...]:
        """Its class, no arguments, and its parts."""
        return csr_matrix, (), self.parts


@dataclass
class Kind:
    """A kind of file: the content of a good one, where it lies, and how it is read."""

    name: str
    file: Path
    read: Callable[[], Any]


@dataclass
class Found:
    """What became of the damaged files of a kind."""

    tried: int = 0
    refused: int = 0
    bare: list[str] = field(default_factory=list)
    slowest: float = 0.0
    grown: float = 0.0  # MB that the process has grown by


def kinds(folder: Path) -> list[Kind]:
    """A good file of every kind, written below a folder, which becomes the root of data and of the book."""
    os.environ |= {"L2O_DATA_ROOT": str(folder), "XDG_CACHE_HOME": str(folder), "L2O_BOOK_ROOT": str(folder)}
    raw, images = {}, PIXELS[:, 0, :28, :28]
    for name, magic, array in (("images-idx3", 2051, images), ("labels-idx1", 2049, LABELS)):
        raw[name] = np.array([magic, *array.shape], ">u4").tobytes() + array.tobytes()

    def put(name: str, content: bytes) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    checkpoint = Checkpoint(folder / "run.pt", {"seed": 1})
    checkpoint.save({"losses": torch.randn(10, 5), "history": {"losses": [1.0, 2.0]}})
    TENSORS.save(torch.randn(20), folder / "losses.pt")
    training = {"recipe": "a", "task": {"name": "p1"}, "dataset": "", "epochs": 1, "steps": 2, "seed": 0}
    training["history"] = {"best": [1, 2.0], "diverged": [], "seconds": 1.0}
    models.save(folder / "m.safetensors", models.RPSmall(), training)
    models.save(folder / "e.safetensors", models.Equation("-0.1*m_hat - 0.2*g[3]"), training)
    Dataset(np.random.default_rng(0).normal(size=(30, 3)), np.arange(30.0), list("abc"), np.arange(30)).save(
        folder / "r.npz"
    )
    good = {"seed": 0, "dataset": "d", "profile": "quick"}
    records.save("e", {"x": [1.0]}, wall_time=1.0, folder=folder / "results" / "quick", **good)
    batch = {b"data": PIXELS.reshape(20, -1), b"labels": LABELS.tolist()}
    mnist, cifar = "MNIST/raw/t10k-images-idx3-ubyte", "cifar-10-batches-py/test_batch"
    entry = '{"engine": "x", "seconds": 1, "notes": [], "entries": [{"equation": "g", "loss": 1, "r2": 1}]}'
    put("MNIST/raw/train-labels-idx1-ubyte.gz", gzip.compress(raw["labels-idx1"]))
    put("MNIST/raw/t10k-labels-idx1-ubyte", raw["labels-idx1"])
    zipped = "MNIST/raw/train-images-idx3-ubyte.gz"
    strip, labels = io.BytesIO(), io.BytesIO()
    Image.fromarray(PIXELS.transpose(0, 2, 3, 1).reshape(-1, 32, 3)).save(strip, "webp", lossless=True)
    np.save(labels, LABELS)
    words = csr_matrix(np.random.default_rng(0).integers(0, 2, (20, 6)).astype(np.float32))
    network = {"edges": np.array([[0, 1, 2], [1, 2, 3]]), "y": LABELS.astype(np.int64)}
    network |= {"x_data": words.data, "x_indices": words.indices, "x_indptr": words.indptr}
    network["x_shape"] = np.array(words.shape)
    dblp = io.BytesIO()
    np.savez(dblp, **network)
    edges = put("Planetoid/ind.a.graph", pickle.dumps({0: [1, 2], 1: [0], 2: [0]}, 4))
    matrix = put("Planetoid/ind.a.allx", pickle.dumps(Matrix(words.toarray()), 4))
    classes = put("Planetoid/ind.a.ally", pickle.dumps(np.eye(3, dtype=np.int32)[LABELS % 3], 4))
    job = Job("a", "a", "quick", {}, {}, "", "key")
    executed = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(1)", id="one")])

    def finished() -> Any:
        """What a build shows of a notebook that has not changed; one that is damaged runs again."""
        run = runs.earlier(folder, job, folder / "a.ipynb")
        if run is None:
            raise DataError("it runs again")
        return nbformat.read(run.path, as_version=4)

    toc = b"root: intro\nparts:\n- chapters:\n  - file: notebooks/a\n"
    return [
        Kind("checkpoint", folder / "run.pt", checkpoint.load),
        Kind("cached tensors", folder / "losses.pt", lambda: TENSORS.load(folder / "losses.pt")),
        Kind("model", folder / "m.safetensors", lambda: models.load(folder / "m.safetensors")),
        Kind("equation", folder / "e.safetensors", lambda: models.load(folder / "e.safetensors")),
        Kind("model card", folder / "e.safetensors", lambda: card(folder / "e.safetensors")),
        Kind("rows", folder / "r.npz", lambda: Dataset.load(folder / "r.npz")),
        Kind("front", put("f.json", entry.encode()), lambda: ParetoFront.load(folder / "f.json")),
        Kind("record", folder / "results/quick/e.json", lambda: records.load("e", "quick")),
        Kind(
            "notebook",
            put("notebooks/a.py", NOTEBOOK),
            lambda: sync.paired(folder / "notebooks" / "a.py", {"url": "x", "branch": "y"}),
        ),
        Kind("parameters", folder / "notebooks/a.py", lambda: profiles.parameters(folder, "a")),
        Kind(
            "profile",
            put("profiles/quick.yml", b"seed: 1\nrates: [1, 2.5]\nresources: {GPU: 1}\nwhen: 2020-01-01\n"),
            lambda: (profiles.settings(folder, "a", "quick", {}), profiles.resources(folder, "a", "quick")),
        ),
        Kind(
            "executed notebook",
            runs.store(
                folder, job, Outcome(nbformat.writes(executed), {}, 1.0, "here"), folder / "a.ipynb"
            ).path,
            finished,
        ),
        Kind(
            "published.yml",
            put(
                "book/published.yml", b"T: {paper: x, unit: {y: s}, rows: {A: {x: 1.0 \xc2\xb1 0.1, y: n}}}\n"
            ),
            lambda: (tables._read.cache_clear(), tables.Published("T").frame),
        ),
        Kind(
            "claims.yml",
            put("book/claims.yml", CLAIMS),
            lambda: (claims._read.cache_clear(), claims.load.cache_clear(), claims.load(folder)),
        ),
        Kind(
            "_config.yml",
            put("_config.yml", b"title: x\nrepository:\n  url: https://x\n  branch: main\n"),
            lambda: checkout.repository(folder),
        ),
        Kind("hall of fame", put("h.csv", HALL), lambda: read_hall_of_fame(folder / "h.csv")),
        Kind("WebP", put("CIFAR10/train_000.webp", strip.getvalue()), lambda: data.load("cifar10")),
        Kind("labels", put("CIFAR10/train_labels.npy", labels.getvalue()), lambda: data.load("cifar10")),
        Kind("table of contents", put("_toc.yml", toc), lambda: plan.notebooks(folder)),
        Kind("DBLP", put("DBLP/dblp.npz", dblp.getvalue()), lambda: graph_files.load_graph("dblp")),
        Kind("Planetoid's graph", edges, lambda: graph_files._edges(edges)),
        Kind("Planetoid's words", matrix, lambda: graph_files._matrix(matrix)),
        Kind("Planetoid's labels", classes, lambda: graph_files._classes(classes)),
        Kind("MNIST", put(mnist, raw["images-idx3"]), lambda: data.load("mnist", "test")),
        Kind("MNIST .gz", put(zipped, gzip.compress(raw["images-idx3"])), lambda: data.load("mnist")),
        Kind("CIFAR-10 pickle", put(cifar, pickle.dumps(batch, 4)), lambda: data.load("cifar10", "test")),
        Kind(
            "CIFAR-100 binary",
            put(
                "cifar-100-binary/test.bin",
                np.column_stack([LABELS, LABELS, PIXELS.reshape(20, -1)]).tobytes(),
            ),
            lambda: data.load("cifar100", "test"),
        ),
    ]


def damaged(content: bytes, chance: random.Random, heads: list[bytes]) -> bytes:
    """The content with one or several faults of a file."""
    found = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 8))):
        # half of the faults are in the head, where sizes are
        at = chance.randrange(max(1, min(len(found), chance.choice((200, len(found) or 1)))))
        match chance.randrange(6):
            case 0 | 1 if found:
                found[at] ^= 1 << chance.randrange(8)
            case 2:
                del found[at:]
            case 3:
                found[at:at] = chance.randbytes(chance.choice((1, 4, 100)))
            case 4:
                found[at : at + 8] = chance.choice(
                    (b"\xff" * 8, bytes(8), b"99999999", b"[[[[[[[[", b"\x7f" * 8)
                )
            case 5:
                head = chance.choice(heads)
                found[: len(head)] = head
    return bytes(found)


def try_kind(kind: Kind, files: int, seconds: float, seed: int, heads: list[bytes]) -> Found:
    """Read that many damaged files of a kind, or as many as there is time for."""
    found, good, chance = Found(), kind.file.read_bytes(), random.Random(f"{seed} {kind.name}")
    kind.read()
    end, before = time.perf_counter() + seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    while found.tried < files and time.perf_counter() < end:
        content = damaged(good, chance, heads)
        kind.file.unlink()  # a file that is mapped into memory must not change
        kind.file.write_bytes(content)
        found.tried += 1
        started = time.perf_counter()
        try:
            kind.read()
        except L2OError:
            found.refused += 1
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            found.bare.append(f"{type(error).__name__}: {error}"[:150])
        found.slowest = max(found.slowest, time.perf_counter() - started)
    kind.file.write_bytes(good)
    found.grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return found


def campaign(
    folder: Path, files: int, seconds: float, seed: int, wanted: str = ""
) -> Iterator[tuple[str, Found]]:
    """All kinds whose name has the text `wanted`, one after the other."""
    every = kinds(folder)
    heads = [kind.file.read_bytes()[:40] for kind in every]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for kind in [kind for kind in every if wanted in kind.name]:
            yield kind.name, try_kind(kind, files, seconds, seed, heads)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000, help="damaged files of each kind")
    parser.add_argument("--seconds", type=float, default=600.0, help="at most, for each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", default="", help="only kinds with this text in their name")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        for kind, found in campaign(Path(name), options.files, options.seconds, options.seed, options.kind):
            print(
                f"{kind:<18} {found.tried:>6} files, {found.refused:>6} refused, "
                f"{len(found.bare)} bare errors, slowest {found.slowest:.2f} s, {found.grown:.0f} MB",
                *sorted(set(found.bare))[:3],
                flush=True,
            )
