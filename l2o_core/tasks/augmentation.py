"""Random shifts and mirror images of small images, computed on the device of the images."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad


def shift_and_mirror(images: Tensor, generator: torch.Generator, margin: int = 4) -> Tensor:
    """Shift each image `[..., C, H, W]` by up to `margin` pixels either way, and mirror half of them.

    That is the usual augmentation (He et al. 2016, 4.2); borders are black. Random numbers come from the CPU,
    so that a seed draws the same ones for every device.
    """
    *lead, channels, height, width = images.shape
    flat = images.reshape(-1, channels, height, width)
    count, device = len(flat), images.device
    down, right = torch.randint(2 * margin + 1, (2, count, 1), generator=generator).to(device)
    mirrored = torch.rand(count, 1, generator=generator).to(device) < 0.5
    rows = down + torch.arange(height, device=device)  # [B, H]
    columns = torch.arange(width, device=device)
    columns = right + torch.where(mirrored, columns.flip(0), columns)  # [B, W]
    which = torch.arange(count, device=device)
    wide = pad(flat, (margin,) * 4)
    chosen = wide[which[:, None, None], :, rows[:, :, None], columns[:, None, :]]  # [B, H, W, C]
    return chosen.movedim(-1, 1).reshape(*lead, channels, height, width)
