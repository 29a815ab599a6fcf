"""A record: the values that one run of an experiment measured, and their provenance.

Records are strict JSON files, `<folder>/<experiment>.json`. JSON has no NaN and no infinity, so they are
written as the strings "nan", "inf" and "-inf" and come back as floats; a run that diverged can also be
recorded as the string "diverged", which stays a string and is never averaged in.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from l2o_core.errors import ConfigError, DataError
from l2o_core.storage import read_text, replacing

from . import provenance, sources
from .checkout import book_root, record_dir

NON_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
KINDS: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("experiment", "profile", "dataset", "date"), str),
    **{"seed": (int, list), "wall_time_s": (int, float), "values": dict},
}
COMMIT = provenance.commit()  # as the run begins: what is edited while it runs is not what runs


@dataclass(frozen=True)
class Record:
    """One run of an experiment.

    `parameters` are those of its notebook, `code` is a digest of the library's sources, and `used` lists what
    the run was made from (see `sources`); older records lack them.
    """

    experiment: str
    profile: str
    seed: int | list[int]
    dataset: str
    engine: str | None
    wall_time_s: float
    date: str
    values: dict[str, Any]
    hardware: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, Any] = field(default_factory=dict)
    commit: dict[str, Any] | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    code: str | None = None
    used: dict[str, Any] = field(default_factory=dict)

    @property
    def seeds(self) -> list[int]:
        """The training seeds."""
        return list(self.seed) if isinstance(self.seed, list) else [self.seed]

    @property
    def day(self) -> str:
        """The date without the time, such as "2026-11-21"."""
        return self.date[:10]

    @property
    def sha(self) -> str | None:
        """The commit that made the record; None outside git."""
        return self.commit["sha"] if self.commit else None

    @property
    def source(self) -> str:
        """One phrase for captions: the run's profile, data set and number of seeds."""
        return f"{self.profile} run, {self.dataset}, {plural(len(self.seeds), 'seed')}"

    @property
    def machine(self) -> str:
        """What did the work: the GPU, where the parameter `device` asked for it, or the processor."""
        device = self.parameters.get("device", "cpu")
        if device != "cpu":
            return str(self.hardware.get("gpu") or device)
        return f"{plural(self.hardware['cores'], 'core')} ({self.hardware['cpu']})"

    def cite(self, *details: str) -> str:
        """`source`, with details of the experiment behind it."""
        return ", ".join((self.source, *details))


def save(
    experiment: str,
    values: Mapping[str, Any],
    *,
    profile: str,
    seed: int | Sequence[int],
    dataset: str,
    engine: str | None = None,
    wall_time: float,
    parameters: Mapping[str, Any] | None = None,
    folder: str | Path | None = None,
) -> Record:
    """Write `<folder>/<experiment>.json` in one atomic step and return the record as it will be read back.

    `values` may hold numbers, text, lists, dictionaries, arrays and tensors; `wall_time` is in seconds; the
    folder is `record_dir()` unless given. Raises DataError for anything that JSON cannot carry.
    """
    content = {
        "experiment": experiment,
        "profile": profile,
        "seed": seed,
        "dataset": dataset,
        "engine": engine,
        "wall_time_s": round(float(wall_time), 3),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "parameters": parameters or {},
        "values": values,
        "hardware": provenance.hardware(),
        "versions": provenance.versions(),
        "commit": COMMIT,
        "code": provenance.code(),
        "used": sources.used(),
    }
    path = _path(Path(folder) if folder else record_dir(), experiment)
    text = json.dumps(_encode(content, experiment), indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    with replacing(path) as draft:
        draft.write_text(text, encoding="utf-8")
    return _record(text, path)


def load(experiment: str, profile: str, root: str | Path = "results") -> Record:
    """Read the record of a profile; DataError says what is missing or damaged and how to make it."""
    path = _path(book_root() / root / _name(profile), experiment)
    try:
        text = read_text(path)
    except FileNotFoundError:
        raise DataError(
            f"no record of {experiment!r} in profile {profile!r} ({path}); "
            f"make it with: l2o reproduce {experiment} --profile {profile}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error})") from None
    return _record(text, path)


def exists(experiment: str, profile: str, root: str | Path = "results") -> bool:
    """Whether there is a record of this experiment in this profile."""
    return _path(book_root() / root / _name(profile), experiment).is_file()


def plural(count: int, noun: str) -> str:
    """A number and its noun: "1 seed", "3 seeds"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _record(text: str, path: Path) -> Record:
    try:
        content = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise DataError(
            f"{path} is not valid JSON ({error}); delete it and run the experiment again"
        ) from None
    needed = [item.name for item in fields(Record)][:8]
    missing = [name for name in needed if not isinstance(content, dict) or name not in content]
    if missing:
        raise DataError(f"{path} is not a record: it lacks {', '.join(missing)}")
    for name, kind in KINDS.items():
        value = content[name]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise DataError(f"{path} is not a record: its {name} is {value!r:.60}; run the experiment again")
    if isinstance(content["seed"], list) and not all(type(seed) is int for seed in content["seed"]):
        raise DataError(f"{path} is not a record: its seeds are no integers; run the experiment again")
    known = {item.name for item in fields(Record)}
    return Record(**{key: value for key, value in _decode(content).items() if key in known})


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _path(folder: Path, experiment: str) -> Path:
    return folder / f"{_name(experiment)}.json"


def _name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        raise ConfigError(f"{name!r} cannot name a record: use letters, digits, '_', '-' and '.'")
    return name


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
    if isinstance(value, Sequence):
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
