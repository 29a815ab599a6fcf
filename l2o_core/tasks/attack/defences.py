"""Classifiers to attack: those that come with the library, files of such, and RobustBench's."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from ... import data, torchvision_ops
from ...errors import CheckpointError, ConfigError, DataError, did_you_mean
from ...storage import digest, is_draft, replacing
from ..trial import check_shape
from .networks import SHAPES, network

PRETRAINED = Path(__file__).resolve().parent / "pretrained"  # apart from the learned optimizers
_FAULTS = (SafetensorError, OSError, KeyError, TypeError, ValueError, AttributeError, RuntimeError)


@dataclass(frozen=True, eq=False)
class Defence:
    """A classifier in evaluation mode, and what it classifies.

    Args:
        name: For tables.
        module: Images `[B, C, H, W]` with pixels in [0, 1] to class scores `[B, classes]`.
        dataset: Name of its data, as `data.load` knows it.
        classes: Number of classes.
        shape: Of one image, `(C, H, W)`.
        training: JSON values that say how it was trained.
    """

    name: str
    module: nn.Module
    dataset: str
    classes: int
    shape: tuple[int, int, int]
    training: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.module.eval().requires_grad_(False)

    @classmethod
    def of(cls, module: nn.Module, name: str, images: data.ImageData, training: dict[str, Any]) -> Defence:
        """The defence that was trained on these images."""
        channels, height, width = images.images.shape[1:]
        dataset = str(training["dataset"])
        return cls(name, module, dataset, images.classes, (channels, height, width), training)

    @property
    def device(self) -> torch.device:
        """Where its weights are, and images have to be."""
        return next(self.module.parameters()).device

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Name and weights, as a key for `storage.Cache`."""
        return {"defence": self.name, "weights": digest(dict(self.module.state_dict()))}

    def scores(self, images: Tensor) -> Tensor:
        """Class scores `[B, classes]` of images `[B, C, H, W]` in [0, 1].

        Raises:
            DataError: For images of another shape.
            ConfigError: For a module that does not give a score for each class.
        """
        if images.shape[1:] != self.shape:
            raise DataError(
                f"{self.name} classifies images {list(self.shape)}, not {list(images.shape[1:])}; "
                f"give images of {self.dataset}"
            )
        scores: Tensor = self.module(images.contiguous(memory_format=torch.channels_last))
        check_shape(self.name, scores, len(images), self.classes)
        return scores

    @torch.no_grad()
    def right(self, images: Tensor, labels: Tensor, batch: int = 500) -> Tensor:
        """Whether each image `[B, C, H, W]` is classified as its label `[B]` says, `[B]`."""
        parts = zip(images.split(batch), labels.split(batch), strict=True)
        return torch.cat([self.scores(x).argmax(-1) == y for x, y in parts])

    def save(self, path: str | Path) -> Path:
        """Write the network in half precision, with how it was trained in its header.

        Raises:
            ConfigError: For a network that is none of `SHAPES`.
        """
        path, shape = Path(path), self.training.get("shape")
        if shape not in SHAPES:
            raise ConfigError(f"{self.name} is none of {', '.join(SHAPES)}, so it cannot be saved")
        header = {"shape": json.dumps(self.shape), "classes": json.dumps(self.classes)}
        header["training"] = json.dumps(self.training)
        tensors = {
            key: value.detach().half().contiguous() if value.is_floating_point() else value
            for key, value in self.module.state_dict().items()
        }
        header["digest"] = digest({"header": header, "tensors": tensors})
        with replacing(path) as draft:
            draft.write_bytes(to_bytes(tensors, metadata=header))
        return path


def pretrained() -> list[str]:
    """Names of the defences that come with the library.

    Example:
        >>> all(name in SHAPES for name in pretrained())
        True
    """
    return sorted(path.stem for path in PRETRAINED.glob("*.safetensors") if not is_draft(path))


def load(name: str | Path) -> Defence:
    """A defence that comes with the library, or one from a file that `Defence.save` wrote.

    Args:
        name: One of `pretrained()`, or a file.

    Raises:
        ConfigError: If there is no such defence.
        CheckpointError: If the file is damaged or holds something else.
    """
    paths = (PRETRAINED / f"{name}.safetensors", Path(name))
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise ConfigError(f"no defence {str(name)!r}; {did_you_mean(str(name), pretrained())}")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a mapping)
        seal = header.pop("digest", None)
        if seal != digest({"header": header, "tensors": tensors}):
            raise ValueError("its content is not what was written")
        training, shape = json.loads(header["training"]), json.loads(header["shape"])
        classes = int(header["classes"])
        module = network(training["shape"], classes, shape[0], training["width"])
        module.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in tensors.items()})
        module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in the stubs
        channels, height, width = shape
        return Defence(path.stem, module, training["dataset"], classes, (channels, height, width), training)
    except _FAULTS as error:
        raise CheckpointError(f"{path} is damaged or is no defence: {str(error)[:200]}") from error


def robustbench(name: str, folder: str | Path | None = None) -> Defence:
    """A defence of RobustBench on CIFAR-10, such as "Carmon2019Unlabeled" (SOL 5.3), under its l_inf models.

    Args:
        name: As RobustBench's leaderboard has it.
        folder: Where its weights lie or are downloaded to; None: `models`, RobustBench's own default.

    Raises:
        ConfigError: Where the package `robustbench` cannot be imported, or for a name that it does not know.
        DataError: Where the weights are not in the folder and cannot be downloaded.
    """
    torchvision_ops.prepare()
    try:
        from robustbench.utils import load_model
    except ImportError as error:
        raise ConfigError(
            f"{name} is a model of RobustBench, whose package cannot be imported here ({error}); "
            "install it from https://github.com/RobustBench/robustbench, or take one of ours: "
            + ", ".join(pretrained() or SHAPES)
        ) from error
    try:
        module = load_model(name, model_dir=str(folder or "models"), dataset="cifar10", threat_model="Linf")
    except KeyError as error:
        raise ConfigError(f"RobustBench has no l_inf defence {name!r} for CIFAR-10") from error
    except Exception as error:  # downloads fail in many ways
        raise DataError(
            f"cannot load {name} ({str(error)[:200]}); put its weights into "
            f"{folder or 'models'}/cifar10/Linf/{name}.pt"
        ) from error
    return Defence(name, module, "cifar10", 10, (3, 32, 32), {"dataset": "cifar10"})
