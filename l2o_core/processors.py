"""How many processors this process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

QUOTA = Path("/sys/fs/cgroup/cpu.max")


def processors() -> int:
    """The number of processors that this process may use, 1 or more.

    That is its affinity where the system knows one (macOS and Windows know none), else all processors; and no
    more than a container's quota of processor time.

    Example:
        >>> processors() >= 1
        True
    """
    affinity = getattr(os, "sched_getaffinity", None)
    count = len(affinity(0)) if affinity else os.cpu_count() or 1
    try:
        quota, period = QUOTA.read_text().split()
        return max(1, min(count, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):  # no such file, or "max"
        return count
