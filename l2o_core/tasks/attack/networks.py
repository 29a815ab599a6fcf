"""Small classifiers of three shapes, to be trained as defences: images in [0, 1] to class scores."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ...errors import ConfigError, did_you_mean


class _Centred(nn.Module):
    """Pixels from [0, 1] to [-2, 2]: the scale is part of the network, so an attack sees plain pixels."""

    def forward(self, images: Tensor) -> Tensor:
        return 4 * images - 2


class _PreActivation(nn.Module):
    """x + body(relu(norm(x))); where the shape changes, the shortcut averages and projects."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1):
        super().__init__()
        self.norm = nn.BatchNorm2d(inputs)
        self.body = nn.Sequential(
            *(_conv(inputs, outputs, stride), nn.BatchNorm2d(outputs), nn.ReLU()), _conv(outputs, outputs)
        )
        pooled = nn.AvgPool2d(stride) if stride > 1 else nn.Identity()
        same = inputs == outputs and stride == 1
        self.shortcut = (
            nn.Identity() if same else nn.Sequential(pooled, nn.Conv2d(inputs, outputs, 1, bias=False))
        )

    def forward(self, x: Tensor) -> Tensor:
        ready = torch.relu(self.norm(x))
        return self.shortcut(x) + self.body(ready)


def narrow(classes: int = 10, channels: int = 3, width: int = 16) -> nn.Sequential:
    """Narrow and deep: a pre-activation ResNet of four stages with one block each.

    Args:
        classes: Number of classes.
        channels: Of the images.
        width: Channels of the first stage; they double in each of the others.

    Example:
        >>> narrow()(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """
    stages = [_PreActivation(width, width)]
    stages += [_PreActivation(width << stage, width << stage + 1, 2) for stage in range(3)]
    return nn.Sequential(_Centred(), _conv(channels, width), *stages, *_head(8 * width, classes))


def wide(classes: int = 10, channels: int = 3, width: int = 64) -> nn.Sequential:
    """Wide and shallow: half the resolution from the first layer on, and two residual stages.

    Args:
        classes: Number of classes.
        channels: Of the images.
        width: Channels of the first stage; the second has twice as many.

    Example:
        >>> wide()(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """
    stages = _PreActivation(width, width), _PreActivation(width, 2 * width, 2)
    return nn.Sequential(_Centred(), _conv(channels, width, 2), *stages, *_head(2 * width, classes))


def plain(classes: int = 10, channels: int = 3, width: int = 32) -> nn.Sequential:
    """No residual connections: six convolutions with normalisation, in the manner of VGG.

    Args:
        classes: Number of classes.
        channels: Of the images.
        width: Channels of the first convolution; the last two have four times as many.

    Example:
        >>> plain()(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """
    sizes = [(channels, 1, 1), (1, 2, 2), (2, 2, 1), (2, 4, 2), (4, 4, 1)]
    layers: list[nn.Module] = []
    for index, (inputs, outputs, stride) in enumerate(sizes):
        wide_in = inputs if index == 0 else inputs * width
        layers += [_conv(wide_in, outputs * width, stride), nn.BatchNorm2d(outputs * width), nn.ReLU()]
    pooled = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * width, classes))
    return nn.Sequential(_Centred(), *layers, *pooled)


SHAPES: dict[str, Callable[..., nn.Sequential]] = {"narrow": narrow, "wide": wide, "plain": plain}
"""The networks by name."""


def check_shape(shape: str) -> None:
    """Raise ConfigError unless this is the name of a shape."""
    if shape not in SHAPES:
        raise ConfigError(f"unknown shape {shape!r}; {did_you_mean(str(shape), SHAPES)}")


def network(shape: str, classes: int, channels: int, width: int | None = None) -> nn.Sequential:
    """A network by the name of its shape.

    Args:
        shape: One of `SHAPES`.
        classes: Number of classes.
        channels: Of the images.
        width: Channels of the first stage; None: the shape's own.

    Raises:
        ConfigError: For an unknown shape.
    """
    check_shape(shape)
    options = {} if width is None else {"width": width}
    return SHAPES[shape](classes=classes, channels=channels, **options)


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return conv


def _head(inputs: int, classes: int) -> tuple[nn.Module, ...]:
    pooled = nn.AdaptiveAvgPool2d(1), nn.Flatten()
    return (nn.BatchNorm2d(inputs), nn.ReLU(), *pooled, nn.Linear(inputs, classes))
