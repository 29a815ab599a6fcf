"""A figure becomes a small drawing that can stand beside others; text too small to read is refused."""

import re
import xml.etree.ElementTree as Tree

import matplotlib as mpl
import pytest
from l2o_book import plots, svg
from matplotlib import pyplot as plt

from l2o_core.errors import ConfigError


@pytest.fixture(autouse=True)
def style():
    with mpl.rc_context({"backend": "agg"}):
        plots.use_style()
        yield
    plt.close("all")


def chart(**options):
    fig, ax = plt.subplots(**options)
    ax.plot([1, 10, 100], label="Adam")
    ax.fill_between([0, 1, 2], [1, 9, 90], [2, 11, 110])
    ax.set(yscale="log", xlabel="step $t$", title="a < b")
    ax.legend()
    return fig


def test_a_drawing_is_well_formed_and_says_its_size_in_points():
    root = Tree.fromstring(svg.drawn(chart(), "fig-a"))
    assert root.tag.endswith("svg")
    assert (root.get("width"), root.get("viewBox")) == ("504pt", "0 0 504 259.2")


def test_a_figure_wider_than_the_page_is_drawn_at_the_width_of_the_page():
    root = Tree.fromstring(svg.drawn(chart(figsize=(14, 7)), "fig-a"))
    assert root.get("viewBox") == "0 0 504 252"


def test_names_in_drawings_of_one_page_do_not_meet():
    one, two = (svg.drawn(chart(), name) for name in ("fig-a", "fig-b"))
    names = [set(re.findall(r'\bid="([^"]*)"', text)) for text in (one, two)]
    assert names[0]
    assert not names[0] & names[1]
    used = set(re.findall(r'href="#([^"]*)"|url\(#([^)]*)\)', one))
    assert {a or b for a, b in used} == names[0]
    assert not re.search(r"<style|<metadata|<!--|xlink", one)


def test_a_drawing_is_the_same_each_time():
    assert svg.drawn(chart(), "fig-a") == svg.drawn(chart(), "fig-a")


def test_a_compact_drawing_looks_as_matplotlib_drew_it(browser, tmp_path):
    fig = chart()
    with mpl.rc_context({"svg.hashsalt": "fig-a"}):
        fig.savefig(tmp_path / "whole.svg", transparent=True)
    (tmp_path / "small.svg").write_text(svg.drawn(fig, "fig-a"), encoding="utf-8")
    assert (tmp_path / "small.svg").stat().st_size < 0.75 * (tmp_path / "whole.svg").stat().st_size
    page = browser.new_page(viewport={"width": 700, "height": 400})
    images = []
    for name in ("whole", "small"):
        page.set_content(f"<body style='background:#fff'>{(tmp_path / f'{name}.svg').read_text()}")
        page.locator("svg").screenshot(path=tmp_path / f"{name}.png")
        images.append(plt.imread(tmp_path / f"{name}.png"))
    page.close()
    assert images[0].shape == images[1].shape
    assert abs(images[0] - images[1]).mean() < 1e-3


@pytest.mark.parametrize("small", ["legend", "ticks", "note"])
def test_text_too_small_to_read_is_refused(small):
    fig = chart()
    (ax,) = fig.axes
    if small == "legend":
        ax.legend(fontsize=8)
    if small == "ticks":
        ax.tick_params(labelsize=7)
    if small == "note":
        ax.annotate("here", (1, 10), fontsize=8.9)
    with pytest.raises(ConfigError, match=r"'fig-a' has text of [78]\.\d points"):
        svg.drawn(fig, "fig-a")


def test_the_style_is_large_enough():
    sizes = [value for key, value in plots.STYLE.items() if key.endswith(("size", "fontsize"))]
    assert min(size for size in sizes if isinstance(size, int | float)) >= svg.SMALLEST
    fig = chart()
    fig.axes[0].text(0, 1, " ", fontsize=1)  # nothing to read
    fig.axes[0].text(0, 1, "gone", fontsize=1, visible=False)
    assert svg.drawn(fig, "fig-a")


def test_text_that_cannot_be_read_is_said():
    fig, ax = plt.subplots(layout="none")
    ax.text(0.2, 0.5, "here")
    ax.text(0.22, 0.5, "there")
    ax.text(0.95, 0.8, "far to the right of it all")
    assert svg.faults(fig) == [
        "'far to the right of it all' runs out of the picture",
        "'here' and 'there' overlap",
    ]
    ax.texts[2].remove()
    with pytest.warns(UserWarning, match="figure 'fig-a': 'here' and 'there' overlap"):
        svg.drawn(fig, "fig-a")


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_a_grid_of_panels_has_no_faults(scale):
    fig, axes = plt.subplots(2, 3, figsize=plots.figure_size(2, 3), sharex=True, sharey=True)
    for ax in axes.flat:
        ax.plot([1, 10, 1000], [0.5, 30, 99999], label="Adam")
        ax.set(xlabel="step", ylabel="loss", title="P1", xscale=scale, yscale=scale, xlim=(2, 900))
        ax.legend()
    axes[0, 0].axis("off")
    assert svg.faults(fig) == []
