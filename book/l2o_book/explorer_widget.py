"""An explorer in a running notebook: the same frames behind a slider, drawn by matplotlib."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ipywidgets

    from .explorer import Frame


def live() -> bool:
    """Whether a kernel and ipywidgets are there."""
    try:
        import ipywidgets  # noqa: F401
        from IPython import get_ipython
    except ImportError:
        return False
    return getattr(get_ipython(), "kernel", None) is not None


def widget(
    groups: Mapping[str, Sequence[Frame]],
    picture: Callable[[str, int], tuple[str, int]],
    *,
    control: str,
    choice: str,
    start: int,
) -> ipywidgets.VBox:
    """The controls above the picture and the equation of the frame that they name.

    `picture` draws a frame, named by its group and position: a PNG in base64, and its width in pixels.
    """
    import ipywidgets

    def options() -> list[tuple[str, int]]:
        return [(frame.label, i) for i, frame in enumerate(groups[select.value])]

    def group_changed(_: Any = None) -> None:
        position = min(slider.index or 0, len(groups[select.value]) - 1)
        slider.options = options()
        slider.index = position
        draw()

    def draw(_: Any = None) -> None:
        frame = groups[select.value][slider.index]
        data, width = picture(select.value, slider.index)
        chart.value = (
            f'<img src="data:image/png;base64,{data}" alt="{html.escape(frame.words)}" '
            f'style="width: {width}px; max-width: 100%">'
        )
        equation.value = f"$${html.escape(frame.equation)}$$" if frame.equation else ""

    wide = {"description_width": "initial"}
    select = ipywidgets.Dropdown(options=list(groups), description=choice, style=wide)
    slider = ipywidgets.SelectionSlider(options=options(), index=start, description=control, style=wide)
    chart = ipywidgets.HTML()
    equation = ipywidgets.HTMLMath(layout={"overflow": "auto hidden"})
    select.observe(group_changed, "value")
    slider.observe(draw, "index")
    draw()
    controls = [select, slider] if len(groups) > 1 else [slider]
    return ipywidgets.VBox([*controls, chart, equation])
