"""The course of a meta-training, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class History:
    """The course of a meta-training; losses are means over instances and steps.

    Args:
        losses: Training loss of each epoch, nan where it diverged.
        validation: Pairs (epochs trained, loss on held-out instances).
        diverged: Epochs that were rolled back.
        imitated: Epochs spent following the teacher.
        stages: Pairs (epochs trained, horizon): when each horizon of the curriculum began.
        seconds: Wall time, of all parts of an interrupted run.

    Example:
        >>> history = History(losses=[2.0, 1.0], validation=[(0, 3.0), (2, 1.5)], stages=[(0, 100)])
        >>> history.best
        (2, 1.5)
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
        # the last validation of the stage before bears the same epoch as the first of this one
        return later[1:] if len(self.stages) > 1 else later

    @property
    def best(self) -> tuple[int, float]:
        """Epochs trained and validation loss of the best weights."""
        return min(self.stage, key=lambda entry: entry[1])

    def summary(self) -> dict[str, Any]:
        """Everything, as plain values for a record."""
        return asdict(self) | {"best": self.best}

    @classmethod
    def from_summary(cls, summary: Mapping[str, Any]) -> History:
        """The history of a `summary`, as the file of a teacher keeps it.

        Example:
            >>> history = History(losses=[1.0], stages=[(0, 9)], validation=[(0, 2.0)])
            >>> History.from_summary(history.summary()) == history
            True
        """
        pairs = {key: [tuple(entry) for entry in summary[key]] for key in ("validation", "stages")}
        return cls(**{key: value for key, value in summary.items() if key != "best"} | pairs)
