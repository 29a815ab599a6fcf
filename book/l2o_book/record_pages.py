"""A page for each recorded run that the book shows: seeds, data, settings, hardware, commit, file and code.

They are made as the book is staged, and are part of the site, so that numbers lead to their source offline.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import claims, provenance, records
from .records import Record
from .tables import NOT_RECORDED

FOLDER = "records"  # within book/


def write(
    root: Path, site: Path, experiment: str, profile: str, repository: Mapping[str, str] | None
) -> bool:
    """Put a record's page, its file and the notebook that made it into the site; False if there is none."""
    source = root / "results" / profile / f"{experiment}.json"
    if not source.is_file():
        return False
    record = records.load(experiment, profile)
    folder = site / "book" / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, folder / f"{profile}-{experiment}.json")
    code = provenance.source_at(record.sha, f"notebooks/{experiment}.py") if record.sha else None
    if code is not None:
        (folder / f"{profile}-{experiment}.py").write_text(code, encoding="utf-8")
    text = page(record, has_code=code is not None, known=claims.faults(record, root), repository=repository)
    (folder / f"{profile}-{experiment}.md").write_text(text, encoding="utf-8")
    return True


def page(record: Record, *, has_code: bool, known: list[str], repository: Mapping[str, str] | None) -> str:
    """The Markdown of a record's page."""
    name = f"{record.profile}-{record.experiment}"
    facts = {
        "experiment": record.experiment,
        "profile": record.profile,
        "training seeds": ", ".join(map(str, record.seeds)),
        "data": record.dataset,
        "engine of the search": record.engine or "none",
        "wall time": f"{record.wall_time_s:.0f} s",
        "date": record.date,
        "commit": _commit(record),
        "digest of the library's code": record.code or NOT_RECORDED,
        **{f"hardware, {key}": value for key, value in record.hardware.items()},
        **{f"version of {key}": value for key, value in record.versions.items() if value},
    }
    lines = ["---", "orphan: true", "---", "", f"# Record: {record.experiment}, {record.profile}", ""]
    if known:
        faults = "; ".join(known)
        lines += [f":::{{warning}}\nKnown faults of this run: {faults}.\n:::", ""]
    lines += [f"The file with all values: {{download}}`{name}.json`.", "", *_table(facts), ""]
    lines += ["## Settings", ""]
    if record.parameters:
        lines += _table({f"`{key}`": f"`{value!r}`" for key, value in record.parameters.items()})
    else:
        lines.append(
            "Records of that time did not hold their settings. They are those of the profile, "
            f"in `profiles/{record.profile}/` at the commit."
        )
    lines += ["", "## Made from", "", *_used(record)]
    return "\n".join([*lines, "", *_code(record, name, has_code, repository)]) + "\n"


def _used(record: Record) -> list[str]:
    """Teachers, and how many results of each kind came from a cache; all digests are in the file."""
    if not record.used:
        return [f"Teachers and other results that this run read or made: {NOT_RECORDED}."]
    facts = {}
    for name, known in record.used.get("teachers", {}).items():
        facts[f"`{name}`"] = f"`{known['digest']}`, saw part {known['part'] or NOT_RECORDED}"
    for kind, found in record.used.items():
        if kind != "teachers":
            facts[kind] = f"{len(found['digests'])}, of which {found['from cache']} from a cache"
    return _table(facts)


def _code(record: Record, name: str, has_code: bool, repository: Mapping[str, str] | None) -> list[str]:
    """The section with the notebook that made the record."""
    lines = ["## Code", ""]
    if record.sha and repository and repository.get("url"):
        lines.append(f"The whole repository [at that commit]({repository['url']}/tree/{record.sha}).")
    if has_code:
        changed = ", with changes that were not committed" if record.commit and record.commit["dirty"] else ""
        lines += [
            f"The notebook that made it, as of commit `{(record.sha or '')[:7]}`{changed}:",
            "",
            f"```{{literalinclude}} {name}.py",
            ":language: python",
            "```",
        ]
    else:
        lines.append("The history that this site was built from does not have the notebook of that commit.")
    return lines


def _commit(record: Record) -> str:
    if not record.commit:
        return "none: the run was made outside a git repository"
    return f"`{record.sha}`" + (", with changes that were not committed" if record.commit["dirty"] else "")


def _table(facts: Mapping[str, Any]) -> list[str]:
    cells = [f"| {key} | {str(value).replace('|', ' ')} |" for key, value in facts.items()]
    return ["| what | value |", "| :-- | :-- |", *cells]
