"""Models on disk: safetensors weights with a JSON header that says what they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from ..errors import CheckpointError, ConfigError, L2OError, did_you_mean
from ..storage import digest, is_draft, replacing
from .base import LearnedOptimizer, parameters_match
from .equation import Equation
from .recurrent import DM, RP, RPSmall, RPSmallExtra
from .sol import SOL

ARCHITECTURES: dict[str, type[LearnedOptimizer]] = {
    model.__name__: model for model in (DM, RP, RPSmall, RPSmallExtra, SOL, Equation)
}
"""The classes that can be saved and loaded, by name."""
_SIZES = ("hidden", "layers", "projection", "copies")
_FAULTS = (
    *(SafetensorError, OSError, KeyError, TypeError, ValueError, AttributeError, ArithmeticError),
    *(RuntimeError, RecursionError, MemoryError),
)
PRETRAINED = Path(__file__).resolve().parent.parent / "pretrained"


def save(path: str | Path, optimizer: LearnedOptimizer, training: Mapping[str, Any] | None = None) -> Path:
    """Write a model with its architecture and training record; the file appears whole or not at all.

    Args:
        path: The file, by custom `.safetensors`.
        optimizer: The model; its class must be one of `ARCHITECTURES`.
        training: JSON values that say how it was trained.

    Returns:
        The path.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = save(f"{folder}/rule.safetensors", Equation("-0.1 * m_hat"))
        ...     print(load(path).equation.rounded(3))
        -0.1 * m_hat
    """
    path = Path(path)
    if type(optimizer).__name__ not in ARCHITECTURES:
        raise ConfigError(
            f"a {type(optimizer).__name__} cannot be saved; it is none of {', '.join(ARCHITECTURES)}"
        )
    header = {
        "architecture": type(optimizer).__name__,
        "options": json.dumps(optimizer.options, default=_plain),
        "features": json.dumps(list(optimizer.features.names)),
        "training": json.dumps(training or {}, default=_plain),
    }
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in optimizer.state_dict().items()}
    header["digest"] = _digest(header, tensors)
    with replacing(path) as draft:
        draft.write_bytes(to_bytes(tensors, metadata=header))
    return path


def load(name: str | Path) -> LearnedOptimizer:
    """Read a model from a file, or a pretrained one by name.

    Args:
        name: A file, or one of `pretrained()`, such as "rp/p2".

    Raises:
        ConfigError: If there is no such model.
        CheckpointError: If the file is damaged or is no model.

    Example:
        >>> type(load("rp_small/p1")).__name__
        'RPSmall'
    """
    path = _find(name)
    header, tensors = _read(path)
    try:
        make = partial(ARCHITECTURES[header["architecture"]], **header["options"])
        _check_sizes(header, tensors)
        with torch.device("meta"):  # shapes without memory
            fits = parameters_match(make(), tensors)
        if fits:
            optimizer = make()
            optimizer.load_state_dict(tensors)
            return optimizer
    except (*_FAULTS, L2OError) as error:
        raise _damaged(path, error) from error
    raise CheckpointError(
        f"{path}: its tensors do not fit a {header['architecture']} with {str(header['options'])[:200]}"
    )


def describe(name: str | Path) -> dict[str, Any]:
    """The header of a model's file: architecture, options, features, training and the number of weights.

    Args:
        name: A file, or one of `pretrained()`.

    Raises:
        ConfigError: If there is no such model.
        CheckpointError: If the file is damaged or is no model.

    Example:
        >>> describe("rp/p2")["weights"]
        6641
    """
    header, tensors = _read(_find(name))
    return header | {"weights": sum(tensor.numel() for tensor in tensors.values())}


def pretrained() -> list[str]:
    """Names of the models that come with the library.

    Example:
        >>> pretrained()[:3]
        ['dm/p1', 'dm/p1-1', 'dm/p1-2']
    """
    found = PRETRAINED.rglob("*.safetensors")
    names = (path.relative_to(PRETRAINED).with_suffix("") for path in found if not is_draft(path))
    return sorted(name.as_posix() for name in names)


def _find(name: str | Path) -> Path:
    for path in (Path(name), PRETRAINED / f"{name}.safetensors"):
        if path.is_file():
            return path
    hint = did_you_mean(str(name), pretrained())
    raise ConfigError(f"no model file and no pretrained model named {str(name)!r}; {hint}")


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The header, its texts decoded, and the tensors."""
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a mapping)
        seal = header.pop("digest", None)  # the files of earlier versions have none
        if seal is not None and seal != _digest(header, tensors):
            raise ValueError("its content is not what was written")
        decoded = {key: json.loads(header[key]) for key in ("options", "features", "training")}
        if [type(value) for value in decoded.values()] != [dict, list, dict]:
            raise ValueError("its header is of another kind")
        if header["architecture"] not in ARCHITECTURES:
            raise ValueError(f"unknown architecture {header['architecture']!r:.60}")
        for name, tensor in tensors.items():
            if not tensor.is_floating_point() or not tensor.isfinite().all():
                raise ValueError(f"{name} does not hold finite numbers")
        return {"architecture": header["architecture"]} | decoded, tensors
    except _FAULTS as error:
        raise _damaged(path, error) from error


def _check_sizes(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """ValueError for options of a model that is larger than these tensors, before it is built."""
    numbers = sum(tensor.numel() for tensor in tensors.values())
    for name, value in header["options"].items():
        counts_modules = name == ("hidden" if header["architecture"] == "SOL" else "layers")
        most = len(tensors) if counts_modules else numbers
        if name in _SIZES and isinstance(value, int) and value > most:
            raise ValueError(f"{name} is {value}, and there are {numbers} weights")


def _digest(header: Mapping[str, str], tensors: Mapping[str, Tensor]) -> str:
    return digest({"header": header, "tensors": tensors})


def _plain(value: Any) -> Any:
    """NumPy's and torch's numbers as JSON values."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise ConfigError(f"a {type(value).__name__} cannot be part of a model's header; give JSON values")


def _damaged(path: Path, error: Exception) -> CheckpointError:
    return CheckpointError(f"{path} is damaged or is not a model of this library: {str(error)[:300]}")
