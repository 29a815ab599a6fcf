"""The look of an optimizer on every page: its colour, its dashes and its marker, in the light and dark theme.

Colours are written as those of the light theme; `themed` replaces them by CSS variables, so that one drawing
serves both. Any two can be told apart with a red-green colour deficiency, and stand out on the page
(tests/book/test_palette.py); optimizers that share a colour differ in dashes or marker.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from l2o_core.errors import ConfigError

THEMES = {  # name: (on white, on #121212)
    "ink": ("#3f4752", "#c2c9d1"),  # text and axes
    "blue": ("#0e64d7", "#2eaefa"),
    "red": ("#e63327", "#f4492a"),
    "green": ("#0e9354", "#8eea8e"),
    "purple": ("#521f8b", "#8f68f7"),
    "brown": ("#8a4200", "#e2994c"),
    "pink": ("#ab4a8c", "#fb6cc6"),
    "sky": ("#159ac4", "#a8e6fb"),
    "grey": ("#454c54", "#8a8e93"),
}
LIGHT = {name: light for name, (light, _) in THEMES.items()}
INK = LIGHT["ink"]
CYCLE = [LIGHT[name] for name in ("blue", "red", "green", "purple", "brown", "pink", "sky", "grey")]
"""Colours for curves that have no look of their own, in this order."""

DASHES = {"solid": (), "dash": (6, 2.2), "dot": (1.2, 1.8), "dashdot": (7, 2, 1.2, 2), "long": (11, 3)}
"""Lengths of strokes and gaps, in widths of the line."""


class Look(NamedTuple):
    """The name of a colour in `THEMES`, the name of a pattern in `DASHES`, and a matplotlib marker."""

    color: str
    dash: str = "solid"
    marker: str = ""


LOOKS = {  # learned optimizers and equations are solid, hand-made rules are not
    "teacher": Look("purple"),
    "equation": Look("red"),
    "sol": Look("red"),
    "memory": Look("red", "long"),
    "lags": Look("sky", "long"),
    "discovered": Look("green"),
    "eq. 6": Look("red"),
    "rp": Look("purple"),
    "rp+cl+il": Look("purple", "long", "D"),
    "rpsmall": Look("sky"),
    "rpsmallextra": Look("blue", marker="o"),
    "dm": Look("brown"),
    "dm+cl+il": Look("brown", "long", "D"),
    "linear": Look("grey", "long"),
    "symbolic l2o": Look("pink"),
    "sgd": Look("grey", "dot"),
    "sgd+momentum": Look("green", "dash"),
    "momentum": Look("green", "dash"),
    "nesterov": Look("sky", "dashdot"),
    "rmsprop": Look("pink", "dash", "s"),
    "adagrad": Look("pink", "dot", "v"),
    "adam": Look("blue", "dash"),
    "adam, as published": Look("sky", "dot", "o"),
    "adam, linear decay": Look("blue", "dot", "v"),
    "adam, rate only": Look("sky", "dash", "x"),
    "adamw": Look("blue", "dashdot", "s"),
    "lion": Look("brown", "dash", "^"),
    "sign": Look("green", "dot", "x"),
    "pgd": Look("grey", "dash"),
    "pgd, tuned": Look("grey", "dashdot"),
    "pgd, decayed": Look("brown", "dot"),
    "apgd": Look("purple", "dash"),
    "apgd, tuned": Look("purple", "dot"),
    "powsign": Look("purple", "dashdot", "x"),
    "addsign": Look("pink", "dashdot", "x"),
}
"""The optimizers of the book, by the beginning of their labels in small letters; the longest one counts."""

COLORS = {name: LIGHT[look.color] for name, look in LOOKS.items()}


def look(label: str) -> Look | None:
    """The look of the optimizer that `label` begins with ("Adam (lr 0.01)"); None if there is none."""
    fitting = [name for name in LOOKS if label.lower().startswith(name)]
    return LOOKS[max(fitting, key=len)] if fitting else None


def color(label: str) -> str | None:
    """The colour of the optimizer that `label` begins with; None if unknown."""
    found = look(label)
    return found and LIGHT[found.color]


def line_style(label: str) -> dict[str, Any]:
    """Colour, dashes and marker of the optimizer that `label` begins with, as arguments of `ax.plot`.

    Raises ConfigError for an optimizer without a look; curves that are no optimizers take theirs from CYCLE.
    """
    found = look(label)
    if found is None:
        raise ConfigError(f"no optimizer {label!r} in palette.LOOKS, which has: {', '.join(LOOKS)}")
    return styled(found)


def styled(found: Look) -> dict[str, Any]:
    """A look as arguments of `ax.plot`; markers stand apart, whatever the number of points."""
    style: dict[str, Any] = {"color": LIGHT[found.color]}
    style["linestyle"] = (0, DASHES[found.dash]) if DASHES[found.dash] else "-"
    if found.marker:
        start = 0.02 + 0.1 * (sum(map(ord, found.color + found.marker)) % 5) / 5  # not all at the same place
        style |= {"marker": found.marker, "markersize": 4.5, "markevery": (start, 0.14)}
    return style


def looks(labels: Iterable[str]) -> dict[str, Look]:
    """A look for each label: the optimizer's own, or the next colour that no other label has, solid."""
    labels = list(dict.fromkeys(labels))
    own = {label: look(label) for label in labels}
    taken = {found.color for found in own.values() if found}
    names = [name for name in THEMES if name != "ink"]
    free = [name for name in names if name not in taken] or names
    others = iter(range(len(labels)))
    return {label: own[label] or Look(free[next(others) % len(free)]) for label in labels}


def themed(text: str) -> str:
    """A drawing's text with the colours of this module as CSS variables, which `css` defines."""
    for name, light in LIGHT.items():
        text = text.replace(light, f"var(--l2o-{name})")
    return text


def css() -> str:
    """The CSS variables of both themes; paper is white."""
    light, dark = (
        "".join(f"--l2o-{name}:{tones[theme]};" for name, tones in THEMES.items()) for theme in (0, 1)
    )
    return f':root{{{light}}}@media screen{{html[data-theme="dark"]{{{dark}}}}}'
