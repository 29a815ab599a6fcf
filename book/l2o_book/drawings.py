"""Drawings of methods, made from the models that they show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from . import plots

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SYMBOLS = {
    "identical": "$c$",
    "square": "$c^2$",
    "exp": "$e^c$",
    "sign": r"$\mathrm{sign}\,c$",
    "neg": "$-c$",
    "+": "$c + c'$",
    "-": "$c - c'$",
    "*": r"$c \times c'$",
}
INPUTS, COMPONENTS, UNITS, OUTPUT = 0.0, 1.5, 2.15, 3.5
"""Where the columns of `operator_network` stand."""


def operator_network(
    inputs: Sequence[str], constants: Sequence[float], operators: Mapping[str, int]
) -> Figure:
    """SOL with one hidden layer and one unit for each operator: inputs, linear map, operators, read-out.

    `operators` gives the number of components that each takes.
    """
    import matplotlib.pyplot as plt

    fig, ax = plt.subplots(figsize=(6.7, 3.9))
    names = [*inputs, *(f"{value:g}" for value in constants)]
    left = np.linspace(1, 0, len(names))
    middle = np.linspace(1, 0, sum(operators.values()))
    groups = np.split(middle, np.cumsum(list(operators.values()))[:-1])
    right = [group.mean() for group in groups]
    _lines(ax, INPUTS + 0.05, left, COMPONENTS, middle)
    ax.plot(np.full(len(middle), COMPONENTS), middle, "o", ms=3, color=plots.COLORS["equation"])
    for name, group, height in zip(operators, groups, right, strict=True):
        for start in group:
            ax.plot([COMPONENTS, UNITS], [start, height], color=plots.INK, lw=0.8)
        box = {"boxstyle": "round,pad=0.25", "facecolor": "none", "edgecolor": plots.COLORS["equation"]}
        ax.text(UNITS + 0.05, height, SYMBOLS[name], va="center", bbox=box, fontsize=11)
    for name, height in zip(names, left, strict=True):
        ax.text(INPUTS, height, name, ha="right", va="center", fontsize=9.5)
    _lines(ax, UNITS + 0.42, np.array(right), OUTPUT, np.array([0.5]), alpha=0.6)
    ax.text(OUTPUT + 0.04, 0.5, r"$y$", va="center", fontsize=12)
    for place, text in {
        INPUTS - 0.1: "inputs $x$",
        (INPUTS + COMPONENTS) / 2: "$c = W x + b$",
        UNITS + 0.22: "operators",
        (UNITS + 0.42 + OUTPUT) / 2: r"$y = W' h + b'$",
    }.items():
        ax.text(place, 1.1, text, ha="center", fontsize=11)
    ax.set(xlim=(-0.35, OUTPUT + 0.2), ylim=(-0.06, 1.16))
    ax.axis("off")
    return fig


def _lines(ax: Axes, x: float, starts: np.ndarray, to: float, ends: np.ndarray, alpha: float = 0.22) -> None:
    """A line from every start to every end: a linear map."""
    from matplotlib.collections import LineCollection

    segments = [((x, start), (to, end)) for start in starts for end in ends]
    ax.add_collection(LineCollection(segments, colors=plots.INK, linewidths=0.5, alpha=alpha))
