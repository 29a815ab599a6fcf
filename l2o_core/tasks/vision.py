"""Residual networks (He et al. 2016), also in the form common for images of 32x32 pixels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..errors import ConfigError

_BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def resnet(depth: int = 50, classes: int = 10, stem: str = "cifar") -> nn.Sequential:
    """ResNet-18, 34, 50, 101 or 152: images [B, 3, H, W] -> logits [B, classes].

    From 50 layers on, blocks are bottlenecks that widen by 4. `stem` is "cifar", one 3x3 convolution of
    stride 1, or "imagenet", 7x7 of stride 2 and a max pooling: 16 times cheaper, made for 224x224 pixels.
    """
    if depth not in _BLOCKS:
        raise ConfigError(f"no ResNet has {depth} layers; known depths: {', '.join(map(str, _BLOCKS))}")
    if stem not in _STEMS:
        raise ConfigError(f"unknown stem {stem!r}; known stems: {', '.join(_STEMS)}")
    stages: list[nn.Module] = []
    wide = inner = 64
    for stage, blocks in enumerate(_BLOCKS[depth]):
        for block in range(blocks):
            stride = 2 if stage > 0 and block == 0 else 1
            stages.append(_bottleneck(wide, inner, stride) if depth >= 50 else _basic(wide, inner, stride))
            wide = stages[-1].out_channels
        inner *= 2
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(wide, classes))
    return nn.Sequential(*_STEMS[stem](), *stages, *head)


def _conv_norm(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


class _Residual(nn.Module):
    """relu(body(x) + shortcut(x)); the shortcut is a projection where the shape changes."""

    def __init__(self, body: nn.Module, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.body, self.out_channels = body, outputs
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
    "cifar": lambda: (_conv_norm(3, 64, 3), nn.ReLU()),
    "imagenet": lambda: (_conv_norm(3, 64, 7, stride=2), nn.ReLU(), nn.MaxPool2d(3, 2, padding=1)),
}
