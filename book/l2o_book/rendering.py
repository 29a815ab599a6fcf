"""A Sphinx extension: the last touches on the HTML of a page.

Drawings stand in the page itself, so that they follow its theme; tables scroll in a frame below their
caption; and a page says in its head what it is about.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

from .palette import css, themed
from .svg import GROUND

IMAGE = re.compile(r'<img alt="(?P<alt>[^"]*)"[^>]* src="(?P<src>[^"]*\.svg)"[^>]*/>')
TABLE = re.compile(
    r'<div class="pst-scrollable-table-container"><table(?P<attributes>[^>]*)>\n'
    r"(?:<caption>(?P<caption>.*?)</caption>\n)?(?P<rows>.*?)</table>\n</div>",
    re.DOTALL,
)
FRAME = 'class="pst-scrollable-table-container l2o-frame" role="region" tabindex="0"'


def setup(app: Any) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("html-page-context", finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def finish(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Finish one page; `context` is what its template is filled with."""
    metatags = re.sub(r'<meta name="viewport"[^>]*>\s*', "", context.get("metatags", ""))  # the theme has one
    context["metatags"] = metatags + f"<style>{css()}</style>\n"
    if doctree is None:
        return
    body = context["body"]
    if 'name="description"' not in metatags and (text := description(body)):
        context["metatags"] += f'<meta name="description" content="{html.escape(text)}" />\n'
    sources = {Path(name).name: Path(app.srcdir) / path for path, name in app.builder.images.items()}
    context["body"] = tables(drawings(body, sources))


def description(body: str, length: int = 200) -> str:
    """The first paragraph below the note on how a page was made, as text of at most `length` characters."""
    body = re.sub(r'<div class="l2o-run.*?</div>', "", body, flags=re.DOTALL)
    for paragraph in re.findall(r"<p>(.*?)</p>", body, re.DOTALL):
        text = html.unescape(re.sub(r"<[^>]*>|\\[()]", "", paragraph))
        text = re.sub(r"^What this page shows\.\s*", "", " ".join(text.split()))
        if len(text) > length:
            text = text[:length].rsplit(" ", 1)[0].rstrip(",;:.") + " …"
        if text:
            return text
    return ""


def drawings(body: str, sources: dict[str, Path]) -> str:
    """The page with the book's drawings in place of references to them, in colours that follow the theme.

    Drawings of others, which do not have the book's ground, stay images.
    """

    def inline(match: re.Match[str]) -> str:
        source = sources.get(Path(match["src"]).name)
        text = source.read_text(encoding="utf-8") if source else ""
        if GROUND not in text:
            return match[0]
        opened = f'<svg class="l2o-figure" role="img" aria-label="{match["alt"]}"'
        return themed(text.replace(GROUND, "", 1).replace(' role="img"', "", 1).replace("<svg", opened, 1))

    return IMAGE.sub(inline, body)


def tables(body: str) -> str:
    """The page with each table in a frame that scrolls, can be reached with the keyboard and has a name."""

    def framed(match: re.Match[str]) -> str:
        attributes, caption = match["attributes"], match["caption"]
        found = re.search(r' id="([^"]*)"', attributes)
        label, before, after = 'aria-label="table"', "", ""
        if caption is not None and found:
            name, attributes = found[1], attributes.replace(found[0], "")
            label = f'aria-labelledby="{name}-caption"'
            before = (
                f'<figure class="l2o-table"{found[0]}><figcaption id="{name}-caption">{caption}</figcaption>'
            )
            after = "</figure>"
        return f"{before}<div {FRAME} {label}><table{attributes}>\n{match['rows']}</table>\n</div>{after}"

    return TABLE.sub(framed, body)
