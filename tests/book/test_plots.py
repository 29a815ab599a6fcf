"""Marked outputs carry what the book needs; colours read on both themes; bands state what diverged."""

import base64
import io

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


@pytest.fixture
def shown(monkeypatch):
    """The outputs that a notebook would show: (data, metadata)."""
    outputs = []
    monkeypatch.setattr(
        "IPython.display.display", lambda data, raw, metadata: outputs.append((data, metadata))
    )
    return outputs


def test_a_figure_is_a_transparent_png_at_twice_its_size_with_its_caption_below(shown):
    plots.use_style()
    fig, ax = plt.subplots(figsize=(4, 3))
    ax.plot([1, 2])
    plots.figure(fig, name="fig-race", caption="Over\n  5 seeds.")
    (data, metadata), (below, mark) = shown
    assert metadata["l2o"] == {"kind": "figure", "name": "fig-race", "caption": "Over 5 seeds."}
    assert metadata["image/png"]["width"] == 400
    assert mark["l2o"] == {"kind": "caption", "name": "fig-race"}
    assert "Over 5 seeds." in below["text/markdown"]
    pixels = plt.imread(io.BytesIO(base64.b64decode(data["image/png"])))
    assert pixels.shape == (600, 800, 4)
    assert pixels[0, 0, 3] == 0
    assert not plt.fignum_exists(fig.number)


def test_a_table_keeps_three_digits_and_its_markdown_is_not_broken_by_bars(shown):
    frame = pd.DataFrame({"rule": ["a | b", "$|g|$"], "R2": [0.123456, np.nan], "n": [10, 0]})
    plots.table(frame, name="tab-r2", caption="Fit.")
    (data, metadata), _ = shown
    assert metadata["l2o"] == {"kind": "table", "name": "tab-r2", "caption": "Fit."}
    assert data["text/markdown"].splitlines() == [
        "| rule | R2 | n |",
        "| :--- | ---: | ---: |",
        r"| a \| b | 0.123 | 10 |",
        r"| $\|g\|$ | – | 0 |",
    ]


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


@pytest.mark.parametrize("tone", [*plots.COLORS.values(), *plots.CYCLE, plots.INK])
@pytest.mark.parametrize("ground", ["#ffffff", "#121212"])
def test_every_colour_stands_out_on_both_themes(tone, ground):
    high, low = sorted([_luminance(tone), _luminance(ground)], reverse=True)
    assert (high + 0.05) / (low + 0.05) >= 3


def test_named_optimizers_keep_their_colour():
    assert plots.color("Adam (lr 0.01)") == plots.COLORS["adam"]
    assert plots.color("AdamW") == plots.COLORS["adamw"]
    assert plots.color("SGD") == plots.COLORS["sgd"]
    assert plots.color("something else") is None


def test_a_band_is_the_median_and_the_middle_of_the_seeds():
    curves = np.random.default_rng(0).lognormal(size=(1000, 3))
    _, ax = plt.subplots()
    plots.band(ax, curves, "Adam")
    np.testing.assert_allclose(ax.lines[0].get_ydata(), np.median(curves, axis=0))
    heights = ax.collections[0].get_paths()[0].vertices[:, 1]
    np.testing.assert_allclose(heights.min(), np.quantile(curves, 0.16, axis=0).min())
    assert mpl.colors.same_color(ax.lines[0].get_color(), plots.COLORS["adam"])


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


def _luminance(tone):
    channels = np.array(mpl.colors.to_rgb(tone))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


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
