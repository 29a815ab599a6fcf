"""The HTML of a page is finished: drawings inline, tables framed below their captions, a description."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from l2o_book import palette, rendering

IMAGE = (
    '<figure id="fig-a"><img alt="Loss &amp; step" src="../_images/fig-a.svg" style="width: 9px;" /></figure>'
)
ROWS = "<thead>\n<tr><th>a</th></tr>\n</thead>\n"
TABLE = (
    '<div class="pst-scrollable-table-container"><table class="table" id="tab-a">\n'
    '<caption><span class="caption-number">Table 1.1 </span>Seen.<a href="#tab-a">#</a></caption>\n'
    f"{ROWS}</table>\n</div>"
)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "fig-a.svg"
    path.write_text(
        f'<svg style="background:#fff;a:b" width="504pt"><path style="stroke:{palette.INK}"/></svg>'
    )
    return path


def test_a_drawing_stands_in_the_page_and_follows_its_theme(source):
    assert rendering.drawings(IMAGE, {"fig-a.svg": source}) == (
        '<figure id="fig-a"><svg class="l2o-figure" role="img" aria-label="Loss &amp; step" '
        'style="a:b" width="504pt"><path style="stroke:var(--l2o-ink)"/></svg></figure>'
    )


def test_other_images_stay(source):
    assert rendering.drawings(IMAGE, {}) == IMAGE
    photo = IMAGE.replace("fig-a.svg", "race.png")
    assert rendering.drawings(photo, {"race.png": source}) == photo
    source.write_text("<svg><style>p { color: red }</style></svg>")
    assert rendering.drawings(IMAGE, {"fig-a.svg": source}) == IMAGE


def test_a_table_is_framed_below_its_caption():
    framed = rendering.tables(f"<p>x</p>{TABLE}<p>y</p>")
    assert framed.startswith('<p>x</p><figure class="l2o-table" id="tab-a"><figcaption id="tab-a-caption">')
    assert framed.count("<caption") == 0
    assert (
        f'aria-labelledby="tab-a-caption"><table class="table">\n{ROWS}</table>\n</div></figure><p>y</p>'
        in framed
    )
    assert 'role="region" tabindex="0"' in framed
    assert framed.count('id="tab-a"') == 1


def test_a_table_without_caption_is_framed_all_the_same():
    plain = re.sub(r"<caption>.*</caption>\n", "", TABLE)
    framed = rendering.tables(plain + TABLE)
    assert framed.count('role="region"') == 2
    assert framed.count("<figcaption") == 1
    assert framed.index('aria-label="table"') < framed.index("<figcaption")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("<h1>T</h1><p>An <em>equation</em>\n&amp; \\(x_t\\).</p><p>More.</p>", "An equation & x_t."),
        ('<div class="l2o-run docutils">\n<p>Made in quick.</p>\n</div><p>First.</p>', "First."),
        ("<p><strong>What this page shows.</strong> The road.</p>", "The road."),
        ("<p></p><h1>T</h1>", ""),
        (f"<p>{'word, ' * 99}</p>", "word, " * 32 + "word …"),
    ],
)
def test_a_page_is_described_by_its_first_paragraph(body, text):
    assert rendering.description(body) == text


def finished(context, doctree="a document"):
    app = SimpleNamespace(srcdir="/", builder=SimpleNamespace(images={}))
    rendering.finish(app, "notebooks/a", "page.html", context, doctree)
    return context


def test_the_head_of_a_page_has_its_colours_one_viewport_and_a_description():
    metatags = '<meta name="generator" /><meta name="viewport" content="x" />\n'
    context = finished({"metatags": metatags, "body": '<p>About "this".</p>'})
    assert "viewport" not in context["metatags"]
    assert context["metatags"].count("--l2o-ink") == 2
    assert '<meta name="description" content="About &quot;this&quot;." />' in context["metatags"]
    assert '"generator"' in context["metatags"]


def test_a_description_of_its_own_stays_and_pages_without_text_need_none():
    own = finished({"metatags": '<meta name="description" content="Own." />', "body": "<p>x</p>"})
    assert own["metatags"].count('"description"') == 1
    assert "description" not in finished({"metatags": ""}, doctree=None)["metatags"]


def test_sources_are_found_by_the_name_that_the_page_knows(source):
    app = SimpleNamespace(
        srcdir=str(source.parent), builder=SimpleNamespace(images={"fig-a.svg": "fig-a.svg"})
    )
    context = {"body": IMAGE}
    rendering.finish(app, "a", "page.html", context, object())
    assert "<svg" in context["body"]
    assert Path(source).is_file()
