"""What happened in a training run, epoch by epoch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class History:
    """Losses are means over instances and steps; `seconds` covers all parts of an interrupted run.

    `losses`: training, nan where the epoch diverged. `validation`: (epochs trained, loss on held-out
    instances). `diverged`, `imitated`: epochs that were rolled back, or spent following the teacher.
    `stages`: (epochs trained, horizon) at which each horizon of the curriculum began.
    """

    losses: list[float] = field(default_factory=list)
    validation: list[tuple[int, float]] = field(default_factory=list)
    diverged: list[int] = field(default_factory=list)
    imitated: list[int] = field(default_factory=list)
    stages: list[tuple[int, int]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def stage(self) -> list[tuple[int, float]]:
        """The validation entries since the present horizon began; losses before it are on other horizons."""
        begun = self.stages[-1][0]
        later = [entry for entry in self.validation if entry[0] >= begun]
        # the last judgement of the stage before bears the same epoch as the first of this one
        return later[1:] if len(self.stages) > 1 else later

    @property
    def best(self) -> tuple[int, float]:
        """Epochs trained and validation loss of the weights that were kept."""
        return min(self.stage, key=lambda entry: entry[1])

    def summary(self) -> dict[str, Any]:
        """Everything, as plain values for a record."""
        return vars(self) | {"best": self.best}
