"""How well an optimizer does on instances it has never seen."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from .. import storage
from ..models.base import LearnedOptimizer
from ..tasks.base import Task
from .adjoint import play
from .rollout import Run
from .sampling import nothing


def evaluate(
    optimizer: LearnedOptimizer,
    task: Task,
    *,
    steps: int,
    instances: int = 64,
    seed: int = 0,
    folder: str | Path | None = None,
) -> Tensor:
    """Losses [I, steps + 1] along the way; the same seed gives every optimizer the same instances.

    With a `folder`, the losses are kept there, under a name made from the optimizer's weights, the instances
    and the options; what is there already is read back. Raises CheckpointError for a damaged file.
    """
    run = Run.start(optimizer, task, seed, instances)
    path, identity = None, {}
    if folder is not None:
        identity = {
            "optimizer": storage.digest([*optimizer.state_dict().values()], optimizer.options),
            "instances": storage.digest(
                [run.params, run.loss, run.gradient], {"task": task.name, "seed": seed}
            ),
            "steps": steps,
        }
        path = Path(folder) / f"{storage.digest([], identity)}.pt"
        if path.exists():
            return storage.read(path, identity)["losses"]
    losses = play(optimizer, run, steps, nothing(run.gradient)).losses.T
    if path:
        storage.write(path, {"losses": losses}, identity)
    return losses
