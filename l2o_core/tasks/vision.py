"""Image classifiers, in the form common for 32x32 pixels: ResNets, MobileNetV2, SOL's ConvNet."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..errors import ConfigError
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


def mobilenet_v2(classes: int = 10, stem: str = "cifar") -> nn.Module:
    """MobileNetV2 (Sandler et al. 2018): images `[B, 3, H, W]` to class scores `[B, classes]`.

    Args:
        classes: Number of classes.
        stem: "cifar" leaves out the first two of the five halvings of the resolution; "imagenet" has all.

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
    network = models.mobilenet_v2(num_classes=classes, inverted_residual_setting=[*map(list, blocks)])
    network.features[0][0].stride = (halved, halved)
    return network


def convnet(classes: int = 10, pixels: int = 32) -> nn.Sequential:
    """SOL's ConvNet (Sec. 4.2): twice 32 filters of 3x3, ReLU and batch normalisation, then a linear layer.

    Args:
        classes: Number of classes.
        pixels: Height and width of the images.
    """
    layers = []
    for inputs in (3, 32):
        layers += [nn.Conv2d(inputs, 32, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(32)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(32 * pixels**2, classes))


def _conv_norm(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


class _Residual(nn.Module):
    """relu(body(x) + shortcut(x)); the shortcut is a projection where the shape changes."""

    def __init__(self, body: nn.Module, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.body = body
        self.out_channels: int = outputs
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else _conv_norm(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + self.shortcut(x))


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
