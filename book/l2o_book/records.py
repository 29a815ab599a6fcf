"""What a run measured, with its provenance, written and read back; and what the papers published.

A record is `results/<profile>/<experiment>.json`, strict JSON. JSON has no NaN and no infinity, so they
are written as the strings "nan", "inf" and "-inf" and come back as floats; a run that diverged can also
be recorded as the string "diverged", which stays a string and is never averaged in.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from l2o_core.errors import ConfigError, DataError
from l2o_core.storage import replacing

from . import provenance

if TYPE_CHECKING:
    import pandas as pd

FIELDS = ("experiment", "profile", "seed", "dataset", "engine", "wall_time_s", "date", "values")
NON_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
COMMIT = provenance.commit()  # as the run begins: what is edited while it runs is not what runs
NUMBER = re.compile(r"(?P<mean>[-+]?\d+(\.\d+)?)(\s*±\s*(?P<std>\d+(\.\d+)?))?")


def book_root() -> Path:
    """The book's checkout: `$L2O_BOOK_ROOT`, or the nearest folder upward with `_toc.yml`, `notebooks/`."""
    if named := os.environ.get("L2O_BOOK_ROOT"):
        return Path(named).resolve()
    here = Path.cwd().resolve()
    for folder in (here, *here.parents):
        if (folder / "_toc.yml").is_file() and (folder / "notebooks").is_dir():
            return folder
    raise ConfigError(
        f"no book found from {here} upward (a folder with _toc.yml and notebooks/); "
        "run this inside the checkout, or set L2O_BOOK_ROOT to it"
    )


def kept(folder: str, profile: str) -> Path | None:
    """Where runs of a profile keep what took long, inside the book; with no folder named, nowhere."""
    return book_root() / folder / profile if folder else None


def save(
    experiment: str,
    values: Mapping[str, Any],
    *,
    profile: str,
    seed: int | Sequence[int],
    dataset: str,
    engine: str | None = None,
    wall_time: float,
    root: str | Path = "results",
) -> Path:
    """Write `<root>/<profile>/<experiment>.json` in one atomic step and return its path.

    `values` may hold numbers, text, lists, dictionaries, arrays and tensors; `wall_time` is in seconds; a
    relative `root` is taken inside the book. Raises DataError for anything that JSON cannot carry.
    """
    record = {
        "experiment": experiment,
        "profile": profile,
        "seed": seed,
        "dataset": dataset,
        "engine": engine,
        "wall_time_s": round(float(wall_time), 3),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "values": values,
        "hardware": provenance.hardware(),
        "versions": provenance.versions(),
        "commit": COMMIT,
    }
    text = json.dumps(_encode(record, experiment), indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    path = _path(experiment, profile, root)
    with replacing(path) as draft:
        draft.write_text(text, encoding="utf-8")
    return path


def load(experiment: str, profile: str, root: str | Path = "results") -> dict[str, Any]:
    """Read a record back as a dictionary; DataError says what is missing or damaged and how to make it."""
    path = _path(experiment, profile, root)
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(
            f"no record of {experiment!r} in profile {profile!r} ({path}); "
            f"make it with: l2o reproduce {experiment} --profile {profile}"
        ) from None
    except ValueError as error:
        raise DataError(
            f"{path} is not valid JSON ({error}); delete it and run the experiment again"
        ) from None
    missing = [field for field in FIELDS if not isinstance(record, dict) or field not in record]
    if missing:
        raise DataError(f"{path} is not a record: it lacks {', '.join(missing)}")
    return _decode(record)


def shown(experiment: str, profile: str, root: str | Path = "results") -> dict[str, Any]:
    """The record that a page draws: a `quick` page the `standard` one where there is one, else its own.

    Raises DataError where there is neither.
    """
    if profile == "quick" and _path(experiment, "standard", root).is_file():
        profile = "standard"
    return load(experiment, profile, root)


def published(table: str) -> pd.DataFrame:
    """The cells of one table of the papers, e.g. "SymL2O Table 3", from `book/published.yml`.

    Columns: row, column, text (as printed), value and std (floats, NaN where the cell is no number), source.
    """
    import pandas as pd
    import yaml

    path = book_root() / "book" / "published.yml"
    tables = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # text stays as printed
    if table not in tables:
        raise ConfigError(f"no table {table!r} in {path}; it has: {', '.join(tables)}")
    cells = [
        {"row": row, "column": column, "text": text, **_number(text), "source": table}
        for row, columns in tables[table]["rows"].items()
        for column, text in columns.items()
    ]
    return pd.DataFrame(cells)


def compare(published: pd.DataFrame, ours: Mapping[str, Mapping[str, Any]], source: str) -> pd.DataFrame:
    """Published numbers next to ours, one line per cell: row, column, published, ours, n, source.

    `ours[row][column]` is one value or one per seed; several are shown as mean ± standard deviation, and
    those that diverged or are not finite are counted, not averaged. Cells that only one side has stay, with
    a dash for the other. `source` says where our numbers come from, e.g. "standard, CIFAR-10".
    """
    import pandas as pd

    theirs = {(cell.row, cell.column): cell for cell in published.itertuples()}
    mine = {(row, column): value for row, columns in ours.items() for column, value in columns.items()}
    lines = []
    for row, column in dict.fromkeys([*theirs, *mine]):
        cell, value = theirs.get((row, column)), mine.get((row, column))
        seeds = [] if value is None else list(value) if _is_list(value) else [value]
        sources = ([cell.source] if cell else []) + ([source] if seeds else [])
        lines.append(
            [row, column, cell.text if cell else "–", mean_std(seeds), len(seeds), "; ".join(sources)]
        )
    return pd.DataFrame(lines, columns=["row", "column", "published", "ours", "n", "source"])


def mean_std(values: Sequence[float | str | None]) -> str:
    """Text like "0.23 ± 0.13" over seeds; what diverged or is not finite is counted apart: "(1 diverged)"."""
    plain = [v.tolist() if hasattr(v, "tolist") else v for v in values]
    kept = [float(v) for v in plain if isinstance(v, int | float) and math.isfinite(v)]
    lost = len(values) - len(kept)
    if not kept:
        return f"all {lost} diverged" if lost > 1 else "diverged" if lost else "–"
    mean = math.fsum(kept) / len(kept)
    std = math.sqrt(math.fsum((v - mean) ** 2 for v in kept) / (len(kept) - 1)) if len(kept) > 1 else 0.0
    decimals = min(4, max(0, 1 - math.floor(math.log10(std)))) if std > 0 else None
    if len(kept) == 1:
        text = f"{mean:.3g}"
    elif decimals is None:
        text = f"{mean:.3g} ± 0"
    else:
        text = f"{mean:.{decimals}f} ± {std:.{decimals}f}"
    return text + (f" ({lost} diverged)" if lost else "")


def _path(experiment: str, profile: str, root: str | Path) -> Path:
    for name in (experiment, profile):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
            raise ConfigError(f"{name!r} cannot name a record: use letters, digits, '_', '-' and '.'")
    folder = Path(root)
    if not folder.is_absolute():
        try:
            folder = book_root() / folder
        except ConfigError:
            folder = Path.cwd() / folder
    return folder / profile / f"{experiment}.json"


def _encode(value: Any, where: str) -> Any:
    if hasattr(value, "tolist"):  # NumPy scalars and arrays, tensors, pandas columns
        value = value.tolist()
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise DataError(f"{where}: the key {key!r} of a record must be text")
        return {key: _encode(item, f"{where}.{key}") for key, item in value.items()}
    if _is_list(value):
        return [_encode(item, f"{where}[{i}]") for i, item in enumerate(value)]
    raise DataError(
        f"{where}: a record cannot hold a {type(value).__name__}; give numbers, text, lists or dictionaries"
    )


def _decode(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _decode(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_decode(item) for item in value]
    return NON_FINITE.get(value, value) if isinstance(value, str) else value


def _is_list(value: Any) -> bool:
    return (isinstance(value, Sequence) and not isinstance(value, str)) or hasattr(value, "__array__")


def _number(text: str) -> dict[str, float]:
    match = NUMBER.fullmatch(text)
    found = match.groupdict() if match else {"mean": None, "std": None}
    return {"value": float(found["mean"] or math.nan), "std": float(found["std"] or math.nan)}
