"""The scripts of a page, each in a page of its own: explorers, scrolling frames, and figures that enlarge."""

from pathlib import Path

import pytest
from l2o_book import palette, staging

STATIC = Path(staging.__file__).parents[1] / "static"
HOSTILE = "</script><img src=x onerror=\"document.title='run'\"><!-- ``` {{ x }} $$"


def frame(choice, nodes, y, dashes=(), points=False):
    blue = palette.LIGHT["blue"]
    curve = {"label": HOSTILE, "x": 0, "y": y, "color": blue, "dashes": list(dashes), "points": points}
    return {
        "label": f"{choice} {nodes} nodes",
        "facts": [["R²", f"0.{nodes}"]],
        "latex": f"x_{{{nodes}}} < {'+ y ' * 99}",
        "curves": [curve],
    }


def group(choice, count):
    frames = [frame(choice, 10, 1), frame(choice, 20, 2, dashes=(6, 2)), frame(choice, 30, 2, points=True)]
    return {"label": choice, "frames": frames[:count]}


FRAMES = {
    "control": "size",
    "choice": HOSTILE,
    "start": 1,
    "x": HOSTILE,
    "y": "loss",
    "logx": False,
    "logy": True,
    "xlim": [0, 2],
    "ylim": [1e-6, 10],
    "arrays": [[0, 1, 2], [1e-5, 1, 3], [2, 0.1, 5]],
    "groups": [group("DM", 3), group(HOSTILE, 2)],
}


@pytest.fixture
def opened(browser, tmp_path):
    """A function that opens a page of given HTML with the book's scripts: no theme, no MathJax."""
    complaints, pages = [], []

    def open_page(body, width=390, fragment="", **options):
        styles = "".join(f'<link rel="stylesheet" href="{(STATIC / name).as_uri()}">' for name in STYLES)
        scripts = "".join(f'<script defer src="{(STATIC / name).as_uri()}"></script>' for name in SCRIPTS)
        (tmp_path / "page.html").write_text(
            f'<!DOCTYPE html><meta charset="utf-8"><style>{palette.css()}figure{{margin:0}}</style>'
            f'{styles}{scripts}<body class="bd-content" style="margin: 0">{body}',
            encoding="utf-8",
        )
        pages.append(browser.new_page(viewport={"width": width, "height": 800}, **options))
        pages[-1].on("pageerror", lambda error: complaints.append(str(error)))
        pages[-1].goto((tmp_path / "page.html").as_uri() + fragment)
        return pages[-1]

    yield open_page
    for page in pages:
        page.close()
    assert complaints == []


STYLES, SCRIPTS = ("l2o.css", "explorer.css"), ("explorer.js", "scroll.js", "lightbox.js")


# ---- explorers ----


def explorer(frames=FRAMES):
    raw = staging.frames(frames).removeprefix("```{raw} html\n").removesuffix("\n```")
    return f'<figure id="fig-e"><svg class="l2o-figure"></svg><figcaption>Seen.</figcaption></figure>\n{raw}'


def state(page):
    """What an explorer shows: the slider's words, the facts, how the curve is drawn, and the equation."""
    page.wait_for_function("!document.querySelector('.explorer-equation[aria-busy]')")
    curve = page.locator(".explorer-chart svg svg path").first
    drawn = "dots" if curve.get_attribute("class") == "explorer-points" else "line"
    if dashes := curve.evaluate("path => path.style.strokeDasharray"):
        drawn = dashes
    return (
        page.get_by_label("size").get_attribute("aria-valuetext"),
        page.locator(".explorer-facts").inner_text().split(),
        drawn,
        page.locator(".explorer-equation").inner_text()[:6],
    )


def test_an_explorer_follows_its_controls(opened):
    page = opened(explorer())
    slider = page.get_by_label("size")
    assert state(page) == ("DM 20 nodes", ["R²", "0.20"], "12, 4", "x_{20}")
    slider.press("ArrowRight")
    assert state(page) == ("DM 30 nodes", ["R²", "0.30"], "dots", "x_{30}")
    slider.press("Home")
    assert state(page) == ("DM 10 nodes", ["R²", "0.10"], "line", "x_{10}")
    slider.press("End")
    page.locator("select").select_option(index=1)
    assert state(page) == (f"{HOSTILE} 20 nodes", ["R²", "0.20"], "12, 4", "x_{20}")
    assert page.inner_text("figcaption") == "Seen."
    assert page.locator("#fig-e > svg").count() == 0


def test_the_address_says_what_an_explorer_shows(opened):
    page = opened(explorer())
    page.get_by_label("size").press("ArrowRight")
    assert page.evaluate("location.hash") == "#fig-e=3"
    page.locator("select").select_option(index=1)
    assert page.evaluate("location.hash") == "#fig-e=2,2"
    page.evaluate("location.hash = '#fig-e=1,2'")
    page.wait_for_function("document.querySelector('.explorer-label').textContent.includes('10 nodes')")
    assert state(page)[0] == f"{HOSTILE} 10 nodes"


@pytest.mark.parametrize(
    ("fragment", "label"),
    [
        ("#fig-e=3", "DM 30 nodes"),
        ("#fig-e=1,2", f"{HOSTILE} 10 nodes"),
        ("#fig-e=4", "DM 20 nodes"),
        ("#fig-e=1,3", "DM 20 nodes"),
        ("#fig-e=0", "DM 20 nodes"),
        ("#fig-f=3", "DM 20 nodes"),
        ("#fig-e", "DM 20 nodes"),
        ("#%", "DM 20 nodes"),
    ],
)
def test_a_link_opens_an_explorer_where_it_says(opened, fragment, label):
    assert state(opened(explorer(), fragment=fragment))[0] == label


def test_an_explorer_takes_text_as_text(opened):
    page = opened(explorer())
    page.wait_for_load_state("networkidle")
    assert page.title() == ""
    assert page.inner_text(".explorer-legend") == HOSTILE
    assert page.locator("label").first.inner_text() == HOSTILE


def test_an_explorer_stays_within_a_narrow_page(opened):
    page = opened(explorer())
    excess = "(box => box.scrollWidth - box.clientWidth)"
    page.wait_for_function("!document.querySelector('.explorer-equation[aria-busy]')")
    assert page.evaluate(f"{excess}(document.querySelector('.explorer-equation'))") > 100
    assert page.evaluate(f"{excess}(document.documentElement)") <= 1
    assert page.locator(".explorer-equation").get_attribute("tabindex") == "0"


def texts(page):
    page.wait_for_selector(".explorer-chart svg")
    return page.locator(".explorer-chart text").all_text_contents()


def test_an_explorer_has_round_ticks_and_named_axes(opened):
    page = opened(explorer())
    assert texts(page) == ["0", "0.5", "1", "1.5", "2", "10⁻⁶", "10⁻⁴", "10⁻²", "10⁰"]
    assert page.inner_text(".explorer-x") == HOSTILE
    assert page.inner_text(".explorer-y") == "loss"


@pytest.mark.parametrize("width", [320, 390, 1280])
@pytest.mark.parametrize(
    "limits", [[-1.04, 1.04], [0.9, 1.9], [-0.3, 0.4], [1.2, 9.5], [0, 1e-4], [12345.1, 12345.9], [-7, 88]]
)
def test_no_axis_has_a_single_tick_and_no_number_is_cut(opened, width, limits):
    page = opened(explorer(FRAMES | {"xlim": limits, "ylim": limits, "logy": False}), width=width)
    words = texts(page)
    across = page.locator(".explorer-chart text[text-anchor=middle]").count()
    assert 2 <= across <= width / 40
    assert 3 <= len(words) - across <= 16
    cut = """() => {
        const frame = document.querySelector('.explorer-chart > svg').getBoundingClientRect();
        return [...document.querySelectorAll('.explorer-chart text')].filter(text => {
            const box = text.getBoundingClientRect();
            return box.left < frame.left || box.right > frame.right
                || box.bottom > frame.bottom || box.top < frame.top;
        }).map(text => text.textContent);
    }"""
    assert page.evaluate(cut) == []


def test_pointing_at_a_curve_reads_its_values(opened):
    page = opened(explorer(), width=700)
    page.wait_for_selector(".explorer-chart svg")
    assert page.inner_text(".explorer-readout").startswith("Drag the slider")
    # frame 2 is y = 2, 0.1, 5 at x = 0, 1, 2: the middle of the x axis
    place = page.locator(".explorer-chart svg svg path").bounding_box()
    page.mouse.move(place["x"] + place["width"] / 2, place["y"] + place["height"] - 4)
    assert page.inner_text(".explorer-readout") == f"{HOSTILE} {HOSTILE}: 1, loss: 0.1"
    assert page.locator(".explorer-ring").get_attribute("visibility") == "visible"
    page.mouse.move(2, 2)
    assert page.inner_text(".explorer-readout").startswith("Drag the slider")
    assert page.locator(".explorer-ring").get_attribute("visibility") == "hidden"


def test_a_tap_reads_values_and_fingers_find_the_controls(opened):
    page = opened(explorer(), has_touch=True, is_mobile=True)
    page.wait_for_selector(".explorer-chart svg")
    assert "Tap a curve" in page.inner_text(".explorer-readout")
    place = page.locator(".explorer-chart svg svg path").bounding_box()
    page.touchscreen.tap(place["x"] + place["width"] / 2, place["y"] + place["height"] - 4)
    assert page.inner_text(".explorer-readout").endswith("loss: 0.1")
    for control in page.locator(".l2o-explorer :is(input, select, button)").all():
        assert control.bounding_box()["height"] >= 24


def test_a_name_of_the_legend_hides_its_curve(opened):
    page = opened(explorer())
    page.wait_for_selector(".explorer-chart svg")
    name, curves = page.locator(".explorer-legend button"), page.locator(".explorer-chart svg svg path")
    name.press("Enter")
    assert (name.get_attribute("aria-pressed"), curves.count()) == ("false", 0)
    assert name.evaluate("button => button === document.activeElement")
    page.get_by_label("size").press("ArrowRight")
    assert (name.get_attribute("aria-pressed"), curves.count()) == ("false", 0)
    name.press("Enter")
    assert (name.get_attribute("aria-pressed"), curves.count()) == ("true", 1)


# ---- figures that enlarge ----

FIGURE = (
    '<figure id="fig-a">'
    '<svg class="l2o-figure" role="img" aria-label="Chart" viewBox="0 0 504 252" width="504pt">'
    '<path id="p" d="M0 0H9"></path></svg>'
    '<figcaption><span class="caption-number">Fig. 1.1 </span>Seen.</figcaption></figure>'
)


@pytest.mark.parametrize("width", [390, 1280])
def test_a_click_enlarges_a_figure_and_escape_ends_that(opened, width):
    page = opened(FIGURE, width=width)
    small = page.locator("figure svg").bounding_box()["width"]
    page.click("figure svg")
    dialog = page.get_by_role("dialog", name="Fig. 1.1, enlarged")
    large = dialog.locator("svg").bounding_box()
    assert large["width"] > 1.2 * small
    assert large["height"] == pytest.approx(large["width"] / 2, abs=1)
    page.keyboard.press("Escape")
    assert dialog.count() == 0
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Enlarge Fig. 1.1"
    page.wait_for_selector("dialog svg", state="detached")


def test_the_keyboard_enlarges_a_figure_and_closes_it(opened):
    page = opened(FIGURE, width=1280)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.get_by_role("dialog").count() == 1
    page.get_by_role("button", name="Close").press("Enter")
    assert page.get_by_role("dialog").count() == 0
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Enlarge Fig. 1.1"
    page.get_by_role("button", name="Enlarge Fig. 1.1").click()
    page.mouse.click(30, 700)
    assert page.get_by_role("dialog").count() == 0


# ---- what scrolls by itself ----

TABLE = (
    '<div class="l2o-frame" role="region" tabindex="0" aria-label="Table 1"><table class="table"><tr>'
    '<td style="min-width: 400px">a</td><td style="min-width: 400px">b</td></tr></table></div>'
)


def test_a_wide_table_scrolls_in_its_frame_and_says_so(opened):
    page = opened(TABLE)
    frame = page.locator(".l2o-frame")
    assert frame.get_attribute("class").split() == ["l2o-frame", "l2o-scrolls", "l2o-more-right"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    frame.focus()
    frame.evaluate("box => box.scrollLeft = 99")
    page.wait_for_selector(".l2o-more-left.l2o-more-right")
    frame.evaluate("box => box.scrollLeft = 9999")
    page.wait_for_selector(".l2o-more-left:not(.l2o-more-right)")


def test_a_table_that_fits_is_no_stop_for_the_keyboard(opened):
    page = opened(TABLE, width=1280)
    page.wait_for_selector(".l2o-frame:not([tabindex])")
    assert page.locator(".l2o-frame").get_attribute("class").split() == ["l2o-frame"]
