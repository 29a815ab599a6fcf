"""The claims in words: for the page of claims, the head of each page, the first page and README.md.

python -m l2o_book.findings          write README.md's summary anew
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from l2o_core.errors import L2OError
from l2o_core.storage import replacing

from .checkout import book_root
from .claims import EVERY_BUILD, PAPERS, VERDICTS, Claim, faults, load, published, scale
from .records import plural
from .verdicts import NOT_REPRODUCED, NOT_RUN, REPRODUCED, UNDECIDED, Comparison

SUMMARY = re.compile(r"(<!-- claims -->\n)(?:.*?)(\n<!-- /claims -->)", re.DOTALL)


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
    lines = [f"- **{verdict.capitalize()}:** {'. '.join(said)}." for verdict, said in measured.items()]
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
    """The box for the head of a page: the papers' claims that it is about; empty if there is none."""
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
    return (
        ":::{admonition} Claims of the papers on this page\n:class: l2o-found\n" + "\n".join(lines) + "\n:::"
    )


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


def ours(claim: Claim) -> str:
    """What was measured, with scale and seeds; or why nothing was."""
    if claim.tests and claim.shown is None:
        return "No run is recorded yet; the page is there."
    said = [_measured(test, found) for test, found in claim.found.items()] or [claim.because]
    parts = [scale(claim), plural(claim.seeds or len(claim.shown.seeds), "seed") if claim.shown else ""]
    if any(parts):
        said.append(f"*Scale:* {'; '.join(part for part in parts if part)}.")
    return "<br>".join(said)


def links(claim: Claim) -> str:
    """Links to the cell, the record, and the code of the record's commit."""
    if not claim.page:
        return ""
    where = f"{{doc}}`../{claim.page}`" if claim.page.startswith("notebooks/") else f"{{doc}}`/{claim.page}`"
    if claim.anchor:
        kind = "eq" if claim.anchor.startswith("eq-") else "numref"
        where = f"{{{kind}}}`{claim.anchor}`"
    if claim.shown is None:
        return where + (", in every build" if claim.record == EVERY_BUILD else "")
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


def _measured(test: str, found: Comparison) -> str:
    """One comparison: its name, both sides, the difference and its interval."""
    name = test.partition(": ")[2]
    mean, other = found.sides
    if found.verdict == NOT_RUN:
        return f"{name}: not in the recorded run"
    if math.isnan(mean):
        return f"{name}: {found}"
    exact = abs(found.high - found.low) < 1e-6
    difference = f"{round(found.difference, 6) + 0.0:+.3g}" if exact else str(found)
    return f"{name}: {mean:.3g} against {other:.3g}, difference {difference}"


if __name__ == "__main__":
    sys.exit(main())
