"""Memory for what a rule keeps: dozens of rows that every step reads side by side, from end to end."""

from __future__ import annotations

import mmap
from collections.abc import Sequence

import torch
from torch import Tensor

HUGE_PAGE = 1 << 21
LINE = 64  # bytes that a processor fetches at once


def rows(values: Sequence[float], size: int, dtype: torch.dtype, device: torch.device) -> list[Tensor]:
    """Rows [size], each filled with its value.

    On a CPU, Linux is asked for huge pages: with ordinary ones a step over dozens of rows spends a third of
    its time looking up where they are. Rows of many megabytes begin at such a page, which is faster still.
    """
    width = size * dtype.itemsize
    if device.type != "cpu" or len(values) * width < HUGE_PAGE or not hasattr(mmap, "MADV_HUGEPAGE"):
        return [torch.full((size,), value, dtype=dtype, device=device) for value in values]
    pitch = _multiple(width, HUGE_PAGE if width >= 4 * HUGE_PAGE else LINE)
    kind = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    memory = mmap.mmap(-1, len(values) * pitch + HUGE_PAGE, flags=kind)  # freed with the last row
    memory.madvise(mmap.MADV_HUGEPAGE)
    first = -torch.frombuffer(memory, dtype=torch.uint8).data_ptr() % HUGE_PAGE
    starts = range(first, first + len(values) * pitch, pitch)
    found = [torch.frombuffer(memory, dtype=dtype, count=size, offset=start) for start in starts]
    return [row.fill_(value) for row, value in zip(found, values, strict=True)]


def _multiple(count: int, of: int) -> int:
    return -(-count // of) * of
