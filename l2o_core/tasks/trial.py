"""A module of the user's, tried once before anything is trained."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ..errors import ConfigError


@torch.no_grad()
def check_scores(name: str, module: nn.Module, inputs: tuple[Any, ...], count: int, classes: int) -> None:
    """Run a module, which has to give class scores `[count, classes]`; ConfigError for any other outcome."""
    try:
        scores = module(*inputs)
    except Exception as error:
        raise ConfigError(
            f"the module of {name} fails on its data ({type(error).__name__}: {str(error)[:200]}); "
            f"build one that takes them and gives scores [{count}, {classes}]"
        ) from error
    check_shape(name, scores, count, classes)


def check_shape(name: str, scores: Any, count: int, classes: int) -> None:
    """ConfigError unless what a module gave are class scores `[count, classes]`."""
    shape = list(scores.shape) if isinstance(scores, torch.Tensor) else f"a {type(scores).__name__}"
    if shape != [count, classes]:
        raise ConfigError(
            f"the module of {name} gives {shape} where scores [{count}, {classes}] are needed, one for each "
            "class; build one that gives these"
        )
