"""From trajectories to rows: an optimizer's features over the last steps, and its update."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from .. import arguments
from ..errors import DataError
from ..features import Features
from ..meta.given import one_task
from ..meta.rollout import Rollout, fresh
from ..models.base import LearnedOptimizer, placed, select
from ..storage import replacing

if TYPE_CHECKING:
    from ..tasks import Task


@dataclass(frozen=True)
class Dataset:
    """Rows to distil: windows of an optimizer's trajectories, each with the update that ended it.

    Args:
        inputs: Features in the window, `[n, d]`, float64.
        targets: Updates, `[n]`.
        names: Names of the columns of `inputs`, such as "g[3]", the gradient three steps ago.
        groups: The trajectory that each row is from, `[n]`; `distill` holds out whole trajectories.
        memory: Recurrent state of the optimizer at the beginning of each window, `[n, ...]` each.
        origin: Where the newest gradient of each row is from, by key: `task`, `layer` and `step` (1 is the
            first), `[n]` each.

    Raises:
        DataError: For inputs that are no table, or other parts that are not one for each row or column of it.

    Example:
        >>> rows = Dataset(np.eye(3), np.arange(3.0), ["g[0]", "g[1]", "g[2]"], groups=np.array([0, 0, 1]))
        >>> len(rows), len(Dataset.concatenate([rows, rows]))
        (3, 6)
    """

    inputs: np.ndarray
    targets: np.ndarray
    names: list[str]
    groups: np.ndarray
    memory: tuple[Tensor, ...] = ()
    origin: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(table := np.shape(self.inputs)) != 2:
            raise DataError(f"inputs must be [n, d], rows by columns, not {list(table)}")
        if len(self.names) != table[1]:
            raise DataError(f"names must hold one for each of {table[1]} columns, not {len(self.names)}")
        parts = {"targets": self.targets, "groups": self.groups}
        parts |= {f"origin {key!r}": values for key, values in self.origin.items()}
        shapes = {name: np.shape(values) for name, values in parts.items()}
        for name, shape in shapes.items():
            if shape != table[:1]:
                raise DataError(f"{name} must be [n] = [{table[0]}], as the inputs, not {list(shape)}")
        for index, part in enumerate(self.memory):
            if part.shape[:1] != table[:1]:
                raise DataError(
                    f"memory {index} must be [n, ...] = [{table[0]}, ...], as the inputs, not {[*part.shape]}"
                )

    def __len__(self) -> int:
        return len(self.targets)

    def save(self, path: str | Path) -> Path:
        """Write the rows as a .npz file, which `l2o distill` reads too, and return the path.

        Labels that are objects, such as the text of pandas, become text.
        """
        arrays: dict[str, Any] = {"inputs": self.inputs, "targets": self.targets}
        arrays |= {"names": self.names, "groups": _labels(self.groups)}
        arrays |= {f"memory.{index}": part.numpy() for index, part in enumerate(self.memory)}
        arrays |= {f"origin.{key}": _labels(values) for key, values in self.origin.items()}
        with replacing(path) as draft, draft.open("wb") as file:
            np.savez(file, **arrays)
        return Path(path)

    @classmethod
    def load(cls, path: str | Path) -> Dataset:
        """Read rows that `save` wrote.

        Raises:
            DataError: If the file is missing, damaged or of another kind.
        """
        arrays = read_arrays(path, ("inputs", "targets", "names", "groups"))
        columns = {key: arrays.pop(key) for key in ("inputs", "targets", "groups")}
        names = [str(name) for name in arrays.pop("names")]
        count = sum(key.startswith("memory.") for key in arrays)
        origin = {key.removeprefix("origin."): arrays[key] for key in arrays if key.startswith("origin.")}
        parts = tuple(torch.from_numpy(arrays[f"memory.{index}"]) for index in range(count))
        try:
            return cls(names=names, memory=parts, origin=origin, **columns)
        except DataError as error:
            raise DataError(f"{path} does not hold the rows of one data set: {error}") from None

    @classmethod
    def concatenate(cls, parts: Sequence[Dataset]) -> Dataset:
        """Rows of several tasks or seeds as one data set; trajectories of different parts stay different.

        Keys of `origin` that a part lacks are left out, and so is the memory where optimizers of other kinds
        have other ones.

        Raises:
            DataError: If the columns of the parts differ, or there is no part.
        """
        if not parts:
            raise DataError("there are no data sets to join: give one or more")
        if any(part.names != parts[0].names for part in parts):
            raise DataError("only data sets with the same columns can be joined")
        same = set.intersection(*(set(part.origin) for part in parts))
        kinds = {tuple(piece.shape[1:] for piece in part.memory) for part in parts}
        memories = zip(*(part.memory for part in parts), strict=True) if len(kinds) == 1 else ()
        return cls(
            inputs=np.concatenate([part.inputs for part in parts]),
            targets=np.concatenate([part.targets for part in parts]),
            names=parts[0].names,
            groups=joined_groups([part.groups for part in parts]),
            memory=tuple(torch.cat(pieces) for pieces in memories),
            origin={key: np.concatenate([part.origin[key] for part in parts]) for key in sorted(same)},
        )


def joined_groups(parts: Sequence[np.ndarray]) -> np.ndarray:
    """The labels of several recordings as numbers, in their order; those of different parts are different."""
    labels = [np.unique(groups, return_inverse=True) for groups in parts]
    starts = np.cumsum([0, *(len(names) for names, _ in labels[:-1])])
    return np.concatenate([start + at for start, (_, at) in zip(starts, labels, strict=True)])


def _labels(values: np.ndarray) -> np.ndarray:
    """Labels that a file can hold, as objects cannot be read back safely: these as text."""
    found = np.asarray(values)
    return found.astype(str) if found.dtype.kind == "O" else found


def read_arrays(
    path: str | Path, needed: Sequence[str] = (), optional: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """The arrays of a .npz file by name. Raises DataError if it is no such file, or lacks one of `needed`.

    Those that are `optional` are left out, with a warning, where they hold objects, which are not unpickled.
    """
    arrays = {}
    try:
        with np.load(path, allow_pickle=False) as file:
            for key in file.files:
                try:
                    arrays[key] = file[key]
                except ValueError:
                    if key not in optional:
                        raise
                    note = f"{path}: {key} holds objects, which are not read; save it as an array of text"
                    warnings.warn(note, stacklevel=2)
    except FileNotFoundError:
        raise DataError(f"no file {path}") from None
    except Exception as error:  # a damaged archive may fail in any way: in its headers, compression, sizes
        reason = "it holds objects, or is of another kind" if "pickle" in str(error) else error
        raise DataError(f"{path} is not a .npz file of plain arrays ({reason})") from None
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
    """Run an optimizer on fresh instances of a task, and sample windows of its trajectories (SymL2O 3.4).

    Each instance is one trajectory; those that diverge are left out.

    Args:
        optimizer: The optimizer to record.
        task: The optimizee; its device is where the work is done.
        lags: Steps in a window: inputs reach from lag 0, now, to lag `lags - 1`.
        samples: Number of windows, drawn without repetition.
        seed: Seed of instances, batches, recorded coordinates and windows.
        steps: Steps of the rollout.
        instances: Number of instances that are optimized.
        per_layer: Number of coordinates that are recorded in each layer of each instance, other ones in every
            instance.
        time: Whether the step count `t` is one more column.
        features: Features to record as inputs; by default the optimizer's own, and with them the optimizer's
            recurrent state at the beginning of each window.

    Returns:
        The windows; targets are the optimizer's updates.

    Raises:
        ConfigError: For fewer than one lag, sample, step, instance or coordinate of a layer.
        DataError: If the rollout has fewer steps than `lags`, or fewer windows than `samples`, or if every
            trajectory diverges.

    Example:
        >>> from l2o_core import models, tasks
        >>> rule = models.Equation("-0.01 * g - 0.005 * g[1]")
        >>> data = collect(rule, tasks.load("p1"), lags=2, samples=100, steps=10, instances=4)
        >>> data.names, data.inputs.shape, data.targets.shape
        (['g[0]', 'g[1]'], (100, 2), (100,))
        >>> bool(np.allclose(data.targets, data.inputs @ [-0.01, -0.005], rtol=1e-4))
        True
    """
    _check_windows(lags, steps, samples)
    seed = arguments.seed("seed", seed)
    optimizer, generator = placed(optimizer, one_task(task).device), task.generator(seed)
    params = fresh(task, generator, instances)
    recorded, layers = choose_coordinates(task, instances, per_layer, generator)
    rollout = Rollout.start_at(params, optimizer, task, task.batches(generator, instances))
    own, split = features is None, len(optimizer.features.state_names)
    shown = features or optimizer.features
    feature_state = shown.init(params.view(-1)[recorded])
    inputs, updates, memories = [], [], []
    with torch.no_grad():
        for _ in range(steps):
            state = select(rollout.state, recorded, params.dtype)
            values, feature_state = shown.step(
                rollout.gradient[recorded], state[:split] if own else feature_state
            )
            memory = state[split:] if own else ()
            inputs.append(values)
            memories.append([part.expand(len(recorded), *part.shape[1:]) for part in memory])
            updates.append(rollout.step(optimizer)[recorded])
    history, targets = torch.stack(inputs).cpu(), torch.stack(updates).cpu()  # [T, K, F], [T, K]
    trajectory = recorded // task.n
    finite = of_finite_runs(history, targets, trajectory, task)
    data = sample_windows(
        dict(zip(shown.names, history[:, finite].unbind(-1), strict=True)),
        targets[:, finite],
        trajectory[finite],
        lags=lags,
        samples=samples,
        seed=seed,
        memory=tuple(torch.stack(part).cpu()[:, finite] for part in zip(*memories, strict=True)),
        layers=layers[finite.numpy()],
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
    """Sample windows of `lags` steps from recorded trajectories of N coordinates over T steps.

    Lags that reach before the first step read 0, as they do when an equation runs: the first steps, with
    their large gradients, are where a rule must not fail.

    Args:
        features: Histories `[T, N]` by name.
        targets: Updates `[T, N]`.
        groups: The trajectory that each coordinate belongs to, `[N]`.
        lags: Steps in a window.
        samples: Number of windows, drawn without repetition.
        seed: Seed of the draw.
        memory: Recurrent state before each step, `[T, N, ...]` each.
        layers: Layer that each coordinate is from, `[N]`.
        time: Whether the step count `t` is one more column.

    Raises:
        ConfigError: For fewer than one lag or sample, or a negative seed.
        DataError: If T is less than `lags`, there are fewer windows than `samples`, or shapes differ.

    Example:
        >>> g = torch.arange(6.0).view(3, 2)
        >>> rows = sample_windows({"g": g}, -g, torch.tensor([0, 1]), lags=2, samples=6)
        >>> rows.inputs[rows.targets == -5].tolist()
        [[5.0, 3.0]]
    """
    _check_histories(features, targets, groups, memory, layers)
    steps, coordinates = targets.shape
    _check_windows(lags, steps, samples)
    seed = arguments.seed("seed", seed)
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


def _check_histories(
    features: Mapping[str, Tensor],
    targets: Tensor,
    groups: Tensor,
    memory: tuple[Tensor, ...],
    layers: np.ndarray | None,
) -> None:
    if targets.dim() != 2:
        raise DataError(f"targets must be [T, N], steps by coordinates, not {[*targets.shape]}")
    both, coordinates = tuple(targets.shape), tuple(targets.shape[1:])
    shapes = {name: (tuple(x.shape), both) for name, x in features.items()}
    shapes |= {f"memory {index}": (tuple(x.shape[:2]), both) for index, x in enumerate(memory)}
    shapes["groups"] = tuple(groups.shape), coordinates
    if layers is not None:
        shapes["layers"] = np.shape(layers), coordinates
    for name, (shape, wanted) in shapes.items():
        if shape != wanted:
            raise DataError(f"{name} must be {[*wanted]}, as the targets {[*both]}, not {[*shape]}")


def _check_windows(lags: int, steps: int, samples: int) -> None:
    for name, value in (("lags", lags), ("steps", steps), ("samples", samples)):
        arguments.whole(name, value, 1)
    if lags > steps:
        raise DataError(f"windows of {lags} lags need {lags} steps or more, the trajectory has {steps}")


def of_finite_runs(history: Tensor, updates: Tensor, runs: Tensor, task: Task) -> Tensor:
    """Which coordinates [K] are of runs that stay finite; a run is left out as a whole.

    The history is `[T, K, F]`, the updates are `[T, K]`, the runs `[K]`. Raises DataError if all diverged.
    """
    diverged = runs[~(history.isfinite().all(-1) & updates.isfinite()).all(0)].unique()
    finite = ~torch.isin(runs, diverged)
    if not finite.any():
        raise DataError(
            f"every one of {len(diverged)} trajectories on {task.name} diverged; nothing to distil"
        )
    return finite


def choose_coordinates(
    task: Task, instances: int, per_layer: int, generator: torch.Generator
) -> tuple[Tensor, np.ndarray]:
    """Coordinates to record, out of I * n, others in every instance, and the layers they are from.

    ConfigError for fewer than one instance or coordinate.
    """
    arguments.whole("instances", instances, 1), arguments.whole("per_layer", per_layer, 1)
    chosen, names, start = [], [], 0
    for name, size in task.layers.items():
        few = min(per_layer, size)
        inside = torch.rand(instances, size, generator=generator).topk(few).indices
        chosen.append(start + inside + task.n * torch.arange(instances)[:, None])
        names += [name] * few
        start += size
    return torch.cat(chosen, dim=1).flatten(), np.tile(names, instances)
