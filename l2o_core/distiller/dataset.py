"""Trajectories to rows: what an optimizer saw over the last steps, and what it did."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..errors import ConfigError, DataError
from ..features import Features
from ..models.base import LearnedOptimizer, select
from ..storage import replacing

if TYPE_CHECKING:
    from ..tasks import Task


@dataclass(frozen=True)
class Dataset:
    """Windows of trajectories, ready for `distill`.

    `inputs` [n, d] (float64) with `names` such as "g[3]", `targets` [n], and `groups` [n], the trajectory a
    row is from. `memory`: what a recurrent optimizer remembered before each window, [n, ...] each.
    `origin` [n] each: the `task`, `layer` and `step` (1 is the first) that a row's newest gradient is from.
    """

    inputs: np.ndarray
    targets: np.ndarray
    names: list[str]
    groups: np.ndarray
    memory: tuple[Tensor, ...] = ()
    origin: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.targets)

    def save(self, path: str | Path) -> Path:
        """Write the rows as a .npz file, which `l2o distill` reads too, and return the path."""
        arrays: dict[str, Any] = {"inputs": self.inputs, "targets": self.targets}
        arrays |= {"names": self.names, "groups": self.groups}
        arrays |= {f"memory.{index}": part.numpy() for index, part in enumerate(self.memory)}
        arrays |= {f"origin.{key}": values for key, values in self.origin.items()}
        with replacing(path) as draft, draft.open("wb") as file:
            np.savez(file, **arrays)
        return Path(path)

    @classmethod
    def load(cls, path: str | Path) -> Dataset:
        """Rows that `save` wrote. Raises DataError for a file that is missing, damaged or of another kind."""
        arrays = read_arrays(path, ("inputs", "targets", "names", "groups"))
        kept = {key: arrays.pop(key) for key in ("inputs", "targets", "groups")}
        names = [str(name) for name in arrays.pop("names")]
        count = sum(key.startswith("memory.") for key in arrays)
        origin = {key.removeprefix("origin."): arrays[key] for key in arrays if key.startswith("origin.")}
        parts = tuple(torch.from_numpy(arrays[f"memory.{index}"]) for index in range(count))
        return cls(names=names, memory=parts, origin=origin, **kept)

    @classmethod
    def concatenate(cls, parts: Sequence[Dataset]) -> Dataset:
        """Rows of several tasks or seeds as one, trajectories apart. Raises DataError if columns differ."""
        if not parts or any(part.names != parts[0].names for part in parts):
            raise DataError("only data sets with the same columns can be joined")
        labels = [np.unique(part.groups, return_inverse=True) for part in parts]
        first = np.cumsum([0, *(len(names) for names, _ in labels)])
        same = set.intersection(*(set(part.origin) for part in parts))
        return cls(
            inputs=np.concatenate([part.inputs for part in parts]),
            targets=np.concatenate([part.targets for part in parts]),
            names=parts[0].names,
            groups=np.concatenate([start + at for start, (_, at) in zip(first, labels, strict=False)]),
            memory=tuple(torch.cat(pieces) for pieces in zip(*(part.memory for part in parts), strict=True)),
            origin={key: np.concatenate([part.origin[key] for part in parts]) for key in sorted(same)},
        )


def read_arrays(path: str | Path, needed: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """The arrays of a .npz file by name. Raises DataError if it is no such file, or lacks one of `needed`."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except FileNotFoundError:
        raise DataError(f"no file {path}") from None
    except (OSError, ValueError, AttributeError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is not a .npz file of plain arrays ({error})") from None
    if missing := [key for key in needed if key not in arrays]:
        raise DataError(f"{path} has no {' and no '.join(missing)}; it has: {', '.join(arrays) or 'nothing'}")
    return arrays


def collect(
    optimizer: LearnedOptimizer,
    task: Task,
    lags: int = 20,
    samples: int = 5000,
    seed: int = 0,
    *,
    steps: int = 100,
    instances: int = 16,
    per_layer: int = 10,
    time: bool = False,
    features: Features | None = None,
) -> Dataset:
    """Let an optimizer work on fresh instances of a task; sample windows of `lags` steps (SymL2O 3.4).

    Inputs are the optimizer's own features, or `features`; targets its updates. `per_layer` coordinates of
    each layer of each instance are watched; an instance is one trajectory, and those that diverge are left
    out. With `time` the step count `t` is one more column. Raises `DataError` where a rollout is too short,
    or nothing finite is left.
    """
    _check_windows(lags, steps)
    generator = torch.Generator().manual_seed(seed)
    params = task.init(generator, instances)
    watched, layers = _coordinates(task, instances, per_layer, generator)
    state, split = optimizer.init_state(params.flatten()), len(optimizer.features.state_names)
    own, shown = features is None, features or optimizer.features
    seen = shown.init(params.flatten()[watched])
    history, updates, memories = [], [], []
    batches = iter(task.batches(generator, instances))
    with torch.no_grad():
        for _ in range(steps):
            _, gradient = task.loss_and_gradient(params, next(batches))
            before = select(state, watched, params.dtype)
            inputs, seen = shown.step(gradient.flatten()[watched], before[:split] if own else seen)
            history.append(inputs)
            remembered = before[split:] if own else ()
            memories.append([part.expand(len(watched), *part.shape[1:]) for part in remembered])
            update, state = optimizer.advance(gradient.flatten(), state)
            updates.append(update[watched])
            params = params + update.view_as(params)
    inputs, targets = torch.stack(history), torch.stack(updates)  # [T, K, F], [T, K]
    trajectory = watched // task.n
    broken = trajectory[~(inputs.isfinite().all(-1) & targets.isfinite()).all(0)].unique()
    kept = ~torch.isin(trajectory, broken)
    if not kept.any():
        raise DataError(f"every one of {instances} trajectories on {task.name} diverged; nothing to distil")
    data = sample_windows(
        dict(zip(shown.names, inputs[:, kept].unbind(-1), strict=True)),
        targets[:, kept],
        trajectory[kept],
        lags=lags,
        samples=samples,
        seed=seed,
        memory=tuple(torch.stack(part)[:, kept] for part in zip(*memories, strict=True)),
        layers=layers[kept.numpy()],
        time=time,
    )
    return replace(data, origin={**data.origin, "task": np.full(len(data), task.name)})


def sample_windows(
    features: Mapping[str, Tensor],
    targets: Tensor,
    groups: Tensor,
    *,
    lags: int = 20,
    samples: int = 5000,
    seed: int = 0,
    memory: tuple[Tensor, ...] = (),
    layers: np.ndarray | None = None,
    time: bool = False,
) -> Dataset:
    """Sample windows of `lags` steps, without repetition, from histories [T, N] of N coordinates.

    Lags that reach before the first step read 0, as they do when an equation runs: the first steps, with
    their large gradients, are where a rule must not fail. `targets` [T, N]; `groups` [N]; `memory`: what was
    remembered before each step, [T, N, ...] each; `layers` [N]: the layers that coordinates are from.
    """
    steps, coordinates = targets.shape
    _check_windows(lags, steps)
    if samples > steps * coordinates:
        raise DataError(
            f"{samples} windows asked for, {steps * coordinates} exist ({coordinates} coordinates, "
            f"{steps} steps): record more steps or coordinates"
        )
    pick = np.random.default_rng(seed).choice(steps * coordinates, samples, replace=False)
    end, at = torch.tensor(pick // coordinates), torch.tensor(pick % coordinates)
    past = {name: torch.cat([x.new_zeros(lags - 1, coordinates), x]) for name, x in features.items()}
    columns = {
        f"{name}[{lag}]": x[end + lags - 1 - lag, at] for name, x in past.items() for lag in range(lags)
    }
    if time:
        columns["t"] = (end + 1).to(targets)
    begin = (end - lags + 1).clamp_min(0)
    origin = {"step": (end + 1).numpy()} | ({} if layers is None else {"layer": layers[at.numpy()]})
    return Dataset(
        inputs=torch.stack(list(columns.values()), dim=1).double().numpy(),
        targets=targets[end, at].double().numpy(),
        names=list(columns),
        groups=groups[at].numpy(),
        memory=tuple(part[begin, at] for part in memory),
        origin=origin,
    )


def _check_windows(lags: int, steps: int) -> None:
    if lags < 1:
        raise ConfigError(f"a window has 1 lag or more, not {lags}")
    if lags > steps:
        raise DataError(f"windows of {lags} lags need {lags} steps or more, the trajectory has {steps}")


def _coordinates(
    task: Task, instances: int, per_layer: int, generator: torch.Generator
) -> tuple[Tensor, np.ndarray]:
    """Which of all coordinates [I * n] to watch, others in every instance, and the layers they are from."""
    chosen, names, start = [], [], 0
    for name, size in task.layers.items():
        few = min(per_layer, size)
        inside = torch.rand(instances, size, generator=generator).topk(few).indices
        chosen.append(start + inside + task.n * torch.arange(instances)[:, None])
        names += [name] * few
        start += size
    return torch.cat(chosen, dim=1).flatten(), np.tile(names, instances)
