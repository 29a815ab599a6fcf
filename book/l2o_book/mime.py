"""How an output of a notebook tells the book that it is a figure, a table, an equation or a record.

`mark` is what plots, explorer and records write into an output's metadata, and `marked` is how staging reads
it. The contract between the two stands here and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from l2o_core.errors import ConfigError

KEY = "l2o"  # of an output's metadata
SVG = "image/svg+xml"
EXPLORER = "application/vnd.l2o.explorer+json"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
PREFIXES = {"figure": "fig-", "explorer": "fig-", "table": "tab-", "equation": "eq-", "record": ""}
"""The kinds of marked outputs, and how the name of each begins."""


def mark(kind: str, name: str, data: Mapping[str, Any], caption: str | None = None, **more: Any) -> None:
    """Display `data` (contents by MIME type) with a mark for the book, and the caption below it.

    `more` goes into the mark as it is, unless it is None. Raises ConfigError for a name that does not begin
    as its kind's names do, or is not made of small letters, digits, dashes and underscores.
    """
    from IPython.display import display

    prefix = PREFIXES[kind]
    if not re.fullmatch(rf"{prefix}[a-z0-9_-]+", name):
        begin = f"{prefix} and " if prefix else ""
        raise ConfigError(f"this {kind} cannot be named {name!r}: use {begin}small letters, digits or '-'")
    written = {"kind": kind, "name": name, "caption": caption and " ".join(caption.split()), **more}
    written = {key: value for key, value in written.items() if value is not None}
    display(dict(data), raw=True, metadata={KEY: written})
    if caption is not None:
        below = {"text/markdown": f"*{written['caption']}*", "text/plain": written["caption"]}
        display(below, raw=True, metadata={KEY: {"kind": "caption", "name": name}})


def marked(output: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The mark of an output; None if it has none."""
    return output.get("metadata", {}).get(KEY)
