"""How much memory the meta-training of an optimizer on a network takes (SOL Table 4)."""

from __future__ import annotations

import ctypes
import itertools
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from l2o_core import meta, tasks
from l2o_core.errors import L2OError
from l2o_core.meta.estimators import TBPTT
from l2o_core.models import LearnedOptimizer
from l2o_core.tasks import Task

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")  # of Linux
ARCHITECTURES = {"SOL": "SOL", "L2LGD2": "DM"}
"""The columns of SOL's Table 4, and what they are here."""
ASKED = "from l2o_book import meta_memory; meta_memory.answer()"


def measured(**asked: Any) -> dict[str, float]:
    """Megabytes and seconds of an unroll, in a process of its own; for `asked`, see `unroll`.

    Raises:
        L2OError: Where the process ends without an answer, as where memory runs out.
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ASKED, json.dumps(asked)], capture_output=True, text=True
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it was killed, for want of memory perhaps"]
        raise L2OError(f"no memory of {asked['optimizer']} on {asked['network']}: {lines[-1]}")
    return json.loads(done.stdout)


def of_networks(networks: Sequence[str], **asked: Any) -> dict[str, dict[str, float]]:
    """SOL's Table 4: megabytes of each optimizer on each network, and its parameters in millions.

    What cannot be measured, as where memory runs out, is left out and printed; `asked` as of `unroll`.
    """
    rows: dict[str, dict[str, float]] = {}
    for network in networks:
        row = rows[network.replace("resnet", "ResNet-")] = {}
        for label, architecture in ARCHITECTURES.items():
            if found := _if_it_can_be(optimizer=architecture, network=network, **asked):
                row |= {label: found["megabytes"], "parameters": found["parameters"] / 1e6}
    return rows


def of_structures(network: str, **asked: Any) -> dict[str, dict[str, dict[str, float]]]:
    """What `measured` finds of each optimizer on a network, by our adjoint and in one graph.

    What cannot be measured is left out and printed.
    """
    found: dict[str, dict[str, dict[str, float]]] = {label: {} for label in ARCHITECTURES}
    for label, architecture in ARCHITECTURES.items():
        for structure in ("adjoint", "graph"):
            asked |= {"optimizer": architecture, "network": network, "structure": structure}
            if one := _if_it_can_be(**asked):
                found[label][structure] = one
    return found


def _if_it_can_be(**asked: Any) -> dict[str, float]:
    """What `measured` finds; nothing, and its reason printed, where it cannot be measured."""
    try:
        return measured(**asked)
    except L2OError as error:
        print(error)
        return {}


def unroll(
    optimizer: str,
    network: str,
    dataset: str,
    options: dict[str, Any],
    steps: int,
    fraction: float,
    device: str,
    structure: str = "adjoint",
) -> dict[str, float]:
    """Peak memory of two unrolls with their meta-gradients, above that of the imports and the images.

    Args:
        optimizer: An architecture, such as "SOL" or "DM".
        network: Of `tasks.vision.NETWORKS`.
        dataset: Of its images.
        options: Of the network, such as its width; and "batch", the images in a step.
        steps: Of each unroll.
        fraction: Of the coordinates, for the meta-gradient.
        device: "cpu", where the peak is that of the process, or "cuda", where it is that of PyTorch's memory.
        structure: "adjoint", as this library trains; or "graph", as the published code does: the whole unroll
            in one graph, of all coordinates.
    """
    torch.manual_seed(0)
    built = {key: value for key, value in options.items() if key != "batch"}
    task = tasks.Network(
        network,
        dataset,
        lambda: tasks.vision.network(network, **built),
        batch=options["batch"],
        part="train",
        device=device,
    )
    learned = meta.recipes.build(optimizer).to(device)
    _forget_the_peak(device)
    before = peak(device)
    if structure == "graph":
        for _ in range(2):
            _in_one_graph(learned, task, steps)
    else:
        estimator = TBPTT(learned, task, 0, 1, fraction)
        for _ in range(2):
            estimator.unroll(steps)
    return {"megabytes": peak(device) - before, "parameters": task.n}


def _in_one_graph(learned: LearnedOptimizer, task: Task, steps: int) -> None:
    """The meta-gradient of an unroll, with the gradients of the task detached (SymL2O Eq. 1)."""
    generator = torch.Generator().manual_seed(0)
    params = task.init(generator, 1)
    batches = task.batches(generator, 1)
    state, objective = learned.init_state(params.reshape(-1)), params.new_zeros(())
    for batch in itertools.islice(batches, steps):
        leaf = params.detach().requires_grad_()
        (g,) = torch.autograd.grad(task.loss(leaf, batch).sum(), leaf)
        update, state = learned(g.reshape(-1), state)
        params = params + update.view_as(params)
        objective = objective + task.loss(params, batch).sum()
    objective.backward()


def answer() -> None:
    """Print what `unroll` finds for the JSON of the first argument."""
    print(json.dumps(unroll(**json.loads(sys.argv[1]))))


def _forget_the_peak(device: str) -> None:
    """What loading the images took must not hide what follows."""
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
    elif RESET.exists():
        if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
            trim(0)  # what is free goes back to the system, not to the next allocation
        RESET.write_text("5", encoding="ascii")


def peak(device: str = "cpu") -> float:
    """The most memory so far in megabytes: of this process, without that of its parent, or of PyTorch's."""
    if device != "cpu":
        return torch.cuda.max_memory_allocated() / 2**20
    if STATUS.is_file():  # Linux counts the parent's peak in `ru_maxrss`
        return int(re.findall(r"VmHWM:\s+(\d+) kB", STATUS.read_text())[0]) / 2**10
    import resource  # not on Windows

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS: bytes
