"""From an executed notebook to a page of the book: marked outputs become numbered, papermill's traces go.

Conventions for the authors of notebooks
----------------------------------------
*Which code a reader sees.* A cell that computes stays open. A cell that only draws or tabulates is tagged
`draw` (`# %% tags=["draw"]`) and folded to one line, "Show the code"; so is, without a tag, a cell of more
than 12 lines of which nothing comes but marked outputs (`plots.figure`, `plots.table`, `plots.equation`,
`explorer`), unless it is tagged `open`; so is a cell that mostly imports, as "Imports". The cell tagged
`parameters` is folded as "Parameters". A cell tagged `remove-cell` does not reach the page, nor do its
outputs. Helpers that only `draw` cells need are tagged `draw`, too.

*Figures.* `fig, axes = plt.subplots(1, 2, figsize=plots.figure_size(1, 2))` makes rows and columns of
panels as wide as the page; no `fontsize` is below 9. Curves of optimizers are drawn by `plots.band(ax,
curves, label)`, or `ax.plot(x, y, label=label, **plots.line_style(label))`; others take the colours of
`plots.CYCLE` by themselves. There are no other colours: those of the palette change with the page's theme.
`alt=` says in a sentence what there is to see, where axes and legend do not say it.

*Where numbers come from.* `page.record(...)` marks the record that a page shows. The line below the title
names it, and the caption of each figure and table after it links to the record's page, unless it says "this
build" or "this run". `plots.figure(..., record=mark)` and `plots.table(..., record=mark)` name another record
for one caption; a mark has the keys `name`, `source`, `path`, `commit`, `date`, `profile`.

*The first cell.* A notebook installs nothing and sets no paths: `l2o_book.sync` puts a cell before the
first code cell of each .ipynb that installs the packages where they are missing (Colab).
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Collection, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

from . import mime
from .palette import themed

LONG = 12  # lines; a longer cell of which only marked outputs come is folded
FOLDED = {"parameters": "Parameters", "draw": "Show the code"}  # tags, and what stands in the code's place
IMPORTS = "Imports"
UNREADABLE = re.compile(r"\[?<.* at 0x[0-9a-f]+>\]?|(Posix|Windows)Path\(.*\)", re.DOTALL)  # of use to nobody
OF_THE_BUILD = re.compile(r"\b[Tt]his (build|run)\b")  # in captions of what no record holds
KEPT = ("tags", "mystnb")  # metadata of a cell
LEFT_OUT = {"injected-parameters", "remove-cell", "papermill-error-cell-tag"}  # tags


Key = tuple[str, str]  # of a record: experiment and profile


def recorded(executed: NotebookNode) -> set[Key]:
    """The records that a notebook shows."""
    marks = (mime.marked(output) for cell in executed.cells for output in cell.get("outputs", []))
    return {_key(mark) for mark in marks if mark and mark["kind"] == "record"}


def page(
    executed: NotebookNode,
    figures: Path,
    repository: Mapping[str, str] | None = None,
    records_with_page: Collection[Key] = (),
    found: str = "",
) -> NotebookNode:
    """The notebook as the book shows it; figures are written to the folder `figures` beside the page.

    Left out: the injected parameters and the error notes of papermill, its paths and times, widgets (they
    need a kernel), what went to stderr, and values that print as an address in memory or a path on the disk.
    Links lead to the pages of `records_with_page`; to other records in `repository`, that of _config.yml.
    `found` is the box with what was found, which follows the note on the run.
    """
    run = executed.metadata.get("l2o", {})
    cells: list[NotebookNode] = []
    current = ""
    records: list[Mapping[str, Any]] = []
    for cell in deepcopy(executed.cells):
        tags = cell.metadata.get("tags", [])
        if {"injected-parameters", "remove-cell"} & set(tags) or any(
            "papermill-error" in tag for tag in tags
        ):
            continue
        cell.metadata = NotebookNode({key: value for key, value in cell.metadata.items() if key in KEPT})
        if prompt := folded(cell):
            cell.metadata |= {"tags": [*tags, "hide-input"], "mystnb": {"code_prompt_show": prompt}}
        cells.append(cell)
        if cell.cell_type != "code":
            continue
        cell.execution_count = None
        marked = [(output, mark) for output in cell.outputs if (mark := mime.marked(output))]
        cell.outputs = [output for output in cell.outputs if _shown(output)]
        for output, mark in marked:
            if mark["kind"] == "record":
                records += [mark] if mark.get("path") else []  # a run of the page's own needs no line
                current = page_of(mark) if _key(mark) in records_with_page else ""
            elif source := directive(output, figures, repository, current):
                cells.append(new_markdown_cell(source, id=mark["name"]))
    if run:
        about = note(run, records, repository, records_with_page)
        cells = _below_title(cells, "\n\n".join(part for part in (about, found) if part))
    notebook = NotebookNode(executed | {"cells": cells})
    notebook.metadata = NotebookNode({k: v for k, v in executed.metadata.items() if k == "kernelspec"})
    return notebook


def folded(cell: NotebookNode) -> str | None:
    """What stands in the place of a cell's code; None if the code is shown."""
    tags = cell.metadata.get("tags", [])
    if named := [FOLDED[tag] for tag in tags if tag in FOLDED]:
        return named[0]
    if cell.cell_type != "code" or "open" in tags or any(_shown(output) for output in cell.outputs):
        return None
    if _imports(cell.source):
        return IMPORTS
    return FOLDED["draw"] if cell.outputs and cell.source.count("\n") >= LONG else None


def _imports(source: str) -> bool:
    """Whether most statements of a cell are imports."""
    try:
        statements = ast.parse(source).body
    except SyntaxError:  # a magic command
        return False
    return sum(isinstance(each, ast.Import | ast.ImportFrom) for each in statements) * 2 > len(statements)


def directive(
    output: NotebookNode, figures: Path, repository: Mapping[str, str] | None = None, record_page: str = ""
) -> str | None:
    """The numbered MyST directive of one marked output (None for a caption: the directive carries it)."""
    mark, data = mime.marked(output) or {"kind": None}, output.data
    caption = mark.get("caption", "")
    if record := mark.get("record"):
        caption += f" Source: {cited(record, repository)}."
    elif record_page and mark["kind"] != "explorer" and not OF_THE_BUILD.search(caption):
        caption += f" [Record and code]({record_page})."  # no backticks in the title of a directive
    if mark["kind"] in ("figure", "explorer"):
        figures.mkdir(parents=True, exist_ok=True)
        (figures / f"{mark['name']}.svg").write_text(data[mime.SVG], encoding="utf-8")
        alternative = re.sub(r"[${}`*\\]", "", mark["alt"])
        picture = (
            f"```{{figure}} {figures.name}/{mark['name']}.svg\n:name: {mark['name']}\n:alt: {alternative}\n"
            f"\n{caption}\n```"
        )
        return picture if mark["kind"] == "figure" else f"{picture}\n\n{frames(data[mime.EXPLORER])}"
    if mark["kind"] == "table":
        return f"````{{table}} {caption}\n:name: {mark['name']}\n\n{data['text/markdown']}\n````"
    if mark["kind"] == "equation":
        return f"```{{math}}\n:label: {mark['name']}\n\n{data['text/plain']}\n```"
    return None


def frames(explorer: Mapping[str, Any]) -> str:
    """The data of an explorer behind its static picture, which static/explorer.js replaces.

    They are in the page, as a page opened from disk may not fetch a file; no `<` in them can end the script.
    """
    text = json.dumps(explorer, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return f'```{{raw}} html\n<script type="application/json" class="l2o-frames">{themed(text)}</script>\n```'


def note(
    run: Mapping[str, Any],
    records: Sequence[Mapping[str, Any]] = (),
    repository: Mapping[str, str] | None = None,
    records_with_page: Collection[Key] = (),
) -> str:
    """The lines under a page's title: which run its numbers are of, and how the page itself was made.

    `records` are the marks of recorded runs that the page shows in place of its own.
    """
    if run["failure"]:
        return f"````{{error}}\nThe run that made this page failed:\n\n```text\n{run['failure']}\n```\n````"
    said = ("profile", "show")  # in words
    settings = [f"`{key}={value}`" for key, value in run["parameters"].items() if key not in said]
    changed = f" with {', '.join(settings)}" if settings else ""
    made = f"in the **{run['profile']}** profile{changed}, in {duration(run['seconds'])}"
    names = {record["name"]: cited(record, repository, records_with_page) for record in records}
    lines = [f"Shows the **recorded run**: {words}." for words in names.values()] or [f"Made {made}."]
    if names:
        lines.append(f"The page itself was rebuilt {made}; numbers of that run are named as such.")
    return "```{div} l2o-run\n" + "\n\n".join(lines) + "\n```"


def page_of(record: Mapping[str, Any]) -> str:
    """The document with a record's page, as seen from a notebook's."""
    experiment, profile = _key(record)
    return f"../book/records/{profile}-{experiment}.md"


def _key(record: Mapping[str, Any]) -> Key:
    return record["name"], record.get("profile", "")


def cited(
    record: Mapping[str, Any],
    repository: Mapping[str, str] | None,
    records_with_page: Collection[Key] = (),
) -> str:
    """A record in words, with links to its file and to the code that made it.

    These are on its page, or else in the repository. The file is that of the repository's branch: a record
    cannot be part of the commit that made it.
    """
    words = [record.get("source") or record["name"], record.get("date", "")[:10]]
    if record.get("seconds"):
        words.append(f"{duration(record['seconds'])}{_machine(record.get('hardware') or {})}")
    path, sha = record.get("path"), record.get("commit")
    if _key(record) in records_with_page:
        words.append(f"[record and code]({page_of(record)})")
        repository = None
    if path and repository:
        words.append(f"record [{Path(path).name}]({repository['url']}/blob/{repository['branch']}/{path})")
    if sha and repository:
        words.append(f"code [{sha[:7]}]({repository['url']}/tree/{sha})")
    return ", ".join(word for word in words if word)


def _machine(hardware: Mapping[str, Any]) -> str:
    """Where a run took its time."""
    processor = hardware.get("gpu") or hardware.get("cpu")
    cores = hardware.get("cores")
    count = f", {cores} core{'s' if cores > 1 else ''}" if cores else ""
    return f" on {processor}{count}" if processor else ""


def duration(seconds: float) -> str:
    """Seconds as a reader says them."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _shown(output: NotebookNode) -> bool:
    """Whether a reader sees an output below its cell."""
    if output.output_type == "stream":
        return output.name != "stderr"
    data = output.get("data", {})
    if mime.marked(output) or mime.WIDGET_VIEW in data:
        return False
    return set(data) != {"text/plain"} or not UNREADABLE.fullmatch(data["text/plain"])


def _below_title(cells: list[NotebookNode], text: str) -> list[NotebookNode]:
    """The cells with a note between the page's title and what follows."""
    inserted = new_markdown_cell(text, id="l2o-run")
    if not cells or cells[0].cell_type != "markdown":
        return [inserted, *cells]
    title, _, rest = cells[0].source.strip().partition("\n")
    if not title.startswith("# "):
        return [cells[0], inserted, *cells[1:]]
    cells[0].source = title
    introduction = [new_markdown_cell(rest.strip(), id="l2o-introduction")] if rest.strip() else []
    return [cells[0], inserted, *introduction, *cells[1:]]
