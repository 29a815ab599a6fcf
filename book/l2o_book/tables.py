"""The papers' tables, and the texts that stand in cells of ours."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from l2o_core import plain_yaml
from l2o_core.errors import ConfigError, did_you_mean

from .checkout import book_root

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

NOT_RECORDED = "not recorded"
"""Of a value that a record made before lacks."""
NUMBER = re.compile(r"(?P<mean>[-+]?\d+(\.\d+)?)(\s*±\s*(?P<std>\d+(\.\d+)?))?")


class Published:
    """One table of the papers, such as "SymL2O Table 3", from `book/published.yml`.

    `rows` holds the texts as printed, by row and column.
    """

    def __init__(self, name: str):
        self.name = name
        tables = _read(book_root() / "book" / "published.yml")
        if name not in tables:
            raise ConfigError(f"no table {name!r} in book/published.yml; {did_you_mean(name, tables)}")
        self.rows: dict[str, dict[str, str]] = tables[name]

    def cell(self, row: str, column: str) -> str | None:
        """The text of a cell as printed; None where the paper has no such row or column."""
        return self.rows.get(row, {}).get(column)

    @property
    def frame(self) -> pd.DataFrame:
        """A line per cell: row, column, text, value and std (floats, NaN where it is no number), source."""
        import pandas as pd

        cells = [
            {"row": row, "column": column, "text": text, **_number(text), "source": self.name}
            for row, columns in self.rows.items()
            for column, text in columns.items()
        ]
        return pd.DataFrame(cells)


def mean_std(values: Sequence[Any]) -> str:
    """Text like "0.23 ± 0.13", mean and sample standard deviation; runs that diverged are counted apart.

    Both numbers have as many decimals as two digits of the deviation take, three at most.
    """
    plain = [v.tolist() if hasattr(v, "tolist") else v for v in values]
    finite = [float(v) for v in plain if isinstance(v, int | float) and math.isfinite(v)]
    diverged = len(values) - len(finite)
    if not finite:
        return f"all {diverged} diverged" if diverged > 1 else "diverged" if diverged else "–"
    mean = math.fsum(finite) / len(finite)
    if len(finite) == 1:
        text = f"{mean:.3g}"
    else:
        std = math.sqrt(math.fsum((v - mean) ** 2 for v in finite) / (len(finite) - 1))
        decimals = min(3, max(0, 1 - math.floor(math.log10(std)))) if std > 0 else None
        text = f"{mean:.3g} ± 0" if decimals is None else f"{mean:.{decimals}f} ± {std:.{decimals}f}"
    return text + (f" ({diverged} diverged)" if diverged else "")


def median_time(seconds: Sequence[float]) -> str:
    """The median of several times, in seconds or minutes: "0.2 s", "46 s", "3.1 min"."""
    middle = float(np.median(seconds))
    if middle >= 100:
        return f"{middle / 60:.1f} min"
    return f"{middle:.0f} s" if middle >= 10 else f"{middle:.1f} s"


def listed(names: Sequence[str]) -> str:
    """Names in a sentence: "none", "A", "A and B", "A, B and C"."""
    *first, last = names or ["none"]
    return f"{', '.join(first)} and {last}" if first else last


def span(numbers: Iterable[float], form: str = "") -> str:
    """The lowest and the highest of some numbers, "3 to 5"; once where they are written alike, "3"."""
    found = [*numbers]
    return " to ".join(dict.fromkeys(format(number, form) for number in (min(found), max(found))))


@cache
def _read(path: Path) -> dict[str, dict[str, dict[str, str]]]:
    """The rows of every table: cells by row and column, as printed."""
    tables = plain_yaml.read(path, as_text=True)
    if not plain_yaml.fits(tables, {str: {"rows": {str: {str: str}}}}):
        raise ConfigError(f"{path} must hold tables, each with `rows` of cells by name; mend it")
    return {name: table.get("rows", {}) for name, table in tables.items()}


def _number(text: str) -> dict[str, float]:
    match = NUMBER.fullmatch(text)
    found = match.groupdict() if match else {"mean": None, "std": None}
    return {"value": float(found["mean"] or math.nan), "std": float(found["std"] or math.nan)}
