"""A figure that its reader moves through: frames on a slider, such as the equations of a Pareto front.

In the book's pages the frames are drawn by book/static/explorer.js, without a kernel; in a running notebook
by matplotlib, below ipywidgets. Where neither works, the picture of the first frame stands.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, cast

from l2o_core.errors import ConfigError

from . import explorer_widget, mime, plots, svg
from .palette import DASHES, LIGHT, Look, looks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLES = ("line", "dash", "points")

Limits = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """Points (x[i], y[i]), drawn as a line, a dashed line or dots.

    Without a colour, the optimizers' names have the look of the palette; other labels get a colour each, the
    same in all frames.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float]
    color: str | None = None
    style: Literal["line", "dash", "points"] = "line"


@dataclass(frozen=True)
class Frame:
    """One position of the slider: its label, facts in words ({"R²": "0.93"}), an equation, and curves."""

    label: str
    facts: Mapping[str, str] = field(default_factory=dict)
    latex: str | None = None
    curves: Sequence[Curve] = ()

    @property
    def words(self) -> str:
        """Label and facts in one line."""
        return " · ".join([self.label, *(f"{name} {value}" for name, value in self.facts.items())])

    @property
    def equation(self) -> str | None:
        """The equation for display, a long sum over several lines."""
        return plots.broken(" ".join(self.latex.strip().strip("$").split())) if self.latex else None


@dataclass(frozen=True)
class _Drawn(Curve):
    """A curve as it is drawn: rounded, with a colour (hexadecimal) and the dashes of its line, if any."""

    color: str = ""
    dashes: Sequence[float] = ()


@dataclass(frozen=True)
class _Axes:
    """What all frames share, so that the picture does not jump."""

    x: str
    y: str
    logx: bool
    logy: bool
    xlim: Limits
    ylim: Limits


def explorer(
    frames: Sequence[Frame] | Mapping[str, Sequence[Frame]],
    *,
    name: str,
    caption: str,
    control: str = "complexity",
    choice: str = "choice",
    x: str = "x",
    y: str = "y",
    logx: bool = False,
    logy: bool = False,
    xlim: Limits | None = None,
    ylim: Limits | None = None,
    start: int = 0,
    alt: str | None = None,
    record: Mapping[str, Any] | None = None,
) -> None:
    """Show frames with a slider named `control`; a mapping of frames adds a select box named `choice`.

    `start` is the position seen first, of the first choice; `alt` and `record` are as for `plots.figure`.
    Labels, facts and axis names are plain text (R², not $R^2$). Points that are not finite, or not
    positive on a log axis, are left out; numbers keep 4 significant digits. Axes span all frames unless
    `xlim` or `ylim` say otherwise. ConfigError if there are no frames or curves, a curve has nothing to
    draw, or `name` does not begin with "fig-".
    """
    from matplotlib import rc_context

    groups = dict(frames) if isinstance(frames, Mapping) else {"": frames}
    if not groups or not all(groups.values()):
        raise ConfigError(f"explorer {name!r} needs at least one frame to show, for each choice")
    first = next(iter(groups))
    if not 0 <= start < len(groups[first]):
        raise ConfigError(f"explorer {name!r} cannot start at frame {start} of {len(groups[first])}")
    found = looks(curve.label for group in groups.values() for frame in group for curve in frame.curves)

    def drawable(frame: Frame) -> Frame:
        curves = [_drawable(curve, logx, logy, found[curve.label]) for curve in frame.curves]
        return replace(frame, curves=curves)

    groups = {label: [drawable(frame) for frame in group] for label, group in groups.items()}
    drawn = [curve for group in groups.values() for frame in group for curve in frame.curves]
    if not drawn:
        raise ConfigError(f"explorer {name!r} has no curve in any frame")
    limits = (
        _limits((v for curve in drawn for v in curve.x), logx, xlim),
        _limits((v for curve in drawn for v in curve.y), logy, ylim),
    )
    axes = _Axes(x, y, logx, logy, *limits)

    @cache
    def picture(group: str, position: int) -> tuple[str, int]:
        with rc_context(plots.STYLE):
            return plots.png(_picture(groups[group][position], axes))

    with rc_context(plots.STYLE):
        still = _picture(groups[first][start], axes)
        drawn_still = svg.drawn(still, name)
    data = {
        mime.EXPLORER: {"control": control, "choice": choice, "start": start} | _packed(groups, axes),
        mime.SVG: drawn_still,
        "text/plain": f"<explorer {name}>",
    }
    if explorer_widget.live():
        # One output with both: a front end shows the widget if it can, or else the picture.
        widget = explorer_widget.widget(groups, picture, control=control, choice=choice, start=start)
        data[mime.WIDGET_VIEW] = widget._repr_mimebundle_()[mime.WIDGET_VIEW]
    mime.mark("explorer", name, data, caption, alt=alt or plots.description(still), record=record)


def _drawable(curve: Curve, logx: bool, logy: bool, look: Look) -> _Drawn:
    """The curve with its look, rounded, without the points that its axes cannot show."""
    from matplotlib.colors import to_hex

    if curve.style not in STYLES:
        raise ConfigError(
            f"curve {curve.label!r} cannot be drawn as {curve.style!r}: use {', '.join(STYLES)}"
        )
    if len(curve.x) != len(curve.y):
        raise ConfigError(f"curve {curve.label!r} has {len(curve.x)} x but {len(curve.y)} y")
    points = [(_rounded(a), _rounded(b)) for a, b in zip(curve.x, curve.y, strict=True)]
    points = [
        (a, b)
        for a, b in points
        if math.isfinite(a) and math.isfinite(b) and (a > 0 or not logx) and (b > 0 or not logy)
    ]
    if not points:
        raise ConfigError(f"curve {curve.label!r} has no point that can be drawn: all are infinite or NaN, "
                          "or not positive on a log axis")  # fmt: skip
    try:
        color = to_hex(curve.color or LIGHT[look.color])
    except ValueError:
        raise ConfigError(f"curve {curve.label!r} has no valid colour: {curve.color!r}") from None
    x, y = zip(*points, strict=True)
    dashes = {"line": DASHES[look.dash], "dash": DASHES["dash"], "points": ()}[curve.style]
    return _Drawn(curve.label, x, y, style=curve.style, color=color, dashes=dashes)


def _rounded(value: float) -> float:
    return float(f"{float(value):.4g}")


def _limits(values: Iterable[float], log: bool, given: Limits | None) -> Limits:
    """The limits of an axis: those given, or the range of the values with a margin of 4 %."""
    if given is not None:
        low, high = map(float, given)
        if not (math.isfinite(low) and math.isfinite(high) and low < high and (low > 0 or not log)):
            raise ConfigError(f"limits {given} are not an increasing pair of numbers that the axis can show")
        return low, high
    values = list(values)
    low, high = min(values), max(values)
    if log:
        low, high = math.log10(low), math.log10(high)
    margin = 0.04 * (high - low) or 0.05 * abs(high) or 0.5
    low, high = low - margin, high + margin
    return (10**low, 10**high) if log else (low, high)


def _packed(groups: Mapping[str, Sequence[Frame]], axes: _Axes) -> dict[str, Any]:
    """Frames as JSON; curves name x and y by position in `arrays`: many are the same in all frames."""
    arrays: dict[tuple[float, ...], int] = {}

    def curve(of: _Drawn) -> dict[str, Any]:
        x, y = (arrays.setdefault(tuple(values), len(arrays)) for values in (of.x, of.y))
        look = {"color": of.color, "dashes": list(of.dashes), "points": of.style == "points"}
        return {"label": of.label, "x": x, "y": y, **look}

    def frame(of: Frame) -> dict[str, Any]:
        facts = [[str(name), str(value)] for name, value in of.facts.items()]
        curves = [curve(cast(_Drawn, each)) for each in of.curves]
        return {"label": of.label, "facts": facts, "latex": of.equation, "curves": curves}

    packed = [{"label": label, "frames": [frame(each) for each in group]} for label, group in groups.items()]
    return asdict(axes) | {"groups": packed, "arrays": [list(values) for values in arrays]}


def _picture(frame: Frame, axes: _Axes) -> Figure:
    """A frame's curves, titled with its label and facts."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=plots.figure_size())
    ax = fig.add_subplot(
        xscale="log" if axes.logx else "linear",
        yscale="log" if axes.logy else "linear",
        xlim=axes.xlim,
        ylim=axes.ylim,
    )
    for curve in frame.curves:
        ax.plot(curve.x, curve.y, color=curve.color, label=curve.label, **_marks(cast(_Drawn, curve)))
    ax.set_xlabel(axes.x, parse_math=False)
    ax.set_ylabel(axes.y, parse_math=False)
    ax.set_title(textwrap.fill(frame.words, 80), parse_math=False)
    if ax.get_legend_handles_labels()[0]:
        for text in ax.legend().get_texts():
            text.set_parse_math(False)
    return fig


def _marks(curve: _Drawn) -> dict[str, Any]:
    """Dots, or a line with its dashes, as arguments of `ax.plot`."""
    if curve.style == "points":
        return {"linestyle": "", "marker": "o", "ms": 3.5, "mew": 0, "alpha": 0.6}
    return {"linestyle": (0, tuple(curve.dashes)) if curve.dashes else "-"}
