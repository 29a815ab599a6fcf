"""The result of a distillation: the best equation of every size."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..errors import DataError
from ..expressions import Expression, parse


@dataclass(frozen=True)
class Entry:
    """One equation: `complexity` in nodes, `loss` the mean squared error in training, `r2` held out."""

    equation: Expression
    complexity: int
    loss: float
    r2: float


class ParetoFront:
    """Equations of growing complexity and falling loss; what another one beats in both is left out."""

    def __init__(self, entries: Iterable[Entry], notes: Iterable[str] = ()):
        kept: list[Entry] = []
        for entry in sorted(entries, key=lambda entry: (entry.complexity, entry.loss)):
            if not kept or entry.loss < kept[-1].loss:
                kept.append(entry)
        if not kept:
            raise DataError("a front needs at least one equation")
        self.entries, self.notes = tuple(kept), tuple(notes)

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __repr__(self) -> str:
        return f"ParetoFront of {len(self)} equations\n{self.table.to_string(index=False, max_colwidth=80)}"

    def _repr_html_(self) -> str:
        return self.table.to_html(index=False)

    @property
    def table(self) -> pd.DataFrame:
        """Columns complexity, loss, equation (as PySR names them) and r2 (held-out rows)."""
        rows = [(e.complexity, e.loss, str(e.equation), e.r2) for e in self]
        return pd.DataFrame(rows, columns=["complexity", "loss", "equation", "r2"])

    @property
    def best(self) -> Entry:
        """The most accurate entry on the training rows, which is the largest."""
        return self.entries[-1]

    def at(self, complexity: int) -> Entry:
        """The most accurate entry within that many nodes; DataError if even the smallest is larger."""
        within = [entry for entry in self if entry.complexity <= complexity]
        if not within:
            smallest = self.entries[0].complexity
            raise DataError(f"the smallest equation has {smallest} nodes; nothing is within {complexity}")
        return within[-1]

    def save(self, path: str | Path) -> Path:
        """Write the front as JSON, whole or not at all."""
        path = Path(path)
        rows = [
            {"equation": str(e.equation), "complexity": e.complexity, "loss": e.loss, "r2": e.r2}
            for e in self
        ]
        partial = path.with_name(path.name + ".partial")
        partial.write_text(json.dumps({"notes": self.notes, "front": rows}, indent=1), encoding="utf-8")
        os.replace(partial, path)
        return path

    @classmethod
    def load(cls, path: str | Path) -> ParetoFront:
        """Read a saved front; DataError if the file is damaged."""
        try:
            saved = json.loads(Path(path).read_text(encoding="utf-8"))
            rows = [
                Entry(parse(row["equation"]), int(row["complexity"]), float(row["loss"]), float(row["r2"]))
                for row in saved["front"]
            ]
            return cls(rows, saved["notes"])
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path} is not a saved front: {error}") from error
