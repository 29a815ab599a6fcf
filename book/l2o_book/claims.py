"""What the two papers claim and what this book found: `book/claims.yml`, with verdicts from the records.

The page of claims, the box of claims at the head of a page, and the summaries in README.md and on the
first page are all made from here (`findings`), so none can contradict another.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from l2o_core import plain_yaml
from l2o_core.errors import ConfigError

from . import evidence, records, verdicts
from .checkout import book_root
from .records import Record
from .tables import Published
from .verdicts import NOT_REPRODUCED, NOT_RUN, REPRODUCED, UNDECIDED, Comparison

PAPERS = ("SymL2O", "SOL")
VERDICTS = (REPRODUCED, NOT_REPRODUCED, UNDECIDED, NOT_RUN)
EVERY_BUILD = "every build"
PROFILE = "standard"  # whose committed records decide
WHOLE = {"reading_equations": "distillation"}
"""Experiments that were part of another when the committed record was made."""
SHAPE = {
    "claims": [{str: str, "published": (str, [str]), "tests": [str], "seeds": int}],
    "scales": {str: str},
    "faults": {str: {"commit": str, "notes": [str]}},
}
"""Of the file."""
ANCHOR = re.compile(r'\bname=(f?)"((?:fig|tab|eq)-[^"]+)"|:(?:name|label):\s*(\S+)')


@dataclass(frozen=True)
class Claim:
    """One line of `book/claims.yml`; the head of that file says what its fields mean."""

    id: str
    paper: str
    where: str
    claim: str
    published: str | list[str]
    anchor: str = ""
    page: str = ""
    record: str = ""
    tests: list[str] = field(default_factory=list)
    verdict: str = ""
    because: str = ""
    scale: str = ""
    seeds: int = 0

    @cached_property
    def shown(self) -> Record | None:
        """The committed record that decides; None if there is none."""
        return None if self.record in ("", EVERY_BUILD) else committed(self.record)

    @cached_property
    def found(self) -> dict[str, Comparison]:
        """The comparisons behind the verdict, by name."""
        if not self.tests or self.shown is None:
            return {}
        try:
            tables = evidence.EVIDENCE[self.record](self.shown)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise _wrong(self.id, f"the record of {self.record} lacks what decides it ({error!r})") from None
        found = {}
        for test in self.tests:
            table, _, name = test.partition(": ")
            if name not in tables.get(table, {}):
                raise _wrong(self.id, f"the record of {self.record} decides no {test!r}")
            found[test] = tables[table][name]
        return found

    @property
    def outcome(self) -> str:
        """The verdict: computed where there are tests, by hand elsewhere."""
        if not self.tests:
            return self.verdict
        return verdicts.combined(self.found.values()) if self.found else NOT_RUN


@cache
def load(root: Path | None = None) -> tuple[Claim, ...]:
    """The claims, checked; ConfigError says which line lacks what. A book without the file has none."""
    root = root or book_root()
    if not (root / "book" / "claims.yml").is_file():
        return ()
    content, places = _read(root), anchors(root)
    names = {*Claim.__dataclass_fields__}
    found = []
    for line in content.get("claims", []):
        if stray := {*line} - names:
            raise _wrong(line.get("id"), f"no field {min(stray)!r}")
        if lacking := {"id", "paper", "where", "claim", "published"} - {*line}:
            raise _wrong(line.get("id"), f"it lacks {min(lacking)}")
        claim = Claim(**line)
        if claim.anchor and not claim.page:
            claim = Claim(**line | {"page": _page_of(claim, places)})
        _check(claim, root)
        found.append(claim)
    if len({claim.id for claim in found}) < len(found):
        raise ConfigError("book/claims.yml has two lines with the same id")
    return tuple(found)


def committed(experiment: str) -> Record | None:
    """The committed record of an experiment, or of the one that it was part of."""
    for name in (experiment, WHOLE.get(experiment)):
        if name and records.exists(name, PROFILE):
            return records.load(name, PROFILE)
    return None


def faults(record: Record | None, root: Path | None = None) -> list[str]:
    """What is known to be wrong with a record, as long as it is the one of that commit."""
    if record is None:
        return []
    known = _read(root or book_root()).get("faults", {}).get(record.experiment, {})
    return known.get("notes", []) if known.get("commit", "") == record.sha else []


def scale(claim: Claim) -> str:
    """How far the measurement is from the paper's."""
    return claim.scale or _read(book_root()).get("scales", {}).get(claim.record, "")


def anchors(root: Path) -> dict[str, str]:
    """The page of each figure, table and labelled equation; names with gaps are patterns."""
    places = {}
    sources = [*(root / "notebooks").glob("*.py"), *(root / "book").glob("*.md")]
    for source in sorted(sources):
        page = source.relative_to(root).with_suffix("").as_posix()
        for filled, name, label in ANCHOR.findall(source.read_text(encoding="utf-8")):
            pattern = re.escape(name or label)
            places[re.sub(r"\\\{.*?\\\}", ".+", pattern) if filled else pattern] = page
    return places


def published(claim: Claim) -> str:
    """The published numbers, or in words what there is."""
    if isinstance(claim.published, str):
        return claim.published
    return "; ".join(_cells(reference) for reference in claim.published)


@cache
def _read(root: Path) -> dict[str, Any]:
    path = root / "book" / "claims.yml"
    content = plain_yaml.read(path)
    if not plain_yaml.fits(content, SHAPE):
        raise ConfigError(f"{path} is not of the form that its head describes; mend it")
    return content


def _page_of(claim: Claim, places: Mapping[str, str]) -> str:
    for pattern, page in places.items():
        if re.fullmatch(pattern, claim.anchor):
            return page
    raise _wrong(claim.id, f"there is no figure, table or equation {claim.anchor!r} in the book")


def _check(claim: Claim, root: Path) -> None:
    sources = [root / f"{claim.page}.{ending}" for ending in ("py", "md")]
    if claim.paper not in PAPERS:
        raise _wrong(claim.id, f"no paper {claim.paper!r}")
    if claim.page and not any(source.is_file() for source in sources):
        raise _wrong(claim.id, f"there is no page {claim.page!r}")
    if bool(claim.tests) == bool(claim.verdict):
        raise _wrong(claim.id, "give tests, from which the verdict follows, or a verdict by hand")
    if claim.tests and claim.record not in evidence.EVIDENCE:
        raise _wrong(claim.id, f"l2o_book.evidence has no function for the record {claim.record!r}")
    if claim.verdict and (claim.verdict not in VERDICTS or not claim.because):
        raise _wrong(claim.id, f"a verdict by hand is one of {', '.join(VERDICTS)}, and needs `because`")
    if claim.outcome != NOT_RUN and not claim.page:
        raise _wrong(claim.id, "it has no evidence: name an anchor or a page")
    if claim.outcome != NOT_RUN and not claim.shown and claim.record != EVERY_BUILD:
        raise _wrong(claim.id, f"it is said to be {claim.outcome}, and there is no record")
    published(claim)


def _wrong(name: Any, what: str) -> ConfigError:
    return ConfigError(f"book/claims.yml, {name}: {what}")


def _cells(reference: str) -> str:
    """The cells of "SymL2O Table 7 / RP", or the one of ".../ P1", with the names of row and column."""
    table, _, rest = reference.partition(" / ")
    row, _, column = rest.partition(" / ")
    cells = Published(table).rows.get(row, {})
    if not cells or (column and column not in cells):
        raise ConfigError(f"book/claims.yml: no {reference!r} in book/published.yml")
    if column:
        return f"{row}: {cells[column]}"
    return f"{row}: " + ", ".join(
        f"{name} {text}" if len(cells) > 1 else text for name, text in cells.items()
    )
