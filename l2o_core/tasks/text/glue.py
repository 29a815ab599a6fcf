"""The tasks of GLUE (Wang et al. 2019): sentences, or pairs of them, with labels.

Files are GLUE's own, `GLUE/<task>/train.tsv` and `dev.tsv`: text between tabs without quoting. The test
splits of GLUE have no labels, so that results everywhere are those of the dev split.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ... import parts
from ...data import roots
from ...errors import ConfigError, DataError, did_you_mean, optional_import
from ...storage import bounded

_LARGEST = 1_000_000_000  # bytes; MNLI's training split has half of that
_CHOOSE, _TRAIN_OF_DEV = 0.1, 0.8


@dataclass(frozen=True)
class Benchmark:
    """What GLUE says about one of its tasks.

    Args:
        title: Its name in GLUE, and that of its folder.
        columns: Of the text, by their names in the header.
        label: The column of the labels.
        labels: Their spellings; the place of one is its number.
        rows: Of the training and the dev split, as published.
        metrics: The official ones.
        header: The columns of files that have no header.
        dev: The name of the dev split's file.
        cut_rows: Rows of the published file that line breaks have cut; those are left out.
        hub: The columns of the text on the hub, where they have other names there.
    """

    title: str
    columns: tuple[str, ...]
    label: str
    labels: tuple[str, ...]
    rows: tuple[int, int]
    metrics: tuple[str, ...] = ("accuracy",)
    header: tuple[str, ...] | None = None
    dev: str = "dev"
    cut_rows: int = 0
    hub: tuple[str, ...] | None = None


_PAIR, _ENTAILS, _TWO = ("sentence1", "sentence2"), ("entailment", "not_entailment"), ("0", "1")
GLUE = {
    "cola": Benchmark(
        *("CoLA", ("sentence",), "label", _TWO, (8_551, 1_043), ("matthews",)),
        header=("source", "label", "mark", "sentence"),
    ),
    "sst2": Benchmark("SST-2", ("sentence",), "label", _TWO, (67_349, 872)),
    "mrpc": Benchmark(
        *("MRPC", ("#1 String", "#2 String"), "Quality", _TWO, (3_668, 408), ("accuracy", "f1")), hub=_PAIR
    ),
    "rte": Benchmark("RTE", _PAIR, "label", _ENTAILS, (2_490, 277)),
    "wnli": Benchmark("WNLI", _PAIR, "label", _TWO, (635, 71)),
    "qnli": Benchmark("QNLI", ("question", "sentence"), "label", _ENTAILS, (104_743, 5_463)),
    "qqp": Benchmark(
        *("QQP", ("question1", "question2"), "is_duplicate", _TWO, (363_846, 40_430), ("accuracy", "f1")),
        cut_rows=100,
    ),
    "mnli": Benchmark(
        *("MNLI", _PAIR, "gold_label", ("entailment", "neutral", "contradiction"), (392_702, 9_815)),
        dev="dev_matched",
        hub=("premise", "hypothesis"),
    ),
}
"""The tasks that `load` knows."""


@dataclass(frozen=True)
class TextData:
    """Sentences or pairs of sentences, with labels.

    Args:
        task: The key of its task in `GLUE`.
        name: Of the data; it says so where this is only part of what is published.
        texts: `[n]` sentences; for pairs, two such columns.
        labels: `[n]` numbers from 0.
        classes: Number of classes.
    """

    task: str
    name: str
    texts: tuple[tuple[str, ...], ...]
    labels: tuple[int, ...]
    classes: int

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def rows(self) -> list[tuple[str, ...]]:
        """The text of each row, one sentence or two."""
        return list(zip(*self.texts, strict=True))

    @property
    def identity(self) -> dict[str, Any]:
        """Its name and a digest of all text and labels, which tell this data from other data."""
        content = "\n".join("\t".join([*row, str(label)]) for row, label in _labelled(self))
        return {"data": self.name, "digest": _hash(content).hex()}

    def where(self, chosen: Callable[[tuple[str, ...]], bool]) -> TextData:
        """The rows whose text is chosen.

        Args:
            chosen: Says of a row's text whether it stays.
        """
        left = [(row, label) for row, label in _labelled(self) if chosen(row)]
        texts = tuple(zip(*(row for row, _ in left), strict=True)) or tuple(() for _ in self.texts)
        return replace(self, texts=texts, labels=tuple(label for _, label in left))


def load(name: str, part: str | None = None, *, dev_only: bool = False, download: bool = False) -> TextData:
    """Read the training split of a task of GLUE, or a part of the task.

    Rows with the same first sentence are in the same part, as of QNLI those of a question, whose answer in
    one is a hint for the other; and no text of the dev split is in "train" or "choose".

    Args:
        name: "cola", "sst2", "mrpc", "rte", "wnli", "qnli", "qqp" or "mnli" (its matched dev split).
        part: "train" (nine tenths of the training split), "choose" (the other tenth, for choices) or
            "report" (the dev split, for results). None: the whole training split, as it is published.
        dev_only: Where no training split is to be had, cut the dev split into a training split (four
            fifths) and "report" (the rest); the name of the data then says so.
        download: Fetch a split that is not found from the Hugging Face hub, by the package `datasets`.

    Raises:
        ConfigError: For an unknown name or part, or a package that is not installed.
        DataError: Where a file is missing or damaged, naming file, line and what was expected there.
    """
    if name not in GLUE:
        raise ConfigError(f"unknown task of GLUE {name!r}; {did_you_mean(str(name), GLUE)}")
    parts.check(part)
    if dev_only:
        dev = _split(name, "dev", download)
        cut = replace(dev, name=f"{dev.name} (dev split only)")
        return cut.where(lambda row: _part_of_dev(row) in ((part,) if part else ("train", "choose")))
    if part == "report":
        return _split(name, "dev", download)
    train = _split(name, "train", download)
    if part is None:
        return train
    later = {*_split(name, "dev", download).rows}
    return train.where(lambda row: row not in later and (_place(row) < _CHOOSE) == (part == "choose"))


def _part_of_dev(row: tuple[str, ...]) -> str:
    place = _place(row)
    if place < _CHOOSE:
        return "choose"
    return "train" if place < _TRAIN_OF_DEV else "report"


def _place(row: tuple[str, ...]) -> float:
    """A number in [0, 1) that depends on the first sentence alone, uniform over sentences."""
    return int.from_bytes(_hash(row[0])[:6], "big") / 2**48


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=12).digest()


def _labelled(data: TextData) -> list[tuple[tuple[str, ...], int]]:
    return list(zip(data.rows, data.labels, strict=True))


def _split(name: str, split: str, download: bool) -> TextData:
    task = GLUE[name]
    file = f"{task.dev if split == 'dev' else split}.tsv"
    folders = [root / "GLUE" / task.title for root in roots()]
    found = [folder / file for folder in folders if (folder / file).exists()]
    if found:
        rows, labels = _read(found[0], task)
    elif download:
        rows, labels = _fetch(name, split, folders[-1] / file)
    else:
        cut = any((folder / f"{task.dev}.tsv").exists() for folder in folders)
        raise DataError(
            f"{task.title} has no {file} in {' or '.join(map(str, folders))}: put GLUE's file there, set "
            "L2O_DATA_ROOT to the folder that holds GLUE, or call with download=True"
            + (", or with dev_only=True to cut the dev split" if cut else "")
        )
    if not rows:
        raise DataError(f"{found[0] if found else task.title} has no rows; fetch the file again")
    whole = task.rows[split == "dev"]
    title = task.title + ("" if len(rows) == whole else f" ({len(rows)} of {whole} {split} rows)")
    return TextData(name, title, tuple(zip(*rows, strict=True)), tuple(labels), len(task.labels))


def _read(file: Path, task: Benchmark) -> tuple[list[tuple[str, ...]], list[int]]:
    """The texts and labels of GLUE's own files; lines end at line feeds alone, and quotes are text."""
    try:
        with open(file, "rb") as stream:
            lines = bounded(stream, _LARGEST).removeprefix(b"\xef\xbb\xbf").split(b"\n")
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror or error}; fetch it again") from error
    if not lines[-1]:
        lines.pop()
    header = task.header or _cells(file, 1, lines[0] if lines else b"")
    wanted = (*task.columns, task.label)
    if missing := [column for column in wanted if column not in header]:
        raise DataError(
            f"{file}, line 1: the header lacks {', '.join(map(repr, missing))}; {task.title} has the columns "
            f"{', '.join(map(repr, wanted))} among others; fetch the file again"
        )
    places = [header.index(column) for column in wanted]
    rows, labels, cut = [], [], 0
    for number, line in enumerate(lines[task.header is None :], start=1 + (task.header is None)):
        cells = _cells(file, number, line)
        if len(cells) != len(header):
            if (cut := cut + 1) <= task.cut_rows:
                continue
            raise DataError(
                f"{file}, line {number}: {len(cells)} columns, not {len(header)} ({', '.join(header)}); "
                "fetch the file again"
            )
        *row, label = (cells[place] for place in places)
        if label not in task.labels:
            raise DataError(
                f"{file}, line {number}: unknown label {label[:40]!r}; {task.title} has "
                f"{', '.join(task.labels)}; fetch the file again"
            )
        rows.append(tuple(row))
        labels.append(task.labels.index(label))
    return rows, labels


def _cells(file: Path, number: int, line: bytes) -> tuple[str, ...]:
    try:
        return tuple(line.removesuffix(b"\r").decode("utf-8").split("\t"))
    except UnicodeDecodeError as error:
        raise DataError(
            f"{file}, line {number}: no UTF-8 text ({error.reason}); fetch the file again"
        ) from error


def _fetch(name: str, split: str, file: Path) -> tuple[list[tuple[str, ...]], list[int]]:
    """The split from the hub; `datasets` keeps it in a cache of its own."""
    task = GLUE[name]
    with optional_import("GLUE from the hub", extra="text"):
        import datasets
    there = task.dev.replace("dev", "validation") if split == "dev" else split
    try:
        table = datasets.load_dataset("nyu-mll/glue", name, split=there)
        columns: Sequence[Sequence[str]] = [list(table[column]) for column in task.hub or task.columns]
        labels = [int(label) for label in table["label"]]
    except Exception as error:  # of the network, the hub, its cache, or a table of another form
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise DataError(
            f"cannot fetch {task.title} from the hub ({reason}); connect to the network, or put "
            f"its file at {file}"
        ) from error
    if {*labels} - {*range(len(task.labels))}:
        raise DataError(f"{task.title} from the hub has unknown labels; expected 0 to {len(task.labels) - 1}")
    return list(zip(*columns, strict=True)), labels
