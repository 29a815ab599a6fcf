"""The figures, tables and equations of the book: one look, and captions written from measured numbers.

`figure`, `table` and `equation` show their object in a running notebook and mark the output with a name and
a caption; the book turns marked outputs into numbered ones that text can refer to as {numref}`fig-race`.
"""

from __future__ import annotations

import base64
import io
import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from l2o_core.errors import DataError

from . import mime, svg
from .palette import COLORS, CYCLE, INK, color, line_style, look

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from l2o_core.distiller import Entry, ParetoFront

__all__ = ["COLORS", "CYCLE", "INK", "band", "color", "equation", "figure", "figure_size", "fronts",
           "line_style", "png", "table", "use_style"]  # fmt: skip

STYLE: Any = {  # matplotlib types each of its hundreds of names
    "figure.figsize": (svg.WIDTH, 3.6),
    "figure.dpi": 96,  # inches as CSS has them
    "figure.facecolor": "none",
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "none",
    "axes.facecolor": "none",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.linewidth": 0.7,
    "axes.formatter.use_mathtext": True,
    "grid.color": INK,
    "grid.alpha": 0.2,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "legend.handlelength": 2.8,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.8,
    "lines.dash_capstyle": "butt",
    "patch.edgecolor": INK,
    "font.size": 10,
    "mathtext.fontset": "cm",
    "image.cmap": "viridis",
}


def use_style() -> None:
    """Set the book's matplotlib style: the page's width, readable text, colours of the palette."""
    import matplotlib.pyplot as plt
    from cycler import cycler

    plt.rcParams.update(STYLE | {"axes.prop_cycle": cycler(color=CYCLE)})


def figure_size(rows: int = 1, columns: int = 1, *, height: float | None = None) -> tuple[float, float]:
    """Width and height, in inches, of a figure as wide as the page with a grid of panels.

    `height` is that of one row; without it, panels are a little wider than high.
    """
    panel = svg.WIDTH / columns
    return svg.WIDTH, rows * (height or min(3.4, max(2.2, 0.85 * panel)))


def band(ax: Axes, curves: Any, label: str, *, x: Any = None, **line: Any) -> None:
    """Draw the median of `curves` [S, T] over seeds S, and the central 68 % of the seeds as a band around it.

    For normal spread that is mean ± standard deviation, but it stays inside the data on a log axis. Curves
    that diverge (any value not finite) are left out and counted in the legend; DataError if none is left.
    An optimizer of the palette has its own colour, dashes and marker, where `line` does not say otherwise.
    """
    from matplotlib.cbook import normalize_kwargs
    from matplotlib.lines import Line2D

    curves = np.atleast_2d(np.asarray(curves, dtype=float))
    kept = curves[np.isfinite(curves).all(axis=1)]
    if len(kept) == 0:
        raise DataError(f"every curve of {label!r} diverged; there is nothing to draw")
    lost = len(curves) - len(kept)
    low, middle, high = np.quantile(kept, [0.16, 0.5, 0.84], axis=0)
    steps = np.arange(curves.shape[1]) if x is None else np.asarray(x)
    line = (line_style(label) if look(label) else {}) | normalize_kwargs(line, Line2D)
    legend = f"{label} ({lost} of {len(curves)} diverged)" if lost else label
    (drawn,) = ax.plot(steps, middle, label=legend, **line)
    ax.fill_between(steps, low, high, color=drawn.get_color(), alpha=0.15, linewidth=0)


def fronts(ax: Axes, fronts: Mapping[str, ParetoFront], chosen: Entry | None = None) -> None:
    """Draw held-out R² against complexity, a line for each front by label, and ring one chosen entry."""
    for label, front in fronts.items():
        front.plot(ax, label=label)
    if chosen is not None:
        ring: dict[str, Any] = {"ms": 11, "mfc": "none", "color": COLORS["equation"], "label": "chosen"}
        ax.plot(chosen.complexity, chosen.r2, "o", **ring)
    ax.legend()


def figure(
    fig: Figure,
    *,
    name: str,
    caption: str,
    alt: str | None = None,
    record: Mapping[str, Any] | None = None,
) -> None:
    """Show a figure with its caption below, and close it.

    `alt` says in words what the picture shows, to those who cannot see it (default: its axes and curves);
    `record` is the mark of the record that its numbers come from. Raises ConfigError for text below 9 points
    at the width of a page.
    """
    import matplotlib.pyplot as plt

    picture = svg.drawn(fig, name)
    alt = alt or description(fig)
    plt.close(fig)
    data = {mime.SVG: picture, "text/plain": f"<figure {name}>"}
    mime.mark("figure", name, data, caption, alt=" ".join(alt.split()), record=record)


def description(fig: Figure) -> str:
    """A figure in words: what is drawn against what in each panel, and the curves of its legends."""
    panels, curves = [], []
    for ax in fig.axes:
        drawn = f"{ax.get_ylabel()} against {ax.get_xlabel()}"
        axes = drawn if ax.get_ylabel() and ax.get_xlabel() else ax.get_ylabel() or ax.get_xlabel()
        panels.append(": ".join(part for part in (ax.get_title(), axes) if part))
        curves += ax.get_legend_handles_labels()[1]
    named = [panel for panel in dict.fromkeys(panels) if panel]
    count = f"Chart of {len(fig.axes)} panels" if len(fig.axes) > 1 else "Chart"
    text = count + (f": {'; '.join(named)}" if named else "")
    text += f". Curves: {', '.join(dict.fromkeys(curves))}." if curves else "."
    return re.sub(r"\\(?:mathrm|mathbf|hat|text)|[${}\\]", "", text)


def png(fig: Figure) -> tuple[str, int]:
    """A figure on white as PNG in base64, for widgets, and the width in pixels at which to show it."""
    file = io.BytesIO()
    fig.savefig(file, format="png", dpi=2 * fig.dpi, facecolor="white")
    data = file.getvalue()
    return base64.b64encode(data).decode(), int.from_bytes(data[16:20], "big") // 2  # from the PNG header


def table(frame: pd.DataFrame, *, name: str, caption: str, record: Mapping[str, Any] | None = None) -> None:
    """Show a frame as a table with its caption; cells may hold Markdown and $math$, floats keep 3 digits."""
    text = {"text/markdown": markdown(frame), "text/plain": frame.to_string(index=False)}
    mime.mark("table", name, text, caption, record=record)


def equation(latex: str, *, name: str) -> None:
    """Show LaTeX as a displayed equation, long sums over several lines; in the book it is numbered."""
    latex = broken(" ".join(latex.strip().strip("$").split()))
    mime.mark("equation", name, {"text/latex": f"$$\n{latex}\n$$", "text/plain": latex})


def broken(latex: str, width: int = 160) -> str:
    """`left = sum` on lines of about `width` characters of LaTeX, if it is longer than that."""
    left, equals, right = latex.partition(" = ")
    if not equals or len(latex) <= width:
        return latex
    depth, lines = 0, [""]
    for token in re.findall(r"\\[A-Za-z]+|\\.|.", right):
        depth += (token in "{(" or token == r"\left") - (token in "})" or token == r"\right")
        if depth == 0 and token in "+-" and lines[-1].endswith(" ") and len(lines[-1]) > width / 2:
            lines.append("")
        lines[-1] += token
    body = r" \\ &\quad ".join(line.strip() for line in lines)
    return rf"\begin{{aligned}} {left} &= {body} \end{{aligned}}" if len(lines) > 1 else latex


def markdown(frame: pd.DataFrame) -> str:
    """A frame as a Markdown table, numeric columns to the right; the index is not shown."""
    sides = ["right" if _numeric(frame.iloc[:, i]) else "left" for i in range(frame.shape[1])]
    cells = frame.map(_cell).rename(columns=_cell)
    return cells.to_markdown(index=False, colalign=sides, disable_numparse=True)


def _numeric(column: pd.Series) -> bool:
    values = [value for value in column if value is not None and value == value]
    return bool(values) and all(isinstance(value, int | float | np.number) for value in values)


def _cell(value: Any) -> str:
    """The text of a cell: none is blank, none ends where a bar stands in it, and no number breaks in two."""
    if value is None or value != value:
        return "–"
    if isinstance(value, float | np.floating):
        return f"{value:.3g}" if math.isfinite(value) else "diverged"
    text = " ".join(str(value).replace("|", r"\|").split()) or "–"
    numbers = r"(?<=\d) ± (?=\d)|\[[-+−.,\d ]*\]"
    return re.sub(numbers, lambda whole: whole[0].replace(" ", "\N{NO-BREAK SPACE}"), text)
