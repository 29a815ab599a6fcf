"""What the two papers claim and what this book found: `book/claims.yml`, with verdicts from the records.

The page of claims, the box "What we found" at the head of a page, and the summaries in README.md and on the
first page are all made from here, so none can contradict another.

    python -m l2o_book.claims            write README.md's summary anew
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from l2o_core.errors import ConfigError, L2OError
from l2o_core.storage import replacing

from . import evidence, records, verdicts
from .checkout import book_root
from .records import Record, plural
from .tables import Published
from .verdicts import NOT_REPRODUCED, NOT_RUN, REPRODUCED, UNDECIDED, Comparison

PAPERS = ("SymL2O", "SOL")
VERDICTS = (REPRODUCED, NOT_REPRODUCED, UNDECIDED, NOT_RUN)
EVERY_BUILD = "every build"
PROFILE = "standard"  # whose committed records decide
WHOLE = {"reading_equations": "distillation", "equations_at_work": "interpretability"}
"""Experiments that were part of another when the committed record was made."""
SUMMARY = re.compile(r"(<!-- claims -->\n)(?:.*?)(\n<!-- /claims -->)", re.DOTALL)
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

    @cached_property
    def shown(self) -> Record | None:
        """The committed record that decides; None if there is none."""
        return None if self.record in ("", EVERY_BUILD) else committed(self.record)

    @cached_property
    def found(self) -> dict[str, Comparison]:
        """The comparisons behind the verdict, by name."""
        if not self.tests or self.shown is None:
            return {}
        tables = evidence.EVIDENCE[self.record](self.shown)
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
    for line in content["claims"]:
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
    return list(known["notes"]) if known and known["commit"] == record.sha else []


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


def summary(claims: Sequence[Claim]) -> str:
    """The verdicts in one sentence: "Of 70 claims of the two papers, 20 are reproduced ..."."""
    count = {verdict: sum(claim.outcome == verdict for claim in claims) for verdict in VERDICTS}
    given = sum(claim.outcome == REPRODUCED and claim.record == EVERY_BUILD for claim in claims)
    return (
        f"Of {plural(len(claims), 'claim')} of the two papers, {count[REPRODUCED]} are reproduced "
        f"({given} of these are equations, definitions and drawings), {count[NOT_REPRODUCED]} are not, "
        f"{count[UNDECIDED]} are undecided, and {count[NOT_RUN]} have not been tested"
    )


def digest(claims: Sequence[Claim]) -> list[str]:
    """The summary, and in a list what was measured with a clear outcome."""
    measured = {
        verdict: [
            f"{claim.claim} ({claim.paper}, {claim.where})"
            for claim in claims
            if claim.outcome == verdict and claim.record != EVERY_BUILD
        ]
        for verdict in (REPRODUCED, NOT_REPRODUCED)
    }
    lines = [f"- **{verdict.capitalize()}:** {'. '.join(said)}." for verdict, said in measured.items() if said]
    return [f"{summary(claims)}. Measured, with a clear outcome:", "", *lines]


def overview(claims: Sequence[Claim]) -> list[str]:
    """A Markdown table: how many claims of each paper have each verdict."""
    lines = ["| | " + " | ".join(VERDICTS) + " | all |", "| :-- |" + " --: |" * (len(VERDICTS) + 1)]
    for paper in PAPERS:
        mine = [claim for claim in claims if claim.paper == paper]
        counts = [sum(claim.outcome == verdict for claim in mine) for verdict in VERDICTS]
        lines.append(f"| {paper} | " + " | ".join(map(str, [*counts, len(mine)])) + " |")
    return lines


def box(page: str) -> str:
    """The box "What we found" for the head of a page; empty if no claim is settled there."""
    mine = [claim for claim in load() if claim.page == page]
    if not mine:
        return ""
    lines = []
    for verdict in VERDICTS:
        said = [f"{claim.claim} ({claim.where})" for claim in mine if claim.outcome == verdict]
        if said:
            lines.append(f"- **{verdict.capitalize()}:** {'. '.join(said)}.")
    for record in {claim.shown.experiment: claim.shown for claim in mine if claim.shown}.values():
        if known := faults(record):
            lines.append(f"- **Known faults of the recorded run:** {'; '.join(known)}.")
    lines.append("\nThe numbers behind each verdict are on the [page of claims](../book/claims.md).")
    return ":::{admonition} What we found\n:class: l2o-found\n" + "\n".join(lines) + "\n:::"


def rows(claims: Sequence[Claim], name: str, caption: str) -> list[str]:
    """A MyST list-table of claims: each with published and measured numbers, and its verdict with links."""
    lines = [f"````{{list-table}} {caption}", f":name: {name}", ":header-rows: 1", ":widths: 76 24", ""]
    lines += ["* - claim, published, ours", "  - verdict"]
    for claim in claims:
        cell = (
            f"**{claim.where}.** {claim.claim}.<br>*Published:* {published(claim)}.<br>*Ours:* {ours(claim)}"
        )
        lines += [f"* - {cell}", f"  - **{claim.outcome}**"]
        lines += ["", f"    {links(claim)}"] if links(claim) else []
    return [*lines, "````"]


def published(claim: Claim) -> str:
    """The published numbers, or in words what there is."""
    if isinstance(claim.published, str):
        return claim.published
    return "; ".join(_cells(reference) for reference in claim.published)


def ours(claim: Claim) -> str:
    """What was measured, with scale and seeds; or why nothing was."""
    said = [_measured(test, found) for test, found in claim.found.items()] or [claim.because]
    scale = claim.scale
    if claim.shown:
        scale = claim.scale or _read(book_root())["scales"].get(claim.record, "")
        scale = "; ".join(part for part in (scale, plural(len(claim.shown.seeds), "seed")) if part)
    return "<br>".join([*said, f"*Scale:* {scale}."] if scale else said)


def links(claim: Claim) -> str:
    """Links to the cell, the record, and the code of the record's commit."""
    if not claim.page:
        return ""
    where = f"{{doc}}`../{claim.page}`" if claim.page.startswith("notebooks/") else f"{{doc}}`/{claim.page}`"
    if claim.anchor:
        kind = "eq" if claim.anchor.startswith("eq-") else "numref"
        where = f"{{{kind}}}`{claim.anchor}`"
    if claim.shown is None:
        return where + (", computed in every build" if claim.record == EVERY_BUILD else "")
    record = f"records/{claim.shown.profile}-{claim.shown.experiment}.md"
    return f"{where}, [record]({record}), [code]({record}#code)"


def write_readme(root: Path) -> bool:
    """Put the summary into README.md; whether that changed it."""
    path = root / "README.md"
    before = path.read_text(encoding="utf-8")
    text = "\n".join(digest(load(root)))
    after = SUMMARY.sub(lambda match: f"{match[1]}{text}{match[2]}", before)
    if after != before:
        with replacing(path) as draft:
            draft.write_text(after, encoding="utf-8")
    return after != before


def main() -> int:
    """Write README.md's summary anew."""
    try:
        print("README.md: written" if write_readme(book_root()) else "README.md: unchanged")
    except L2OError as error:
        print(f"claims: {error}", file=sys.stderr)
        return 2
    return 0


@cache
def _read(root: Path) -> dict[str, Any]:
    import yaml

    return yaml.safe_load((root / "book" / "claims.yml").read_text(encoding="utf-8"))


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
    table, row, *column = reference.split(" / ")
    cells = Published(table).rows.get(row, {})
    if not cells or (column and column[0] not in cells):
        raise ConfigError(f"book/claims.yml: no {reference!r} in book/published.yml")
    if column:
        return f"{row}: {cells[column[0]]}"
    return f"{row}: " + ", ".join(
        f"{name} {text}" if len(cells) > 1 else text for name, text in cells.items()
    )


def _measured(test: str, found: Comparison) -> str:
    """One comparison: its name, both sides, the difference and its interval."""
    name = test.partition(": ")[2]
    mean, other = found.sides
    if math.isnan(mean):
        return f"{name}: {found}"
    exact = abs(found.high - found.low) < 1e-6
    return (
        f"{name}: {mean:.3g} against {other:.3g}, difference {f'{found.difference:+.3g}' if exact else found}"
    )


if __name__ == "__main__":
    sys.exit(main())
