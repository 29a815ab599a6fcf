"""An executed notebook becomes a page: marked outputs numbered, papermill's traces gone, the rest kept."""

import json

import nbformat
import pytest
from l2o_book import palette, staging
from l2o_book.mime import EXPLORER, SVG, WIDGET_VIEW
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

DRAWING = "<svg>pretended</svg>"
REPOSITORY = {"url": "https://example.org/book", "branch": "main"}
RUN = {"profile": "quick", "seconds": 131.0, "parameters": {"profile": "quick", "seeds": 2}, "failure": None}


def shown(kind, name, data, caption="Seen.", **metadata):
    mark = {"kind": kind, "name": name} | ({"caption": caption} if caption else {}) | metadata
    return new_output("display_data", data=data, metadata={"l2o": mark})


def staged(cells, tmp_path, run=RUN):
    notebook = new_notebook(
        cells=cells, metadata={"l2o": run, "papermill": {"output_path": "/home/me/x.ipynb"}}
    )
    return staging.page(notebook, tmp_path / "figures", REPOSITORY)


def sources(page, kind="markdown"):
    return [cell.source for cell in page.cells if cell.cell_type == kind]


def test_a_figure_becomes_a_numbered_directive_behind_its_cell(tmp_path):
    figure = shown("figure", "fig-a", {SVG: DRAWING}, "Loss $f(x)$ of {one}.", alt="Chart: loss $f$.")
    caption = shown("caption", "fig-a", {"text/markdown": "*Loss*"}, None)
    cell = new_code_cell("draw()", outputs=[figure, caption])
    page = staged([new_markdown_cell("# Title\n\nBegin."), cell, new_markdown_cell("After.")], tmp_path)
    assert (tmp_path / "figures" / "fig-a.svg").read_text() == DRAWING
    title, note, introduction, directive, after = sources(page)
    assert (title, introduction, after) == ("# Title", "Begin.", "After.")
    assert note.startswith("```{div} l2o-run")
    assert directive.splitlines()[:3] == [
        *("```{figure} figures/fig-a.svg", ":name: fig-a", ":alt: Chart: loss f.")
    ]
    assert directive.endswith("\n\nLoss $f(x)$ of {one}.\n```")
    assert sources(page, "code") == ["draw()"]
    assert page.cells[3].outputs == []
    assert nbformat.validate(page) is None


LONG = "\n".join(f"line_{number} = {number}" for number in range(13))
SHORT = "\n".join(LONG.splitlines()[1:])


@pytest.mark.parametrize(
    ("source", "tags", "outputs", "prompt"),
    [
        (LONG, [], ["marked", "caption"], "Show the code"),
        (LONG, [], ["marked", "stderr"], "Show the code"),
        (LONG, [], ["marked", "text"], None),
        (LONG, [], [], None),
        (LONG, ["open"], ["marked"], None),
        (SHORT, [], ["marked"], None),
        ("import a\nfrom b import c\npage = c()", [], [], "Imports"),
        ("import a\nfrom b import c\npage = c()", ["open"], [], None),
        ("import a\n\npage = c()", [], [], None),
        ("import a\nfrom b import c\nc()", [], ["text"], None),
        ("%matplotlib inline\nimport a", [], [], None),
        (SHORT, ["draw"], ["text"], "Show the code"),
        (SHORT, ["draw"], [], "Show the code"),
        (SHORT, ["parameters"], [], "Parameters"),
    ],
)
def test_code_that_only_draws_is_folded(tmp_path, source, tags, outputs, prompt):
    known = {
        "marked": shown("table", "tab-a", {"text/markdown": "| a |"}),
        "caption": shown("caption", "tab-a", {"text/markdown": "*a*"}, None),
        "stderr": new_output("stream", name="stderr", text="50 %"),
        "text": new_output("stream", name="stdout", text="found"),
    }
    cell = new_code_cell(source, outputs=[known[name] for name in outputs], metadata={"tags": tags})
    (code,) = (cell for cell in staged([cell], tmp_path).cells if cell.cell_type == "code")
    assert ("hide-input" in code.metadata.get("tags", [])) == (prompt is not None)
    assert code.metadata.get("mystnb", {}).get("code_prompt_show") == prompt


def test_a_removed_cell_leaves_nothing(tmp_path):
    outputs = [shown("table", "tab-a", {"text/markdown": "| a |"})]
    cell = new_code_cell("install()", outputs=outputs, metadata={"tags": ["remove-cell"]})
    assert len(staged([new_markdown_cell("# Title"), cell], tmp_path).cells) == 2


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
FRAMES = {"x": HOSTILE, "curves": [{"color": palette.LIGHT["blue"]}]}


def explorer():
    """The marked output of an explorer, with the widget that a kernel adds."""
    data = {
        EXPLORER: FRAMES,
        WIDGET_VIEW: {"model_id": "x"},
        SVG: DRAWING,
        "text/plain": "<explorer fig-e>",
    }
    return shown("explorer", "fig-e", data, alt="Chart.")


def test_an_explorer_becomes_a_numbered_picture_and_its_frames(tmp_path):
    page = staged([new_code_cell("explore()", outputs=[explorer()])], tmp_path)
    assert page.cells[1].outputs == []
    assert (tmp_path / "figures" / "fig-e.svg").read_text() == DRAWING
    figure, raw = sources(page)[1].split("\n\n```{raw} html\n")
    assert figure.startswith("```{figure} figures/fig-e.svg\n:name: fig-e\n")
    assert figure.endswith("\n\nSeen.\n```")
    script, end = raw.split("\n")
    assert end == "```"
    assert script.count("<") == 2
    assert script.endswith("</script>")
    frames = json.loads(script[script.index(">") + 1 : script.rindex("<")])
    assert frames == {"x": HOSTILE, "curves": [{"color": "var(--l2o-blue)"}]}
    assert "model_id" not in nbformat.writes(page)


def test_papermill_widgets_and_stderr_leave_no_trace(tmp_path):
    outputs = [
        new_output("stream", name="stderr", text="  3%|  | progress"),
        new_output("display_data", data={WIDGET_VIEW: {"model_id": "x"}, "text/plain": "bar"}),
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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<torch._C.Generator at 0x7f0aefdbe110>", False),
        ("[<matplotlib.lines.Line2D at 0x7f0aefdbe110>]", False),
        ("PosixPath('/home/me/results/sol.json')", False),
        ("<Recipe rp/p1>", True),
        ("0x7f", True),
    ],
)
def test_addresses_and_paths_are_no_results(tmp_path, text, shown):
    output = new_output("execute_result", data={"text/plain": text}, execution_count=1)
    (cell,) = staged([new_code_cell("x", outputs=[output])], tmp_path).cells[1:]
    assert len(cell.outputs) == shown


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


RECORD = {
    "source": "standard run, MNIST, 3 seeds",
    "path": "results/standard/sol.json",
    "commit": "66d6f8a0123456789",
    "date": "2026-11-21T10:00:00+00:00",
    "profile": "standard",
    "seconds": 2640.0,
    "hardware": {"cpu": "A processor", "cores": 2, "gpu": None},
}


def test_a_page_that_shows_a_recorded_run_says_which_and_that_it_was_rebuilt(tmp_path):
    mark = shown("record", "sol", {"text/plain": "This page shows ..."}, None, **RECORD)
    page = staged(
        [new_markdown_cell("# Title"), new_code_cell("page.record()", outputs=[mark, mark])], tmp_path
    )
    assert sources(page)[1].splitlines() == [
        "```{div} l2o-run",
        "Shows the **recorded run**: "
        "standard run, MNIST, 3 seeds, 2026-11-21, 44 min on A processor, 2 cores, "
        "record [sol.json](https://example.org/book/blob/main/results/standard/sol.json), "
        "code [66d6f8a](https://example.org/book/tree/66d6f8a0123456789).",
        "",
        "The page itself was rebuilt in the **quick** profile with `seeds=2`, in 2 min; "
        "numbers of that run are named as such.",
        "```",
    ]
    assert page.cells[-1].outputs == []


def test_a_page_that_shows_its_own_run_names_no_record(tmp_path):
    mark = shown("record", "sol", {"text/plain": "This page shows ..."}, None, source="quick run")
    page = staged([new_markdown_cell("# Title"), new_code_cell("page.record()", outputs=[mark])], tmp_path)
    assert (
        sources(page)[1] == "```{div} l2o-run\nMade in the **quick** profile with `seeds=2`, in 2 min.\n```"
    )


def test_a_caption_can_name_its_record(tmp_path):
    table = shown("table", "tab-a", {"text/markdown": "| a |"}, record=RECORD | {"name": "sol"})
    page = staged([new_code_cell("show()", outputs=[table])], tmp_path)
    assert "{table} Seen. Source: standard run, MNIST, 3 seeds, 2026-11-21, 44 min" in sources(page)[1]


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0 s"), (99, "99 s"), (150, "2 min"), (7200, "2.0 h")])
def test_durations_read_well(seconds, words):
    assert staging.duration(seconds) == words


@pytest.mark.parametrize(
    ("caption", "linked"),
    [("Seen.", True), ("Seen (digits, this build).", False), ("This run, that is.", False)],
)
def test_captions_after_a_record_lead_to_its_page(tmp_path, caption, linked):
    record = shown("record", "sol", {"text/plain": "This page shows ..."}, None, **RECORD)
    table = shown("table", "tab-a", {"text/markdown": "| a |"}, caption)
    cells = [new_code_cell("page.record()\nshow()", outputs=[record, table])]
    notebook = new_notebook(cells=cells, metadata={"l2o": RUN})
    assert staging.recorded(notebook) == {("sol", "standard")}
    page = staging.page(notebook, tmp_path / "figures", REPOSITORY, {("sol", "standard")}, "A box.")
    note, directive = sources(page)
    assert note.endswith("A box.")
    assert "[record and code](../book/records/standard-sol.md)" in note
    assert ("[Record and code](../book/records/standard-sol.md)" in directive) == linked
