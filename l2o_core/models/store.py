"""Models on disk: safetensors weights with a JSON header that says what they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from ..errors import CheckpointError, ConfigError, did_you_mean
from ..storage import replacing
from .base import LearnedOptimizer, parameters_match
from .equation import Equation
from .recurrent import DM, RP, RPSmall, RPSmallExtra
from .sol import SOL

ARCHITECTURES: dict[str, type[LearnedOptimizer]] = {
    model.__name__: model for model in (DM, RP, RPSmall, RPSmallExtra, SOL, Equation)
}
"""The classes that can be saved and loaded, by name."""
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
    header = {
        "architecture": type(optimizer).__name__,
        "options": json.dumps(optimizer.options),
        "features": json.dumps(list(optimizer.features.names)),
        "training": json.dumps(training or {}),
    }
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in optimizer.state_dict().items()}
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
        optimizer = ARCHITECTURES[header["architecture"]](**header["options"])
    except (KeyError, TypeError, ConfigError) as error:
        raise _damaged(path, error) from error
    if not parameters_match(optimizer, tensors):
        raise CheckpointError(
            f"{path}: its tensors do not fit a {header['architecture']} with {header['options']}"
        )
    optimizer.load_state_dict(tensors)
    return optimizer


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
        ['dm/p1', 'dm/p2', 'dm/p4']
    """
    found = PRETRAINED.rglob("*.safetensors")
    return sorted(path.relative_to(PRETRAINED).with_suffix("").as_posix() for path in found)


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
        decoded = {key: json.loads(header[key]) for key in ("options", "features", "training")}
        return {"architecture": header["architecture"]} | decoded, tensors
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> CheckpointError:
    return CheckpointError(f"{path} is damaged or is not a model of this library: {error}")
