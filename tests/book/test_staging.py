"""An executed notebook becomes a page: marked outputs numbered, papermill's traces gone, the rest kept."""

import base64

import nbformat
import pytest
import staging
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
