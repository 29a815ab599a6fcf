"""The learning rate of fine-tuning: it rises from 0, and then falls to 0, both linearly."""

from __future__ import annotations

from ..errors import ConfigError


def check_warmup(warmup: float) -> None:
    """ConfigError unless this is a share of the steps over which a learning rate may rise."""
    if not 0 <= warmup < 1:
        raise ConfigError(f"warmup is a share of the steps, 0 or more and below 1, not {warmup!r:.60}")


def linear(step: int, steps: int, warmup: float) -> float:
    """The share of the learning rate at a step, from 0; it rises over a share of the steps, at least one."""
    rises = max(round(warmup * steps), 1)
    return min(step / rises, (steps - step) / max(steps - rises, 1))
