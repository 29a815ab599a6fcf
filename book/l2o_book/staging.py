"""From an executed notebook to a page of the book: marked outputs become numbered, papermill's traces go."""

from __future__ import annotations

import base64
import json
import re
from copy import deepcopy
from pathlib import Path

from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
EXPLORER = "application/vnd.l2o.explorer+json"


def page(executed: NotebookNode, figures: Path) -> NotebookNode:
    """The notebook as the book shows it; figures are written to the folder `figures` beside the page.

    Left out: the injected parameters and the error notes of papermill, its paths and times, widgets (they
    need a kernel) and what went to stderr.
    """
    run = executed.metadata.get("l2o", {})
    cells = []
    for cell in deepcopy(executed.cells):
        tags = cell.metadata.get("tags", [])
        if "injected-parameters" in tags or any("papermill-error" in tag for tag in tags):
            continue
        cell.metadata = NotebookNode({k: v for k, v in cell.metadata.items() if k in ("tags", "mystnb")})
        if "parameters" in tags:
            cell.metadata |= {"tags": [*tags, "hide-input"], "mystnb": {"code_prompt_show": "Parameters"}}
        cells.append(cell)
        if cell.cell_type == "code":
            cell.execution_count = None
            marked = [output for output in cell.outputs if "l2o" in output.get("metadata", {})]
            cell.outputs = [output for output in cell.outputs if _shown(output)]
            for output in marked:
                if source := directive(output, figures):
                    cells.append(new_markdown_cell(source, id=f"{output.metadata.l2o.name}"))
    notebook = NotebookNode(executed | {"cells": cells})
    notebook.metadata = NotebookNode({k: v for k, v in executed.metadata.items() if k == "kernelspec"})
    if run:
        cells.insert(_after_title(cells), new_markdown_cell(note(run), id="l2o-run"))
    return notebook


def directive(output: NotebookNode, figures: Path) -> str | None:
    """The numbered MyST directive of one marked output (None for a caption: the directive carries it)."""
    mark, data = output.metadata.l2o, output.data
    if mark.kind in ("figure", "explorer"):
        figures.mkdir(parents=True, exist_ok=True)
        (figures / f"{mark.name}.png").write_bytes(base64.b64decode(data["image/png"]))
        width = output.metadata.get("image/png", {}).get("width", 640)
        alternative = re.sub(r"[${}`*\\]", "", mark.caption)
        picture = (
            f"```{{figure}} {figures.name}/{mark.name}.png\n:name: {mark.name}\n:alt: {alternative}\n"
            f":width: {width}px\n:class: l2o-figure\n\n{mark.caption}\n```"
        )
        return f"{picture}\n\n{frames(data[EXPLORER])}" if mark.kind == "explorer" else picture
    if mark.kind == "table":
        return f"````{{table}} {mark.caption}\n:name: {mark.name}\n\n{data['text/markdown']}\n````"
    if mark.kind == "equation":
        return f"```{{math}}\n:label: {mark.name}\n\n{data['text/plain']}\n```"
    return None


def frames(explorer: dict) -> str:
    """The data of an explorer behind its static picture, which static/explorer.js replaces.

    They are in the page, as a page opened from disk may not fetch a file; no `<` in them can end the script.
    """
    text = json.dumps(explorer, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    return f'```{{raw}} html\n<script type="application/json" class="l2o-frames">{text}</script>\n```'


def note(run: dict) -> str:
    """The line under a page's title: at which profile it was made, with which parameters, in what time."""
    if run["failure"]:
        return f"````{{error}}\nThe run that made this page failed:\n\n```text\n{run['failure']}\n```\n````"
    settings = ", ".join(f"`{key}={value}`" for key, value in run["parameters"].items() if key != "profile")
    changed = f" with {settings}" if settings else ""
    text = f"Made in the **{run['profile']}** profile{changed}, in {duration(run['seconds'])}."
    return f"```{{div}} l2o-run\n{text}\n```"


def duration(seconds: float) -> str:
    """Seconds as a reader says them."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _shown(output: NotebookNode) -> bool:
    if output.output_type == "stream":
        return output.name != "stderr"
    return "l2o" not in output.get("metadata", {}) and WIDGET_VIEW not in output.get("data", {})


def _after_title(cells: list[NotebookNode]) -> int:
    """Where the note goes: behind the cell with the page's title."""
    return 1 if cells and cells[0].cell_type == "markdown" else 0
