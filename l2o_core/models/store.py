"""Models on disk: safetensors weights with a JSON header that says what they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..errors import CheckpointError, ConfigError
from ..storage import replacing
from .base import LearnedOptimizer, parameters_match
from .equation import Equation
from .recurrent import DM, RP, RPSmall, RPSmallExtra
from .sol import SOL

ARCHITECTURES: dict[str, type[LearnedOptimizer]] = {
    model.__name__: model for model in (DM, RP, RPSmall, RPSmallExtra, SOL, Equation)
}
PRETRAINED = Path(__file__).resolve().parent.parent / "pretrained"


def write(path: str | Path, model: LearnedOptimizer, training: dict[str, Any] | None = None) -> Path:
    """Save a model with its architecture and training record; the file appears whole or not at all."""
    path = Path(path)
    header = {
        "architecture": type(model).__name__,
        "options": json.dumps(model.options),
        "features": json.dumps(list(model.features.names)),
        "training": json.dumps(training or {}),
    }
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    with replacing(path) as draft:
        draft.write_bytes(save(tensors, metadata=header))
    return path


def load(name: str | Path) -> LearnedOptimizer:
    """A model from a file, or a pretrained one by name ("dm/p1").

    Raises ConfigError if there is no such model, CheckpointError if the file is damaged or is no model.
    """
    path = _find(name)
    header, tensors = _read(path)
    try:
        model = ARCHITECTURES[header["architecture"]](**header["options"])
    except (KeyError, TypeError, ConfigError) as error:
        raise _damaged(path, error) from error
    if not parameters_match(model, tensors):
        raise CheckpointError(
            f"{path}: its tensors do not fit a {header['architecture']} with {header['options']}"
        )
    model.load_state_dict(tensors)
    return model


def describe(name: str | Path) -> dict[str, Any]:
    """What a model's file says of it: architecture, options, features and training, the number of weights.

    Raises what `load` raises.
    """
    header, tensors = _read(_find(name))
    return header | {"weights": sum(tensor.numel() for tensor in tensors.values())}


def pretrained() -> list[str]:
    """Names of the models that come with the library."""
    found = PRETRAINED.rglob("*.safetensors")
    return sorted(path.relative_to(PRETRAINED).with_suffix("").as_posix() for path in found)


def _find(name: str | Path) -> Path:
    for path in (Path(name), PRETRAINED / f"{name}.safetensors"):
        if path.is_file():
            return path
    known = ", ".join(pretrained()) or "none yet"
    raise ConfigError(f"no model file and no pretrained model named {str(name)!r}; pretrained: {known}")


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
