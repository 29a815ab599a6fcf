"""A front as text, as LaTeX, as HTML and as a curve."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING

from ..errors import optional_import
from ..expressions import Convention, Expression, System, conventions

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .front import Entry, ParetoFront


def to_text(front: ParetoFront, width: int) -> str:
    """A table in which long equations are cut so that lines have at most `width` characters."""
    closed = "  closed" if front.recurrent else ""
    lines = [f"complexity        loss       r2{closed}  equation"]
    for entry in front:
        fits = "".join(f"{fit:7.4f}  " for fit in _fits(front, entry))
        numbers = f"{entry.complexity:10d}  {entry.loss:10.3e}  {fits}"
        lines.append(numbers + shorten(entry.equation, width - len(numbers)))
    return "\n".join([*lines, *(convention.text for convention in _conventions(front))])


def to_latex(front: ParetoFront, digits: int) -> str:
    """A tabular (booktabs), constants rounded to significant `digits`, with a line for each convention."""
    lines = [
        rf"\begin{{tabular}}{{rrr{'r' * front.recurrent}l}}",
        r"\toprule",
        rf"complexity & loss & $R^2${' & closed loop' * front.recurrent} & equation \\",
        r"\midrule",
    ]
    for e in front:
        equation = e.equation.rounded(digits).latex()
        fits = " & ".join(f"{fit:.4f}" for fit in _fits(front, e))
        lines.append(rf"{e.complexity} & {e.loss:.{digits}g} & {fits} & ${equation}$ \\")
    width = 5 if front.recurrent else 4
    notes = [rf"\multicolumn{{{width}}}{{l}}{{\footnotesize {c.latex}}} \\" for c in _conventions(front)]
    return "\n".join([*lines, r"\bottomrule", *notes, r"\end{tabular}", ""])


def to_html(front: ParetoFront) -> str:
    """The table of `to_text` as HTML."""
    rows = "".join(
        f"<tr><td>{e.complexity}</td><td>{e.loss:.3e}</td>"
        + "".join(f"<td>{fit:.4f}</td>" for fit in _fits(front, e))
        + f"<td><code>{html.escape(shorten(e.equation, 160))}</code></td></tr>"
        for e in front
    )
    head = "<tr><th>complexity</th><th>loss</th><th>r2</th>"
    head += "<th>closed loop</th>" * front.recurrent + "<th>equation</th></tr>"
    notes = "".join(f"<p>{html.escape(c.text)}</p>" for c in _conventions(front))
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>{notes}"


def plot(front: ParetoFront, ax: Axes | None, color: str | None, linestyle: str, label: str | None) -> Axes:
    """Held-out R2 against complexity, in closed loop where it is known.

    The y axis reaches as low as any front on it, but not below -1.
    """
    if ax is None:
        with optional_import("a front's plot", extra="distill"):
            import matplotlib.pyplot as plt

        ax = plt.figure().add_subplot()
    fits = [_fits(front, entry)[-1] for entry in front]
    defined = [fit for fit in fits if not math.isnan(fit)]
    bottom = min(ax.get_ylim()[0], max(min(defined, default=0.0), -1.0))
    ax.plot(
        [entry.complexity for entry in front],
        fits,
        marker="o",
        markersize=3,
        color=color,
        linestyle=linestyle,
        label=label,
    )
    ax.set(
        xlabel="complexity (nodes)",
        ylabel=f"held-out $R^2${', closed loop' * front.recurrent}",
        ylim=(bottom, 1.03),
    )
    return ax


def _fits(front: ParetoFront, entry: Entry) -> tuple[float, ...]:
    """R2 one step ahead and, on a front of rules with a memory, in closed loop."""
    closed = math.nan if entry.closed_loop is None else entry.closed_loop
    return (entry.r2, closed) if front.recurrent else (entry.r2,)


def shorten(equation: Expression | System, width: int) -> str:
    """The equation with constants of 4 digits, cut to `width` characters: for reading, not for use."""
    text = str(equation.rounded(4))
    return text if len(text) <= width else text[: width - 1] + "…"


def _conventions(front: ParetoFront) -> tuple[Convention, ...]:
    return conventions(*(entry.equation for entry in front))
