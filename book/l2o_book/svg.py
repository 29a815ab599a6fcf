"""A matplotlib figure as SVG: sharp at every size, small, and of one width on every page."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from l2o_core.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 7.0  # inches; 672 CSS pixels, the width of a page's text on a desktop
SMALLEST = 9.0  # points; the smallest text that a page may show
GROUND = "background:#fff;"  # for notebooks, whose page may be dark; the book removes it
LINES = "stroke-linejoin:round;stroke-linecap:butt"  # what matplotlib's style sheet, removed here, says


def drawn(fig: Figure, name: str) -> str:
    """The figure as SVG; one that is wider than the page is drawn anew at the page's width.

    Raises ConfigError, with the text, if any text would be smaller than 9 points.
    """
    width, height = fig.get_size_inches()
    if width > WIDTH:
        fig.set_size_inches(WIDTH, height * WIDTH / width)
    if small := smallest(fig):
        raise ConfigError(
            f"figure {name!r} has text of {small[1]:.1f} points ({small[0]!r}), too small to read on a page: "
            f"use the style's sizes, or at least fontsize={SMALLEST:g}"
        )
    import matplotlib as mpl

    file = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": name}):
        fig.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return compact(file.getvalue(), name)


def smallest(fig: Figure) -> tuple[str, float] | None:
    """The smallest text of a figure, and its size in points, if it is smaller than a page may show."""
    from matplotlib.text import Text

    fig.draw_without_rendering()  # ticks get their texts
    texts = [text for text in fig.findobj(Text) if text.get_visible() and text.get_text().strip()]
    sizes = [(float(text.get_fontsize()), text.get_text()) for text in texts]
    size, words = min(sizes, default=(SMALLEST, ""))
    return (words, size) if size < SMALLEST else None


def compact(text: str, name: str) -> str:
    """Matplotlib's SVG with two decimals, short names of its own, and nothing that no browser needs.

    Several drawings can then stand in one page: every name in them begins with `name`.
    """
    text = text[text.index("<svg") :]
    text = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>|<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r'xlink:href="', 'href="', re.sub(r' xmlns:xlink="[^"]*"', "", text))
    text = re.sub(r'( (?:d|x|y|points|width|height|transform)=")([^"]*)', _rounded, text)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', text))
    short = {old: f"{name}-{number}" for number, old in enumerate(sorted(used))}
    text = re.sub(r' id="([^"]*)"', lambda m: f' id="{short[m[1]]}"' if m[1] in short else "", text)
    text = re.sub(r'(href="#|url\(#)([^")]+)', lambda m: m[1] + short[m[2]], text)
    text = re.sub(r"; (?=[a-z-]+:)", ";", re.sub(r"(?<=[a-z]): (?=[^\"<]*\")", ":", text))
    text = re.sub(r">\s+<", "><", re.sub(r"\s*\n\s*", " ", text))
    while (simpler := re.sub(r"<g>((?:(?!</?g\b).)*)</g>", r"\1", text)) != text:
        text = simpler
    text = text.replace(' version="1.1"', "").replace("<defs></defs>", "").strip()
    return text.replace("<svg", f'<svg style="{GROUND}{LINES}"', 1)


def _rounded(match: re.Match[str]) -> str:
    """An attribute with its numbers at two decimals, scales (of glyphs) as they are."""
    if "scale" in match[2]:
        whole = re.sub(r"translate\([^)]*\)", lambda m: _decimals(m[0]), match[2])
    else:
        whole = _decimals(match[2])
    return match[1] + re.sub(r"\s*([MLHVCSQTAZ])\s*", r"\1", whole).strip()


def _decimals(text: str) -> str:
    return re.sub(r"-?\d+\.\d{2,}", lambda m: f"{float(m[0]):.2f}".rstrip("0").rstrip("."), text)
