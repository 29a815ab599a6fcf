"""The answer of a distillation: equations from short to accurate, none worse than another in both."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DataError, EngineError, ExpressionError
from ..expressions import Expression

if TYPE_CHECKING:
    import pandas as pd

GAIN = 1e-3
"""A more complex equation stays on the front only if it lowers the loss by this fraction."""


@dataclass(frozen=True)
class Entry:
    """An equation in the units of the data.

    `loss` is the mean squared error on the rows it was chosen by, `r2` is measured on rows that neither the
    search nor the choice has seen.
    """

    equation: Expression
    loss: float
    r2: float

    @property
    def complexity(self) -> int:
        """Nodes of the equation."""
        return self.equation.complexity


@dataclass(frozen=True)
class ParetoFront:
    """Entries by rising complexity and falling loss; `notes` tells what was dropped from the data."""

    entries: tuple[Entry, ...]
    engine: str
    seconds: float
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, candidates: Iterable[Entry], engine: str, seconds: float, notes: tuple[str, ...] = ()):
        """The front of some candidates. Raises EngineError if there is none."""
        entries: list[Entry] = []
        for entry in sorted(candidates, key=lambda entry: (entry.complexity, entry.loss)):
            if not entries or entry.loss < (1 - GAIN) * entries[-1].loss:
                entries.append(entry)
        if not entries:
            raise EngineError(f"{engine} found no equation: allow more time or a larger complexity")
        return cls(tuple(entries), engine, seconds, notes)

    @property
    def table(self) -> pd.DataFrame:
        """One row per entry, with PySR's columns complexity, loss, equation, and r2 on held-out rows."""
        import pandas as pd

        rows = [(e.complexity, e.loss, str(e.equation), e.r2) for e in self.entries]
        return pd.DataFrame(rows, columns=["complexity", "loss", "equation", "r2"])

    @property
    def best(self) -> Entry:
        """The most accurate entry."""
        return self.entries[-1]

    def at(self, complexity: int) -> Entry:
        """The most accurate entry within so many nodes. Raises DataError if even the shortest has more."""
        fitting = [entry for entry in self.entries if entry.complexity <= complexity]
        if not fitting:
            raise DataError(
                f"no equation within {complexity} nodes; the shortest has {self.entries[0].complexity}"
            )
        return fitting[-1]

    def save(self, path: str | Path) -> Path:
        """Write the front as JSON and return the path."""
        entries = [{"equation": e.equation.to_json(), "loss": e.loss, "r2": e.r2} for e in self.entries]
        content = {"engine": self.engine, "seconds": self.seconds, "notes": self.notes, "entries": entries}
        path = Path(path)
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        return path

    @classmethod
    def load(cls, path: str | Path) -> ParetoFront:
        """Read what `save` wrote. Raises DataError for anything else."""
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            entries = tuple(
                Entry(Expression.from_json(e["equation"]), float(e["loss"]), float(e["r2"]))
                for e in content["entries"]
            )
            return cls(entries, str(content["engine"]), float(content["seconds"]), tuple(content["notes"]))
        except (OSError, ValueError, KeyError, TypeError, ExpressionError) as error:
            raise DataError(f"{path} is not a saved front: {error}") from error

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __repr__(self) -> str:
        lines = [f"{e.complexity:10d}  {e.loss:10.3e}  {e.r2:7.4f}  {_short(e.equation)}" for e in self]
        title = f"ParetoFront of {len(self)} equations ({self.engine}, {self.seconds:.0f} s)"
        return "\n".join([title, *self.notes, "complexity        loss       r2  equation", *lines])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{e.complexity}</td><td>{e.loss:.3e}</td><td>{e.r2:.4f}</td>"
            f"<td><code>{html.escape(_short(e.equation))}</code></td></tr>"
            for e in self
        )
        head = "<tr><th>complexity</th><th>loss</th><th>r2</th><th>equation</th></tr>"
        return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _short(equation: Expression, digits: int = 4, width: int = 160) -> str:
    """The equation with rounded constants, cut to a width: for reading, not for use."""
    rounded = equation.with_constants(float(f"{value:.{digits}g}") for value in equation.constants)
    text = str(rounded)
    return text if len(text) <= width else text[: width - 1] + "…"
