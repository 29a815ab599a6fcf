"""A front as text, as LaTeX, as HTML and as a curve."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING

from ..errors import optional_import
from ..expressions import Convention, Expression, System, conventions

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .front import ParetoFront


def to_text(front: ParetoFront, width: int) -> str:
    """A table in which long equations are cut so that lines have at most `width` characters."""
    lines = ["complexity        loss       r2  equation"]
    for entry in front:
        numbers = f"{entry.complexity:10d}  {entry.loss:10.3e}  {entry.r2:7.4f}  "
        lines.append(numbers + shorten(entry.equation, width - len(numbers)))
    return "\n".join([*lines, *(convention.text for convention in _conventions(front))])


def to_latex(front: ParetoFront, digits: int) -> str:
    """A tabular (booktabs), constants rounded to significant `digits`, with a line for each convention."""
    lines = [
        r"\begin{tabular}{rrrl}",
        r"\toprule",
        r"complexity & loss & $R^2$ & equation \\",
        r"\midrule",
    ]
    for e in front:
        equation = e.equation.rounded(digits).latex()
        lines.append(rf"{e.complexity} & {e.loss:.{digits}g} & {e.r2:.4f} & ${equation}$ \\")
    notes = [rf"\multicolumn{{4}}{{l}}{{\footnotesize {c.latex}}} \\" for c in _conventions(front)]
    return "\n".join([*lines, r"\bottomrule", *notes, r"\end{tabular}", ""])


def to_html(front: ParetoFront) -> str:
    """The table of `to_text` as HTML."""
    rows = "".join(
        f"<tr><td>{e.complexity}</td><td>{e.loss:.3e}</td><td>{e.r2:.4f}</td>"
        f"<td><code>{html.escape(shorten(e.equation, 160))}</code></td></tr>"
        for e in front
    )
    head = "<tr><th>complexity</th><th>loss</th><th>r2</th><th>equation</th></tr>"
    notes = "".join(f"<p>{html.escape(c.text)}</p>" for c in _conventions(front))
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>{notes}"


def plot(front: ParetoFront, ax: Axes | None, color: str | None, linestyle: str, label: str | None) -> Axes:
    """Held-out R2 against complexity; the y axis reaches as low as any front on it, but not below -1."""
    if ax is None:
        with optional_import("a front's plot", extra="distill"):
            import matplotlib.pyplot as plt

        ax = plt.figure().add_subplot()
    defined = [entry.r2 for entry in front if not math.isnan(entry.r2)]
    bottom = min(ax.get_ylim()[0], max(min(defined, default=0.0), -1.0))
    points = zip(*((entry.complexity, entry.r2) for entry in front), strict=True)
    ax.plot(*points, marker="o", markersize=3, color=color, linestyle=linestyle, label=label)
    ax.set(xlabel="complexity (nodes)", ylabel="held-out $R^2$", ylim=(bottom, 1.03))
    return ax


def shorten(equation: Expression | System, width: int) -> str:
    """The equation with constants of 4 digits, cut to `width` characters: for reading, not for use."""
    text = str(equation.rounded(4))
    return text if len(text) <= width else text[: width - 1] + "…"


def _conventions(front: ParetoFront) -> tuple[Convention, ...]:
    return conventions(*(entry.equation for entry in front))
