"""Marked outputs carry what the book needs; colours read on both themes; bands state what diverged."""

import math
import re

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from l2o_book import plots
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from l2o_core.distiller import Entry, ParetoFront
from l2o_core.errors import ConfigError, DataError
from l2o_core.expressions import parse


@pytest.fixture(autouse=True)
def plain_matplotlib():
    with mpl.rc_context({"backend": "agg"}):
        yield
    plt.close("all")


def test_a_figure_is_a_drawing_with_its_caption_below(shown):
    plots.use_style()
    fig, ax = plt.subplots()
    ax.plot([1, 2], label="Adam")
    ax.set(xlabel="step", ylabel="loss $f(x_t)$", title="P1")
    ax.legend()
    plots.figure(fig, name="fig-race", caption="Over\n  5 seeds.")
    (data, metadata), (below, mark) = shown
    alt = "Chart: P1: loss f(x_t) against step. Curves: Adam."
    assert metadata["l2o"] == {"kind": "figure", "name": "fig-race", "caption": "Over 5 seeds.", "alt": alt}
    assert mark["l2o"] == {"kind": "caption", "name": "fig-race"}
    assert "Over 5 seeds." in below["text/markdown"]
    assert data["image/svg+xml"].startswith("<svg")
    assert not plt.fignum_exists(fig.number)


def test_a_figure_takes_its_description_and_its_record(shown):
    record = {"name": "sol", "path": "results/standard/sol.json"}
    plots.figure(plt.figure(), name="fig-a", caption="A.", alt="All\n fall.", record=record)
    assert shown[0][1]["l2o"] | {"alt": "All fall.", "record": record} == shown[0][1]["l2o"]


def test_panels_of_a_grid_are_named_in_the_description():
    fig, axes = plt.subplots(1, 2)
    for ax, title in zip(axes, ("P1", "P2"), strict=True):
        ax.plot([1], label=r"$\hat m$")
        ax.set(xlabel="step", title=title)
        ax.legend()
    assert plots.description(fig) == "Chart of 2 panels: P1: step; P2: step. Curves:  m."


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 2), (2, 2), (2, 3), (2, 4)])
def test_grids_of_panels_are_as_wide_as_the_page(rows, columns):
    width, height = plots.figure_size(rows, columns)
    assert width * 96 == 672
    assert 2.2 <= height / rows <= 3.4
    assert plots.figure_size(rows, columns, height=2) == (width, 2 * rows)


def test_a_table_keeps_three_digits_and_its_markdown_is_not_broken_by_bars(shown):
    columns = {"rule": ["a | b", "$|g|$"], "R2": [0.123456, np.nan], "n": [10, 0], "own": ["", np.inf]}
    frame = pd.DataFrame(columns | {"tuned": [0.5, math.nan], "printed": ["1.0", " 0.250 "]})
    plots.table(frame, name="tab-r2", caption="Fit.")
    (data, metadata), _ = shown
    assert metadata["l2o"] == {"kind": "table", "name": "tab-r2", "caption": "Fit."}
    head, rule, *rows = (re.sub(r" +", " ", line) for line in data["text/markdown"].splitlines())
    assert head == "| rule | R2 | n | own | tuned | printed |"
    assert re.sub("-+", "-", rule) == "|:-|-:|-:|:-|-:|:-|"
    assert rows == [r"| a \| b | 0.123 | 10 | – | 0.5 | 1.0 |", r"| $\|g\|$ | – | 0 | diverged | – | 0.250 |"]


def test_numbers_with_a_deviation_or_an_interval_stay_on_one_line():
    cells = ["at 0.5 ± 0.1 [-0.14, +0.46]", "mean ± deviation, [a, b]"]
    text = plots.markdown(pd.DataFrame({"a": cells}))
    assert "| at 0.5~±~0.1 [-0.14,~+0.46] |".replace("~", "\N{NO-BREAK SPACE}") in text
    assert "mean ± deviation, [a, b]" in text


def test_an_equation_is_shown_as_display_math(shown):
    plots.equation("$$ x +\n y $$", name="eq-sum")
    ((data, metadata),) = shown
    assert data["text/latex"] == "$$\nx + y\n$$"
    assert metadata["l2o"] == {"kind": "equation", "name": "eq-sum"}


@pytest.mark.parametrize("name", ["race", "tab-race", "fig-Race", "fig-", "fig-a b"])
def test_a_name_says_its_kind(name, shown):
    fig = plt.figure()
    with pytest.raises(ConfigError, match="fig-"):
        plots.figure(fig, name=name, caption="")
    assert shown == []


def test_a_band_has_the_look_of_its_optimizer_unless_told():
    _, ax = plt.subplots()
    plots.band(ax, np.ones(3), "Lion (lr 1)")
    plots.band(ax, np.ones(3), "Lion", ls="-", c="red")
    one, two = ax.lines
    assert mpl.colors.same_color(one.get_color(), plots.line_style("Lion")["color"])
    assert (one.get_linestyle(), one.get_marker()) == ("--", "^")
    assert (two.get_linestyle(), two.get_color(), two.get_marker()) == ("-", "red", "^")


def test_a_band_is_the_median_and_the_middle_of_the_seeds():
    curves = np.random.default_rng(0).lognormal(size=(1000, 3))
    _, ax = plt.subplots()
    plots.band(ax, curves, "Adam")
    np.testing.assert_allclose(ax.lines[0].get_ydata(), np.median(curves, axis=0))
    heights = ax.collections[0].get_paths()[0].vertices[:, 1]
    np.testing.assert_allclose(heights.min(), np.quantile(curves, 0.16, axis=0).min())
    assert mpl.colors.same_color(ax.lines[0].get_color(), plots.color("adam"))


def test_a_band_is_the_same_on_a_log_axis_as_of_the_logarithms():
    curves = np.random.default_rng(0).lognormal(size=(101, 3))
    _, (one, two) = plt.subplots(2)
    plots.band(one, curves, "a")
    plots.band(two, np.log(curves), "a")
    np.testing.assert_allclose(np.log(one.lines[0].get_ydata()), two.lines[0].get_ydata())


def test_diverged_curves_are_counted_not_drawn():
    curves = np.ones((3, 4))
    curves[1, 2] = np.nan
    _, ax = plt.subplots()
    plots.band(ax, curves, "DM")
    assert ax.lines[0].get_label() == "DM (1 of 3 diverged)"
    assert np.isfinite(ax.lines[0].get_ydata()).all()
    with pytest.raises(DataError, match="every curve of 'DM' diverged"):
        plots.band(ax, curves[1:2], "DM")


def test_long_sums_are_broken_between_their_terms():
    terms = [rf"{i} \, \operatorname{{asinh}}\left(x - {i} + y\right)" for i in range(8)]
    latex = r"\Delta x = " + " + ".join(terms)
    lines = plots.broken(latex).split(r" \\ ")
    assert len(lines) > 2
    assert all(line.count(r"\left(") == line.count(r"\right)") for line in lines)
    joined = " ".join(lines).replace(r"&\quad ", "").replace("&=", "=")
    assert joined == rf"\begin{{aligned}} {latex} \end{{aligned}}"
    assert plots.broken("a = b + c") == "a = b + c"


def test_fronts_are_drawn_with_the_chosen_entry_ringed():
    texts = {"x": 0.5, "x + y": 0.9}
    front = ParetoFront.of([Entry(parse(t), 1 - r2, r2) for t, r2 in texts.items()], "operon", 1.0)
    ax = Figure().subplots()
    plots.fronts(ax, {"operon": front}, front.best)
    line, ring = ax.get_lines()
    assert line.get_xydata().tolist() == [[1, 0.5], [3, 0.9]]
    assert ring.get_xydata().tolist() == [[3, 0.9]]
    assert ax.get_ylim()[0] == 0
