"""An executed notebook becomes a page: marked outputs numbered, papermill's traces gone, the rest kept."""

import base64
import json
from pathlib import Path

import nbformat
import pytest
from l2o_book import staging
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

PIXELS = b"\x89PNG pretended"
RUN = {"profile": "quick", "seconds": 131.0, "parameters": {"profile": "quick", "seeds": 2}, "failure": None}


def shown(kind, name, data, caption="Seen.", **metadata):
    mark = {"kind": kind, "name": name} | ({"caption": caption} if caption else {})
    return new_output("display_data", data=data, metadata={"l2o": mark, **metadata})


def staged(cells, tmp_path, run=RUN):
    notebook = new_notebook(
        cells=cells, metadata={"l2o": run, "papermill": {"output_path": "/home/me/x.ipynb"}}
    )
    return staging.page(notebook, tmp_path / "figures")


def sources(page, kind="markdown"):
    return [cell.source for cell in page.cells if cell.cell_type == kind]


def test_a_figure_becomes_a_numbered_directive_behind_its_cell(tmp_path):
    data = {"image/png": base64.b64encode(PIXELS).decode()}
    cell = new_code_cell(
        "draw()",
        outputs=[
            shown("figure", "fig-a", data, "Loss $f(x)$ of {one}.", **{"image/png": {"width": 512}}),
            shown("caption", "fig-a", {"text/markdown": "*Loss*"}, None),
        ],
    )
    page = staged([new_markdown_cell("# Title"), cell, new_markdown_cell("After.")], tmp_path)
    assert (tmp_path / "figures" / "fig-a.png").read_bytes() == PIXELS
    title, _, figure, after = sources(page)
    assert (title, after) == ("# Title", "After.")
    assert figure.splitlines()[:4] == [
        *("```{figure} figures/fig-a.png", ":name: fig-a", ":alt: Loss f(x) of one.", ":width: 512px")
    ]
    assert figure.endswith("\n\nLoss $f(x)$ of {one}.\n```")
    assert sources(page, "code") == ["draw()"]
    assert page.cells[2].outputs == []
    assert nbformat.validate(page) is None


def test_a_table_and_an_equation_become_numbered_directives(tmp_path):
    outputs = [
        shown("table", "tab-a", {"text/markdown": "| a |\n| --- |\n| 1 |"}),
        shown("equation", "eq-a", {"text/latex": "$$x$$", "text/plain": "x"}, None),
    ]
    page = staged([new_code_cell("show()", outputs=outputs)], tmp_path)
    _, table, equation = sources(page)
    assert table == "````{table} Seen.\n:name: tab-a\n\n| a |\n| --- |\n| 1 |\n````"
    assert equation == "```{math}\n:label: eq-a\n\nx\n```"


HOSTILE = "</script><img src=x onerror=\"document.title='run'\"><!-- ``` {{ x }} $$"
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
    "groups": [
        {
            "label": name,
            "frames": [
                {
                    "label": f"{name} {nodes} nodes",
                    "facts": [["R²", f"0.{nodes}"]],
                    "latex": f"x_{{{nodes}}} < {'+ y ' * 99}",
                    "curves": [{"label": HOSTILE, "x": 0, "y": y, "color": "#0f8ad6", "style": style}],
                }
                for nodes, y, style in [(10, 1, "line"), (20, 2, "dash"), (30, 2, "points")][:count]
            ],
        }
        for name, count in [("DM", 3), (HOSTILE, 2)]
    ],
}


def explorer():
    """The marked output of an explorer, with the widget that a kernel adds."""
    data = {
        staging.EXPLORER: FRAMES,
        staging.WIDGET_VIEW: {"model_id": "x"},
        "image/png": base64.b64encode(PIXELS).decode(),
        "text/plain": "<explorer fig-e>",
    }
    return shown("explorer", "fig-e", data, **{"image/png": {"width": 640}})


def test_an_explorer_becomes_a_numbered_picture_and_its_frames(tmp_path):
    page = staged([new_code_cell("explore()", outputs=[explorer()])], tmp_path)
    assert page.cells[1].outputs == []
    assert (tmp_path / "figures" / "fig-e.png").read_bytes() == PIXELS
    figure, raw = sources(page)[1].split("\n\n```{raw} html\n")
    assert figure.startswith("```{figure} figures/fig-e.png\n:name: fig-e\n")
    assert figure.endswith("\n\nSeen.\n```")
    script, end = raw.split("\n")
    assert end == "```"
    assert script.count("<") == 2
    assert script.endswith("</script>")
    assert json.loads(script[script.index(">") + 1 : script.rindex("<")]) == FRAMES
    assert "model_id" not in nbformat.writes(page)


@pytest.fixture
def opened(browser, tmp_path):
    """A page with an explorer and nothing else: no theme, no MathJax."""
    raw = staging.directive(explorer(), tmp_path / "figures").split("{raw} html\n")[1].removesuffix("\n```")
    script = (Path(staging.__file__).parents[1] / "static" / "explorer.js").as_uri()
    style = (Path(staging.__file__).parents[1] / "static" / "l2o.css").as_uri()
    (tmp_path / "page.html").write_text(
        f'<!DOCTYPE html><meta charset="utf-8"><link rel="stylesheet" href="{style}">'
        f'<script defer src="{script}"></script><body class="bd-content">'
        f'<figure id="fig-e"><img alt="static"><figcaption>Seen.</figcaption></figure>\n{raw}',
        encoding="utf-8",
    )
    page = browser.new_page(viewport={"width": 390, "height": 800})
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto((tmp_path / "page.html").as_uri())
    page.wait_for_selector("#fig-e svg[role=img] path.explorer-dash")
    yield page
    assert complaints == []
    page.close()


def test_an_explorer_follows_its_controls(opened):
    slider, select = opened.get_by_label("size"), opened.locator("select")
    facts, latex = opened.locator(".explorer-facts"), opened.locator(".explorer-equation")

    def state():
        opened.wait_for_function("!document.querySelector('.explorer-equation[aria-busy]')")
        curve = opened.locator(".explorer-chart path[stroke]").get_attribute("class")
        return (
            slider.get_attribute("aria-valuetext"),
            facts.inner_text().split(),
            curve,
            latex.inner_text()[:6],
        )

    assert state() == ("DM 20 nodes", ["R²", "0.20"], "explorer-dash", "x_{20}")
    slider.press("ArrowRight")
    assert state() == ("DM 30 nodes", ["R²", "0.30"], "explorer-points", "x_{30}")
    slider.press("Home")
    assert state() == ("DM 10 nodes", ["R²", "0.10"], "explorer-line", "x_{10}")
    slider.press("End")
    select.select_option(index=1)
    assert state() == (f"{HOSTILE} 20 nodes", ["R²", "0.20"], "explorer-dash", "x_{20}")
    assert opened.inner_text("figcaption") == "Seen."
    assert opened.locator("#fig-e img").count() == 0


def test_an_explorer_takes_text_as_text(opened):
    opened.wait_for_load_state("networkidle")
    assert opened.title() == ""
    assert opened.inner_text(".explorer-legend") == HOSTILE
    assert opened.locator("label").first.inner_text() == HOSTILE


def test_an_explorer_stays_within_a_narrow_page(opened):
    excess = "(box => box.scrollWidth - box.clientWidth)"
    opened.wait_for_function("!document.querySelector('.explorer-equation[aria-busy]')")
    assert opened.evaluate(f"{excess}(document.querySelector('.explorer-equation'))") > 100
    assert opened.evaluate(f"{excess}(document.documentElement)") <= 1
    assert opened.locator(".explorer-equation").get_attribute("tabindex") == "0"


def test_an_explorer_has_round_ticks(opened):
    assert opened.locator(".explorer-chart text").all_text_contents() == [
        *("0", "1", "2", "10⁻⁶", "10⁻⁴", "10⁻²", "10⁰", HOSTILE, "loss")
    ]


def test_papermill_widgets_and_stderr_leave_no_trace(tmp_path):
    outputs = [
        new_output("stream", name="stderr", text="  3%|  | progress"),
        new_output("display_data", data={staging.WIDGET_VIEW: {"model_id": "x"}, "text/plain": "bar"}),
        new_output("stream", name="stdout", text="kept"),
        new_output("execute_result", data={"text/plain": "kept too"}, execution_count=4),
    ]
    cells = [
        new_markdown_cell("error note", metadata={"tags": ["papermill-error-cell-tag"]}),
        new_code_cell("seeds = 1", metadata={"tags": ["parameters"], "papermill": {"duration": 1}}),
        new_code_cell("seeds = 2", metadata={"tags": ["injected-parameters"]}),
        new_code_cell("run()", outputs=outputs, metadata={"papermill": {"start_time": "now"}}),
    ]
    page = staged(cells, tmp_path)
    assert sources(page, "code") == ["seeds = 1", "run()"]
    assert page.cells[-2].metadata.tags == ["parameters", "hide-input"]
    assert [output.output_type for output in page.cells[-1].outputs] == ["stream", "execute_result"]
    text = nbformat.writes(page)
    assert not any(word in text for word in ("papermill", "progress", "start_time", "/home/me", "widget"))


def test_staging_leaves_the_executed_notebook_as_it_was(tmp_path):
    notebook = new_notebook(
        cells=[new_code_cell("x", outputs=[new_output("stream", name="stderr", text="!")])]
    )
    before = nbformat.writes(notebook)
    staging.page(notebook, tmp_path)
    assert nbformat.writes(notebook) == before


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (RUN, "Made in the **quick** profile with `seeds=2`, in 2 min."),
        (
            RUN | {"parameters": {"profile": "quick"}, "seconds": 8.4},
            "Made in the **quick** profile, in 8 s.",
        ),
        (
            RUN | {"failure": "in a.py:3: ValueError: no"},
            "failed:\n\n```text\nin a.py:3: ValueError: no\n```",
        ),
    ],
)
def test_every_page_says_how_it_was_made(tmp_path, run, words):
    page = staged([new_markdown_cell("# Title")], tmp_path, run)
    assert words in sources(page)[1]


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0 s"), (99, "99 s"), (150, "2 min"), (7200, "2.0 h")])
def test_durations_read_well(seconds, words):
    assert staging.duration(seconds) == words
