"""Instructions with their answers, in files of JSON.

A file is looked for in the folder `INSTRUCT` of the data roots. It has an object a line (`.jsonl`), or is
one list of objects (`.json`), as that of Alpaca is. Their fields are `instruction`, `input`, which may be
empty or missing, and `output`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ... import parts
from ...data import roots
from ...errors import DataError
from ...storage import digest, read_text

ALPACA_LIBRE = "alpaca_libre.jsonl"
_FIRST = {"train": 0.0, "choose": 0.8, "report": 0.9}
_LAST = {"train": 0.8, "choose": 0.9, "report": 1.0}


@dataclass(frozen=True)
class Instruction:
    """One instruction with its answer.

    Args:
        question: The instruction, and below it whatever it is about.
        answer: What is to be said.
    """

    question: str
    answer: str


@dataclass(frozen=True)
class Instructions:
    """Instructions with answers.

    Args:
        name: Of the data; it says so where this is only part of it.
        rows: The instructions.
    """

    name: str
    rows: tuple[Instruction, ...]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def identity(self) -> dict[str, Any]:
        """Its name and a digest of its rows, which tell this data from other data."""
        return {"data": self.name, "digest": digest(list(self.rows))}

    def part(self, part: str | None) -> Instructions:
        """The rows of "train" (four fifths), "choose" or "report" (a tenth each); None: all of them.

        Rows that ask the same are in the same part.

        Args:
            part: The name of the part.

        Raises:
            ConfigError: For an unknown part.
        """
        parts.check(part)
        if part is None:
            return self
        first, last = _FIRST[part], _LAST[part]
        return replace(self, rows=tuple(row for row in self.rows if first <= _place(row) < last))

    def cut(self, most: int) -> Instructions:
        """The first rows, at most so many; the name then says so.

        Args:
            most: The number of rows.
        """
        if len(self) <= most:
            return self
        return replace(self, name=f"{self.name} ({most} of {len(self)} rows)", rows=self.rows[:most])


def load(file: str | Path = ALPACA_LIBRE, part: str | None = None) -> Instructions:
    """Read instructions from a file, or a part of them. Rows without an answer are left out.

    Args:
        file: The name of a file in the folder `INSTRUCT` of the data roots, or a path.
        part: "train", "choose" or "report", as `Instructions.part` cuts them; None: all rows.

    Raises:
        ConfigError: For an unknown part.
        DataError: Where the file is missing or damaged, naming file and line.
    """
    parts.check(part)
    found = _found(os.fspath(file))
    rows = tuple(_row(f"{found}, {where}", value) for where, value in _values(found))
    kept = tuple(row for row in rows if row.answer)
    if not kept:
        raise DataError(f"{found} has no rows with an answer; fetch the file again")
    return Instructions(found.stem, kept).part(part)


def _found(file: str) -> Path:
    places = [Path(file), *(root / "INSTRUCT" / file for root in roots())]
    for place in places:
        if place.is_file():
            return place
    folders = " or ".join(str(place.parent) for place in places[1:])
    raise DataError(
        f"there is no {file} in {folders}: put the file there, set L2O_DATA_ROOT to the folder that holds "
        "INSTRUCT, or give a path"
    )


def _values(file: Path) -> Iterator[tuple[str, Any]]:
    """Each value of the file, with its place."""
    try:
        text = read_text(file)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {file}: {error}; fetch it again") from error
    if file.suffix == ".json":
        rows = _parsed(str(file), text)
        if not isinstance(rows, list):
            raise DataError(f"{file} is not a list of instructions; fetch the file again")
        yield from ((f"row {number}", row) for number, row in enumerate(rows, start=1))
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield f"line {number}", _parsed(f"{file}, line {number}", line)


def _parsed(where: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
        raise DataError(f"{where}: no JSON ({reason}); fetch the file again") from error


def _row(where: str, value: Any) -> Instruction:
    fields = {"input": ""} | value if isinstance(value, dict) else {}
    wanted = ("instruction", "input", "output")
    wrong = [name for name in wanted if not isinstance(fields.get(name), str)]
    if wrong or not fields["instruction"].strip():
        raise DataError(
            f"{where}: no text under {(wrong or ['instruction'])[0]!r}; a row has the fields instruction, "
            "input, which may be missing, and output"
        )
    question, about, reply = (fields[name].strip() for name in wanted)
    return Instruction(f"{question}\n\n{about}" if about else question, reply)


def _place(row: Instruction) -> float:
    """A number in [0, 1) that depends on the question alone, uniform over questions."""
    hashed = hashlib.blake2b(row.question.encode(errors="surrogatepass"), digest_size=6).digest()
    return int.from_bytes(hashed, "big") / 2**48
