"""Import torchvision also where its compiled operators cannot load.

torchvision's wheel is compiled against one build of torch. Beside another (a CPU build, say) its library
does not load, and the import then fails on registering meta kernels for `nms` and `qnms`. Nothing here uses
those detection operators, so declaring their schemas is enough.
"""

from __future__ import annotations

import importlib
from contextlib import suppress
from types import ModuleType

import torch

from .errors import ConfigError, optional_import

_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_libraries: list[torch.library.Library] = []  # a torch library unregisters its operators when it is collected


def torchvision(submodule: str) -> ModuleType:
    """Import `torchvision.<submodule>`, such as `torchvision("datasets").MNIST`.

    Raises:
        ConfigError: If torchvision is not installed.
    """
    with optional_import(f"torchvision.{submodule}", extra="distill"):
        try:
            importlib.import_module("torchvision")
        except RuntimeError as error:
            if "torchvision::" not in str(error):
                raise
            _declare()
        return importlib.import_module(f"torchvision.{submodule}")


def prepare() -> None:
    """Let another package import torchvision itself; nothing happens where it is not installed."""
    with suppress(ConfigError):
        torchvision("models")


def _declare() -> None:
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name, schema in _SCHEMAS.items():
        if not hasattr(torch.ops.torchvision, name):
            library.define(schema)
    _libraries.append(library)
