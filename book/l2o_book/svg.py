"""A matplotlib figure as SVG: sharp at every size, small, and of one width on every page."""

from __future__ import annotations

import io
import re
import warnings
from itertools import combinations
from typing import TYPE_CHECKING

from l2o_core.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.text import Text

WIDTH = 7.0  # inches; 672 CSS pixels, the width of a page's text on a desktop
SMALLEST = 9.0  # points; the smallest text that a page may show
GROUND = "background:#fff;"  # for notebooks, whose page may be dark; the book removes it
LINES = "stroke-linejoin:round;stroke-linecap:butt"  # what matplotlib's style sheet, removed here, says


def drawn(fig: Figure, name: str) -> str:
    """The figure as SVG; one that is wider than the page is drawn anew at the page's width.

    Raises ConfigError, with the text, if any text would be smaller than 9 points, and warns of text that runs
    out of the picture or over other text.
    """
    width, height = fig.get_size_inches()
    if width > WIDTH:
        fig.set_size_inches(WIDTH, height * WIDTH / width)
    if small := smallest(fig):
        raise ConfigError(
            f"figure {name!r} has text of {small[1]:.1f} points ({small[0]!r}), too small to read on a page: "
            f"use the style's sizes, or at least fontsize={SMALLEST:g}"
        )
    for fault in faults(fig):
        warnings.warn(f"figure {name!r}: {fault}", stacklevel=3)
    import matplotlib as mpl

    file = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "path", "svg.hashsalt": name}):
        fig.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return compact(file.getvalue(), name)


def smallest(fig: Figure) -> tuple[str, float] | None:
    """The smallest text of a figure, and its size in points, if it is smaller than a page may show."""
    sizes = [(float(text.get_fontsize()), text.get_text()) for text in _texts(fig)]
    size, words = min(sizes, default=(SMALLEST, ""))
    return (words, size) if size < SMALLEST else None


def faults(fig: Figure) -> list[str]:
    """Texts of a figure that cannot be read, in words: cut at an edge, or one over another."""
    boxes = [(text.get_text(), text.get_window_extent()) for text in _texts(fig)]
    edge = fig.bbox.padded(1)
    cut = [words for words, box in boxes if not (edge.contains(*box.min) and edge.contains(*box.max))]
    meet = [
        (one, two)
        for (one, a), (two, b) in combinations(boxes, 2)
        if min(a.x1, b.x1) - max(a.x0, b.x0) > 2 and min(a.y1, b.y1) - max(a.y0, b.y0) > 2
    ]
    outside = [f"{words!r} runs out of the picture" for words in cut]
    return outside + [f"{one!r} and {two!r} overlap" for one, two in meet]


def _texts(fig: Figure) -> list[Text]:
    """The texts that a reader sees, in their places: none of ticks outside the axes, none of hidden axes."""
    from matplotlib.axis import Tick
    from matplotlib.text import Text

    fig.draw_without_rendering()
    unseen: set[Text] = set()
    for ax in fig.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            margin = 1e-9 * (high - low)
            for tick in axis.findobj(Tick):
                if not low - margin <= tick.get_loc() <= high + margin:
                    unseen |= {tick.label1, tick.label2}
            if not (ax.axison and axis.get_visible()):
                unseen |= set(axis.findobj(Text))
    texts = [text for text in fig.findobj(Text) if text not in unseen]
    return [text for text in texts if text.get_visible() and text.get_text().strip()]


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
