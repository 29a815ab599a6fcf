"""Image classifiers, in the form common for 32x32 pixels: ResNets, MobileNetV2, SOL's ConvNet."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from ..errors import ConfigError, did_you_mean
from ..torchvision_ops import torchvision

_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def resnet(
    depth: int = 50, classes: int = 10, stem: str = "cifar", width: int = 64, channels: int = 3
) -> nn.Sequential:
    """ResNet (He et al. 2016): images `[B, channels, H, W]` to class scores `[B, classes]`.

    Args:
        depth: Layers: 18, 34, 50, 101 or 152. From 50 on, blocks are bottlenecks that widen by 4.
        classes: Number of classes.
        stem: "cifar", one 3x3 convolution of stride 1, or "imagenet", 7x7 of stride 2 and a max pooling: 16
            times cheaper, made for 224x224 pixels.
        width: Channels of the first stage; they double in each of the other three.
        channels: Of the images.

    Raises:
        ConfigError: For another depth or stem.

    Example:
        >>> sum(parameter.numel() for parameter in resnet(18, width=16).parameters())
        701466
    """
    if depth not in _BLOCKS:
        raise ConfigError(f"no ResNet has {depth} layers; known depths: {', '.join(map(str, _BLOCKS))}")
    if stem not in _STEMS:
        raise ConfigError(f"unknown stem {stem!r}; known stems: {', '.join(_STEMS)}")
    stages: list[_Residual] = []
    wide = inner = width
    for stage, blocks in enumerate(_BLOCKS[depth]):
        for block in range(blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            stages.append(_bottleneck(wide, inner, stride) if depth >= 50 else _basic(wide, inner, stride))
            wide = stages[-1].out_channels
        inner *= 2
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(wide, classes))
    return nn.Sequential(*_STEMS[stem](width, channels), *stages, *head)


def mobilenet_v2(classes: int = 10, stem: str = "cifar", width: int = 32, channels: int = 3) -> nn.Module:
    """MobileNetV2 (Sandler et al. 2018): images `[B, channels, H, W]` to class scores `[B, classes]`.

    Args:
        classes: Number of classes.
        stem: "cifar" leaves out the first two of the five halvings of the resolution; "imagenet" has all.
        width: Channels of the first convolution; others are in proportion, in multiples of 8, and the last
            convolution keeps its 1280.
        channels: Of the images.

    Raises:
        ConfigError: For another stem, or without torchvision.
    """
    if stem not in _STEMS:
        raise ConfigError(f"unknown stem {stem!r}; known stems: {', '.join(_STEMS)}")
    halved = 1 if stem == "cifar" else 2
    # expansion, channels, repeats, first stride
    blocks = [(1, 16, 1, 1), (6, 24, 2, halved), (6, 32, 3, 2), (6, 64, 4, 2)]
    blocks += [(6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    models = torchvision("models")
    network = models.mobilenet_v2(
        num_classes=classes, width_mult=width / 32, inverted_residual_setting=[*map(list, blocks)]
    )
    first = network.features[0][0]
    first.stride = (halved, halved)
    if channels != first.in_channels:
        network.features[0][0] = _conv(channels, first.out_channels, 3, halved)
    return network


NETWORKS: dict[str, Callable[..., nn.Module]] = {
    **{f"resnet{depth}": partial(resnet, depth) for depth in _BLOCKS},
    "mobilenet_v2": mobilenet_v2,
}
"""Networks of any width by name; those of SymL2O's Figure 2 are resnet50, resnet152 and mobilenet_v2."""


def network(
    name: str, classes: int = 10, stem: str = "cifar", width: int | None = None, channels: int = 3
) -> nn.Module:
    """A network by its name, at its published width or another.

    Args:
        name: One of `NETWORKS`, such as "resnet50".
        classes: Number of classes.
        stem: "cifar" or "imagenet"; see `resnet` and `mobilenet_v2`.
        width: Channels of the first convolution; None: as published, 64 for ResNets and 32 for MobileNetV2.
        channels: Of the images.

    Raises:
        ConfigError: For an unknown name or stem.

    Example:
        >>> network("resnet18", width=8)(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """
    if name not in NETWORKS:
        raise ConfigError(f"unknown network {name!r}; {did_you_mean(name, NETWORKS)}")
    options = {} if width is None else {"width": width}
    return NETWORKS[name](classes=classes, stem=stem, channels=channels, **options)


def convnet(classes: int = 10, pixels: int = 32, channels: int = 3) -> nn.Sequential:
    """SOL's ConvNet (Sec. 5.2): twice 32 filters of 3x3, ReLU and batch normalisation, then a linear layer.

    Each layer ends in a pooling, of which the paper says nothing and which its code has.

    Args:
        classes: Number of classes.
        pixels: Height and width of the images.
        channels: Of the images.

    Example:
        >>> sum(parameter.numel() for parameter in convnet().parameters())
        30762
    """
    layers: list[nn.Module] = []
    for inputs in (channels, 32):
        layers += [*_filters(inputs, 32), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * (pixels // 4) ** 2, classes))


def convnet_wide(classes: int = 10, pixels: int = 32, channels: int = 3) -> nn.Sequential:
    """SOL's ConvNet as its code builds it: 32 and 64 filters, pooled, and a layer of 1024 sigmoid units.

    Args:
        classes: Number of classes.
        pixels: Height and width of the images.
        channels: Of the images.

    Example:
        >>> sum(parameter.numel() for parameter in convnet_wide().parameters())
        4225162
    """
    layers: list[nn.Module] = []
    for inputs, filters in ((channels, 32), (32, 64)):
        layers += [*_filters(inputs, filters), nn.MaxPool2d(2)]
    hidden = (nn.Linear(64 * (pixels // 4) ** 2, 1024), nn.Sigmoid(), nn.Linear(1024, classes))
    return nn.Sequential(*layers, nn.Flatten(), *hidden)


def _filters(inputs: int, filters: int) -> tuple[nn.Module, ...]:
    """A layer of SOL's ConvNet."""
    return nn.Conv2d(inputs, filters, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(filters)


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return conv


def _conv_norm(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(_conv(inputs, outputs, kernel, stride), nn.BatchNorm2d(outputs))


class _Residual(nn.Module):
    """relu(body(x) + shortcut(x)); the shortcut is a projection where the shape changes."""

    def __init__(self, body: nn.Module, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.body, self.stride = body, stride
        self.out_channels: int = outputs
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else _conv_norm(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        # A 1x1 convolution with a stride reads every second pixel. PyTorch 2.13's own, channels-last on a
        # CPU with fewer than 8 channels, writes beyond its memory.
        seen = x[..., :: self.stride, :: self.stride]
        return torch.relu(self.body(x) + self.shortcut(seen))


def _basic(inputs: int, inner: int, stride: int) -> _Residual:
    body = nn.Sequential(_conv_norm(inputs, inner, 3, stride), nn.ReLU(), _conv_norm(inner, inner, 3))
    return _Residual(body, inputs, inner, stride)


def _bottleneck(inputs: int, inner: int, stride: int) -> _Residual:
    body = nn.Sequential(
        *(_conv_norm(inputs, inner, 1), nn.ReLU()),
        *(_conv_norm(inner, inner, 3, stride), nn.ReLU()),
        _conv_norm(inner, 4 * inner, 1),
    )
    return _Residual(body, inputs, 4 * inner, stride)


_STEMS = {
    "cifar": lambda width, channels: (_conv_norm(channels, width, 3), nn.ReLU()),
    "imagenet": lambda width, channels: (
        *(_conv_norm(channels, width, 7, stride=2), nn.ReLU()),
        nn.MaxPool2d(3, 2, padding=1),
    ),
}
