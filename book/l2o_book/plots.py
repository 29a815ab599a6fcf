"""The figures, tables and equations of the book: one look, and captions written from measured numbers.

`figure`, `table` and `equation` show their object in a running notebook and mark the output with a name and
a caption; the book turns marked outputs into numbered ones that text can refer to as {numref}`fig-race`.
"""

from __future__ import annotations

import base64
import io
import math
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from l2o_core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from l2o_core.distiller import Entry, ParetoFront

INK = "#7b7b7b"  # text and axes: contrast above 4 on white and on the dark page (#121212) alike

COLORS = {
    "teacher": "#9a6bd6",
    "equation": "#d33b4b",
    "sgd": "#8b8b8b",
    "momentum": "#0a9a74",
    "nesterov": "#1795a6",
    "rmsprop": "#cf5fa5",
    "adamw": "#a67c00",
    "adam": "#0f8ad6",
    "lion": "#e0641a",
    "linear": "#b58900",
}
"""The colour that an optimizer has on every page; each reads well on white and on #121212."""

CYCLE = ["#0f8ad6", "#d33b4b", "#0a9a74", "#9a6bd6", "#e0641a", "#cf5fa5", "#a67c00", "#8b8b8b"]

STYLE = {
    "figure.figsize": (6.4, 3.8),
    "figure.dpi": 100,
    "figure.facecolor": "none",
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "none",
    "savefig.transparent": True,
    "axes.facecolor": "none",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": "medium",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": INK,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.8,
    "patch.edgecolor": INK,
    "font.size": 11,
    "image.cmap": "viridis",
}


def use_style() -> None:
    """Set the book's matplotlib style: transparent, mid-grey ink, colours that survive both themes."""
    import matplotlib.pyplot as plt
    from cycler import cycler

    plt.rcParams.update(STYLE | {"axes.prop_cycle": cycler(color=CYCLE)})


def color(label: str) -> str | None:
    """The fixed colour of the optimizer that `label` begins with ("Adam (lr 0.01)"); None if unknown."""
    return next((COLORS[name] for name in COLORS if label.lower().startswith(name)), None)


def band(ax: Axes, curves: Any, label: str, *, x: Any = None, **line: Any) -> None:
    """Draw the median of `curves` [S, T] over seeds S, and the central 68 % of the seeds as a band around it.

    For normal spread that is mean ± standard deviation, but it stays inside the data on a log axis. Curves
    that diverge (any value not finite) are left out and counted in the legend; DataError if none is left.
    """
    curves = np.atleast_2d(np.asarray(curves, dtype=float))
    kept = curves[np.isfinite(curves).all(axis=1)]
    if len(kept) == 0:
        raise DataError(f"every curve of {label!r} diverged; there is nothing to draw")
    lost = len(curves) - len(kept)
    low, middle, high = np.quantile(kept, [0.16, 0.5, 0.84], axis=0)
    steps = np.arange(curves.shape[1]) if x is None else np.asarray(x)
    if "color" not in line and (own := color(label)):
        line["color"] = own
    legend = f"{label} ({lost} of {len(curves)} diverged)" if lost else label
    (drawn,) = ax.plot(steps, middle, label=legend, **line)
    ax.fill_between(steps, low, high, color=drawn.get_color(), alpha=0.2, linewidth=0)


def fronts(ax: Axes, fronts: Mapping[str, ParetoFront], chosen: Entry | None = None) -> None:
    """Draw held-out R² against complexity, a line for each front by label, and ring one chosen entry."""
    for label, front in fronts.items():
        front.plot(ax, label=label)
    if chosen is not None:
        ring = {"ms": 11, "mfc": "none", "color": COLORS["equation"], "label": "chosen"}
        ax.plot(chosen.complexity, chosen.r2, "o", **ring)
    ax.legend()


def figure(fig: Figure, *, name: str, caption: str) -> None:
    """Show a figure, transparent and at twice the screen's resolution, with its caption below; close it."""
    import matplotlib.pyplot as plt

    data, width = png(fig)
    plt.close(fig)
    show("figure", name, "fig-", caption, {"image/png": data, "text/plain": f"<figure {name}>"}, width)


def png(fig: Figure) -> tuple[str, int]:
    """A figure as a transparent PNG in base64, and the width in pixels to show it at, half its own."""
    file = io.BytesIO()
    fig.savefig(file, format="png", dpi=2 * fig.dpi, transparent=True)
    data = file.getvalue()
    return base64.b64encode(data).decode(), int.from_bytes(data[16:20], "big") // 2  # from the PNG header


def table(frame: pd.DataFrame, *, name: str, caption: str) -> None:
    """Show a frame as a table with its caption; cells may hold Markdown and $math$, floats keep 3 digits."""
    text = {"text/markdown": markdown(frame), "text/plain": frame.to_string(index=False)}
    show("table", name, "tab-", caption, text)


def equation(latex: str, *, name: str) -> None:
    """Show LaTeX as a displayed equation, long sums over several lines; in the book it is numbered."""
    latex = broken(" ".join(latex.strip().strip("$").split()))
    show("equation", name, "eq-", None, {"text/latex": f"$$\n{latex}\n$$", "text/plain": latex})


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
    rows = [[str(column) for column in frame.columns]]
    rows.append(["---:" if _numeric(frame.iloc[:, i]) else ":---" for i in range(frame.shape[1])])
    rows += [[_cell(value) for value in row] for row in frame.itertuples(index=False, name=None)]
    rule = rows.pop(1)
    lines = [" | ".join(" ".join(cell.replace("|", r"\|").split()) for cell in row) for row in rows]
    return "\n".join(f"| {line} |" for line in [lines[0], " | ".join(rule), *lines[1:]])


def show(
    kind: str, name: str, prefix: str, caption: str | None, data: dict, width: int | None = None
) -> None:
    """Display `data` marked for the book, and the caption below it, which the book drops.

    `data` maps MIME types to contents, `width` is that of its picture in pixels. ConfigError unless `name`
    is `prefix` followed by small letters, digits or dashes.
    """
    from IPython.display import display

    if not re.fullmatch(rf"{prefix}[a-z0-9-]+", name):
        raise ConfigError(
            f"this {kind} cannot be named {name!r}: use {prefix} and small letters, digits or '-'"
        )
    mark = {"kind": kind, "name": name}
    if caption is not None:
        mark["caption"] = " ".join(caption.split())
    size = {} if width is None else {"image/png": {"width": width}}
    display(data, raw=True, metadata={"l2o": mark, **size})
    if caption is not None:
        below = {"text/markdown": f"*{mark['caption']}*", "text/plain": mark["caption"]}
        display(below, raw=True, metadata={"l2o": {"kind": "caption", "name": name}})


def _numeric(column: pd.Series) -> bool:
    values = [value for value in column if value is not None and value == value]
    return bool(values) and all(isinstance(value, int | float | np.number) for value in values)


def _cell(value: Any) -> str:
    if value is None or value != value:
        return "–"
    if isinstance(value, float | np.floating):
        return f"{value:.3g}" if math.isfinite(value) else "diverged"
    return str(value)
