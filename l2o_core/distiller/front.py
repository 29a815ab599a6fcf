"""The answer of a distillation: equations from short to accurate, none worse than another in both."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DataError, EngineError, ExpressionError
from ..expressions import Expression
from ..storage import replacing

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
    """Entries by rising complexity and falling loss.

    `notes` tells what was dropped from the data; `data` is a fingerprint of it and of its parts; `settings`
    are those of the search, by name.
    """

    entries: tuple[Entry, ...]
    engine: str
    seconds: float
    notes: tuple[str, ...] = ()
    data: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        candidates: Iterable[Entry],
        engine: str,
        seconds: float,
        notes: tuple[str, ...] = (),
        data: str = "",
        settings: Mapping[str, Any] | None = None,
    ) -> ParetoFront:
        """The front of some candidates. Raises EngineError if there is none."""
        entries: list[Entry] = []
        for entry in sorted(candidates, key=lambda entry: (entry.complexity, entry.loss)):
            if not entries or entry.loss < (1 - GAIN) * entries[-1].loss:
                entries.append(entry)
        if not entries:
            raise EngineError(f"{engine} found no equation: allow more time or a larger complexity")
        return cls(tuple(entries), engine, seconds, notes, data, settings or {})

    @classmethod
    def merge(cls, fronts: Iterable[ParetoFront]) -> ParetoFront:
        """The best of several searches, by engine or seed, on the same data with the same `split_seed`.

        Equations that differ in constants only count as one, the most accurate. Raises DataError where the
        data differ: losses cannot be compared, and held-out rows of one may be known to the other.
        """
        fronts = list(fronts)
        if len({front.data for front in fronts}) != 1:
            raise DataError("fronts of different data or splits cannot be merged: distil with one split_seed")
        best: dict[Expression, Entry] = {}
        for entry in sorted(chain(*fronts), key=lambda entry: -entry.loss):
            best[skeleton(entry.equation)] = entry
        engines = " and ".join(dict.fromkeys(front.engine for front in fronts))
        notes = tuple(dict.fromkeys(note for front in fronts for note in front.notes))
        seconds = sum(front.seconds for front in fronts)
        return cls.of(best.values(), engines, seconds, notes, fronts[0].data)

    @property
    def table(self) -> pd.DataFrame:
        """One row per entry, with PySR's columns complexity, loss, equation, and r2 on held-out rows."""
        import pandas as pd

        rows = [(e.complexity, e.loss, str(e.equation), e.r2) for e in self.entries]
        return pd.DataFrame(rows, columns=["complexity", "loss", "equation", "r2"])

    def to_latex(self, digits: int = 3) -> str:
        """The front as a LaTeX tabular (booktabs), constants rounded to significant `digits`."""
        lines = [
            r"\begin{tabular}{rrrl}",
            r"\toprule",
            r"complexity & loss & $R^2$ & equation \\",
            r"\midrule",
        ]
        for e in self:
            equation = e.equation.rounded(digits).latex()
            lines.append(rf"{e.complexity} & {e.loss:.{digits}g} & {e.r2:.4f} & ${equation}$ \\")
        return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])

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

    def to_json(self) -> str:
        """The front as JSON text."""
        entries = [{"equation": e.equation.to_json(), "loss": e.loss, "r2": e.r2} for e in self.entries]
        content = {"engine": self.engine, "seconds": self.seconds, "notes": self.notes, "data": self.data}
        content["settings"] = dict(self.settings)
        return json.dumps(content | {"entries": entries}, indent=1) + "\n"

    def save(self, path: str | Path) -> Path:
        """Write the front as JSON and return the path."""
        with replacing(path) as draft:
            draft.write_text(self.to_json(), encoding="utf-8")
        return Path(path)

    @classmethod
    def load(cls, path: str | Path) -> ParetoFront:
        """Read what `save` wrote. Raises DataError for anything else."""
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            entries = tuple(
                Entry(Expression.from_json(e["equation"]), float(e["loss"]), float(e["r2"]))
                for e in content["entries"]
            )
            seconds, data = float(content["seconds"]), str(content.get("data", ""))
            settings = dict(content.get("settings", {}))
            return cls(entries, str(content["engine"]), seconds, tuple(content["notes"]), data, settings)
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


def skeleton(equation: Expression) -> Expression:
    """The equation with all constants alike: the same for equations that differ in constants only."""
    return equation.with_constants([1.0] * len(equation.constants))


def _short(equation: Expression, digits: int = 4, width: int = 160) -> str:
    """The equation with rounded constants, cut to a width: for reading, not for use."""
    text = str(equation.rounded(digits))
    return text if len(text) <= width else text[: width - 1] + "…"
