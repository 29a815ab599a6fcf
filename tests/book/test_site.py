"""The built book as a reader meets it: every page opened in a browser, from a local server, offline."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest

pytestmark = pytest.mark.book

HTML = Path(os.environ.get("L2O_SITE", Path(__file__).parents[2] / "book" / "_build" / "html"))
FILES = [path.relative_to(HTML).as_posix() for path in HTML.rglob("*.html")]
PAGES = sorted(name for name in FILES if not name.startswith("_static/") and name != "index.html") or [
    "any page"
]
RAW = re.compile(
    r"\{(numref|ref|doc|eq|cite|figure|table|math|list-table|code-cell|bibliography|div|term)(:\w+)?\}"
    r"|:(name|label|alt|width|class|align):"
    r"|^(```|:::)|\$\$|\\(frac|sum|hat|mathbf|begin)\b",
    re.MULTILINE,
)


@dataclass
class Visit:
    """An open page, and what happened while it loaded."""

    name: str
    page: object
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


@pytest.fixture(scope="module", params=PAGES)
def visit(request, server, browser):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    seen = Visit(request.param, page)
    page.on("console", lambda message: message.type == "error" and seen.complaints.append(message.text))
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.on("request", lambda sent: seen.requests.append(sent.url))
    page.on("requestfailed", lambda sent: seen.failures.append(f"{sent.url}: {sent.failure}"))
    page.on("response", lambda got: got.status >= 400 and seen.failures.append(f"{got.url}: {got.status}"))
    page.goto(f"{server}/{request.param}", wait_until="load")
    page.evaluate("window.MathJax && MathJax.startup ? MathJax.startup.promise.then(() => true) : true")
    page.wait_for_load_state("networkidle")
    page.add_style_tag(content="*, ::before, ::after { transition: none !important }")
    yield seen
    page.close()


def test_the_address_of_the_site_leads_to_its_first_page(server, browser):
    page = browser.new_page()
    page.goto(server)
    page.wait_for_url("**/book/intro.html")
    assert page.inner_text("h1")
    page.close()


def test_nothing_goes_wrong_in_the_console(visit):
    assert visit.complaints == []


def test_everything_comes_from_the_site_itself(visit, server):
    assert [url for url in visit.requests if not url.startswith((server, "data:", "blob:"))] == []
    assert visit.failures == []


def test_every_image_is_shown(visit):
    visit.page.evaluate("document.querySelectorAll('img[loading=lazy]').forEach(i => i.loading = 'eager')")
    images = (
        "Promise.all([...document.images].map(i => i.complete || new Promise(d => i.onload = i.onerror = d)))"
    )
    visit.page.evaluate(images)
    broken = "[...document.images].filter(i => i.naturalWidth === 0).map(i => i.src)"
    assert visit.page.evaluate(broken) == []


def test_no_markup_is_left_in_the_text(visit):
    text = visit.page.evaluate(
        """() => {
            const copy = document.querySelector('main').cloneNode(true);
            copy.querySelectorAll('pre, code, script, style, mjx-container').forEach(part => part.remove());
            return copy.textContent;
        }"""
    )
    assert [match.group() for match in RAW.finditer(text)] == []
    outputs = visit.page.evaluate("[...document.querySelectorAll('.cell_output')].map(o => o.innerText)")
    assert not [text for text in outputs if "Traceback (most recent call last)" in text]


def test_every_equation_is_typeset(visit):
    formulas = "[...document.querySelectorAll('.math')]"
    missing = f"{formulas}.filter(m => !m.querySelector('mjx-container')).map(m => m.textContent)"
    assert visit.page.evaluate(missing) == []
    errors = "[...document.querySelectorAll('mjx-merror')].map(m => m.textContent)"
    assert visit.page.evaluate(errors) == []


def test_every_explorer_follows_its_slider(visit):
    explorers = visit.page.query_selector_all(".l2o-explorer")
    if not explorers:
        pytest.skip("this page has no explorer")
    for explorer in explorers:
        slider = explorer.query_selector("input[type=range]")
        slider.press("Home")
        seen = [_explored(visit.page, explorer)]
        for _ in range(int(slider.get_attribute("max"))):
            slider.press("ArrowRight")
            seen.append(_explored(visit.page, explorer))
            assert seen[-1] != seen[-2]
        assert explorer.query_selector("svg[role=img] svg path")


def test_a_link_opens_an_explorer_where_it_says(visit, server, browser):
    figure = visit.page.query_selector("figure:has(.l2o-explorer)")
    if not figure:
        pytest.skip("this page has no explorer")
    page, complaints = browser.new_page(), []
    page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    name = figure.get_attribute("id")
    page.goto(f"{server}/{visit.name}#{name}=1", wait_until="load")
    slider = page.query_selector(f"#{name} input[type=range]")
    assert slider.input_value() == "0"
    assert slider.is_visible()
    slider.press("End")
    assert page.url.endswith(f"#{name}={int(slider.get_attribute('max')) + 1}")
    page.close()
    assert complaints == []


def test_every_table_has_cells_with_content(visit):
    empty = "[...document.querySelectorAll('main table')].filter(t => !t.querySelector('td')).length"
    assert visit.page.evaluate(empty) == 0


def test_every_figure_and_table_has_a_numbered_caption(visit):
    captions = "[...document.querySelectorAll('main figure figcaption')].map(c => c.innerText)"
    texts = [text.lstrip("⤢ \n") for text in visit.page.evaluate(captions)]
    assert [text for text in texts if not re.match(r"(Fig\.|Table) [\d.]*\d", text)] == []
    assert visit.page.evaluate("document.querySelectorAll('main table caption').length") == 0


def test_every_table_is_in_a_frame_with_a_name(visit):
    loose = """[...document.querySelectorAll('main table.table')].filter(table => {
        const frame = table.closest('.l2o-frame[role=region]');
        const name = frame?.getAttribute('aria-label') ?? document.getElementById(
            frame?.getAttribute('aria-labelledby'))?.textContent;
        return !name;
    }).map(table => table.textContent.slice(0, 80))"""
    assert visit.page.evaluate(loose) == []


@pytest.mark.parametrize("width", [390, 1280])
def test_what_scrolls_can_be_reached_and_says_so(visit, width):
    _resize(visit.page, width)
    dumb = """[...document.querySelectorAll('main .l2o-frame, main div.math > mjx-container')].filter(frame =>
        frame.scrollWidth > frame.clientWidth + 1
        && !(frame.tabIndex === 0 && frame.matches('.l2o-scrolls.l2o-more-right[role=region]'))
    ).map(frame => frame.parentElement.id + frame.textContent.slice(0, 60))"""
    assert visit.page.evaluate(dumb) == []


def test_no_cell_of_a_table_is_blank(visit):
    blank = "[...document.querySelectorAll('main .table td')].filter(cell => !cell.textContent.trim()).length"
    assert visit.page.evaluate(blank) == 0


def test_text_of_figures_is_large_enough_and_stands_out(visit):
    for theme in ("light", "dark"):
        visit.page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        ground = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
        for figure, points, ink in visit.page.evaluate(GLYPHS):
            assert points >= 8.99, figure
            assert _contrast(ink, ground) >= 4.5, (figure, theme)


# Of each text in a drawing: the figure, its size in points as shown, and its colour. Matplotlib writes a text
# as a group of glyphs under scale(size / 100).
GLYPHS = """[...document.querySelectorAll('main figure > svg.l2o-figure')].flatMap(svg => {
    const shown = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width * 0.75;
    return [...svg.querySelectorAll('g[transform*=scale]')].map(text => [svg.parentElement.id,
        100 * shown * Number(text.getAttribute('transform').match(/scale\\(([\\d.]+)/)[1]),
        getComputedStyle(text).fill]);
})"""


def test_every_figure_can_be_enlarged_and_left(visit):
    buttons = visit.page.query_selector_all("main figure .l2o-enlarge")
    if not buttons:
        pytest.skip("this page has no figure")
    for button in buttons:
        button.focus()
        visit.page.keyboard.press("Enter")
        dialog = visit.page.wait_for_selector("dialog[open]")
        large = dialog.query_selector("svg, img").bounding_box()
        assert large["width"] >= 0.95 * min(672, visit.page.viewport_size["width"])
        visit.page.keyboard.press("Escape")
        visit.page.wait_for_selector("dialog:not([open])", state="attached")
        assert button.evaluate("button => button === document.activeElement")


def test_code_takes_at_most_a_third_of_a_page(visit):
    _resize(visit.page, 1280)
    heights = """[...document.querySelectorAll('article.bd-article, article.bd-article .cell_input')].filter(
        part => !part.closest('details:not([open])')).map(part => part.offsetHeight)"""
    article, *code = visit.page.evaluate(heights) or [1]
    assert sum(code) <= article / 3


def test_no_path_or_address_of_the_machine_is_left(visit):
    text = visit.page.inner_text("main")
    found = re.findall(
        r"(?:Posix|Windows)Path\(|\bat 0x[0-9a-f]{6,}|(?<![\w/.:])/(?:home|root|tmp|work|usr)/\S*", text
    )
    assert found == []


def test_a_page_says_what_it_is_about(visit):
    if not visit.page.query_selector("article.bd-article p"):
        pytest.skip("this page has no text")
    assert len(visit.page.get_attribute("meta[name=description]", "content")) > 20
    assert visit.page.get_attribute("link[rel~=icon]", "href").endswith(".svg")


def test_links_inside_the_site_resolve(visit, server, site):
    links = set(
        visit.page.evaluate("[...document.querySelectorAll('a[href]')].map(a => a.getAttribute('href'))")
    )
    broken = []
    for link in links:
        target, anchor = urldefrag(urljoin(f"{server}/{visit.name}", link))
        if not target.startswith(server):
            continue
        path = site / unquote(urlsplit(target).path).lstrip("/")
        path = path / "index.html" if path.is_dir() else path
        if not path.is_file() or (
            anchor and path.suffix == ".html" and not _has_anchor(path, unquote(anchor))
        ):
            broken.append(link)
    assert broken == []


def test_the_dark_theme_is_dark_and_its_figures_stand_on_it(visit):
    if not visit.page.query_selector(".theme-switch-button"):
        pytest.skip("this page has no theme switch")
    shown = "getComputedStyle(document.documentElement).getPropertyValue('color-scheme')"
    for _ in range(3):  # the switch goes round: auto, light, dark
        if visit.page.evaluate(
            "document.documentElement.dataset.theme + document.documentElement.dataset.mode"
        ) == ("darkdark"):
            break
        visit.page.click(".theme-switch-button >> visible=true")
    assert visit.page.evaluate("document.documentElement.dataset.theme") == "dark", shown
    ink, ground = visit.page.evaluate("(s => [s.color, s.backgroundColor])(getComputedStyle(document.body))")
    assert _lightness(ground) < 0.2 < 0.6 < _lightness(ink)
    cards = """[...document.querySelectorAll('main figure img')].filter(i => {
        const style = getComputedStyle(i);
        return style.filter !== 'none' || style.backgroundColor !== 'rgba(0, 0, 0, 0)';
    }).map(i => i.src)"""
    assert visit.page.evaluate(cards) == []


def test_a_narrow_page_does_not_scroll_sideways(visit):
    _resize(visit.page, 390)
    excess = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert visit.page.evaluate(excess) <= 1


def _resize(page, width: int) -> None:
    """Give the page a width and let it be laid out: sizes are observed while a frame is drawn."""
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_function("width => innerWidth === width", arg=width)
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def _explored(page, explorer) -> tuple[str, str]:
    """What an explorer says of its frame: the slider's and facts' words, and the equation, typeset."""
    equation = explorer.query_selector(".explorer-equation")
    page.wait_for_function("box => !box.hasAttribute('aria-busy')", arg=equation)
    state = "box => box.hidden || !!box.querySelector('mjx-container') && !box.querySelector('mjx-merror')"
    assert equation.evaluate(state), equation.text_content()
    words = [explorer.query_selector(part).text_content() for part in (".explorer-label", ".explorer-facts")]
    return " ".join(words), equation.inner_html()


def _has_anchor(path: Path, anchor: str) -> bool:
    return re.search(rf'\b(id|name)="{re.escape(anchor)}"', path.read_text(encoding="utf-8")) is not None


def _contrast(ink: str, ground: str) -> float:
    one, two = (_luminance(color) + 0.05 for color in (ink, ground))
    return max(one / two, two / one)


def _luminance(color: str) -> float:
    channels = [float(number) / 255 for number in re.findall(r"[\d.]+", color)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _lightness(color: str) -> float:
    return sum(map(float, re.findall(r"[\d.]+", color)[:3])) / (3 * 255)
