"""Each .ipynb follows from its .py, and begins with a cell that installs what is missing."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from l2o_book import sync
from l2o_book.first_cell import first_cell

REPOSITORY = {"url": "https://example.org/book", "branch": "main"}
PAGE = """# %% [markdown]
# # A page

# %% tags=["parameters"]
seed = 0

# %%
print(seed)
"""


@pytest.fixture
def page(tmp_path):
    path = tmp_path / "page.py"
    path.write_text(PAGE)
    return path


def test_the_cell_that_installs_stands_before_the_first_code(page):
    notebook = nbformat.reads(sync.paired(page, REPOSITORY), as_version=4)
    assert [cell.id for cell in notebook.cells] == ["cell-0", "install", "cell-1", "cell-2"]
    assert notebook.cells[1].metadata.tags == ["install", "remove-cell"]
    assert nbformat.validate(notebook) is None


def test_a_page_saved_from_its_ipynb_does_not_get_a_second_one(page):
    once = sync.paired(page, REPOSITORY)
    saved = '# %% tags=["install", "remove-cell"]\nan_older_version()\n\n# %% tags=["parameters"]'
    page.write_text(PAGE.replace('# %% tags=["parameters"]', saved))
    assert sync.paired(page, REPOSITORY) == once


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A function that runs the cell in a folder, and returns the commands that it gave and where it ended."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    commands = []

    def pretended(command, check):
        assert check
        commands.append([str(part) for part in command])
        if command[0] == "git":
            (Path(command[-1]) / "notebooks").mkdir(parents=True)

    def run_in(folder, installed):
        monkeypatch.chdir(folder)
        monkeypatch.setattr(subprocess, "run", pretended)
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: name if name in installed else None)
        exec(first_cell(REPOSITORY).source, {})
        return commands, Path(os.getcwd())

    return run_in


def test_where_the_packages_are_nothing_happens(run, tmp_path):
    before = list(sys.path)
    assert run(tmp_path, {"l2o_core", "l2o_book"}) == ([], tmp_path)
    assert sys.path == before


def test_a_notebook_alone_fetches_and_installs_the_book(run, tmp_path):
    (clone, install), where = run(tmp_path, {"l2o_core"})
    book = tmp_path / "l2o-book"
    assert clone == ["git", "clone", "--depth=1", "--branch=main", "https://example.org/book", str(book)]
    assert install[1:] == ["-m", "pip", "install", "--quiet", "-e", f"{book}[book]", "-e", f"{book}/book"]
    assert where == book / "notebooks"
    assert sys.path[-2:] == [str(book), str(book / "book")]


def test_in_a_checkout_the_packages_are_installed_from_it(run, tmp_path):
    (tmp_path / "_toc.yml").touch()
    (tmp_path / "notebooks").mkdir()
    (install,), where = run(tmp_path / "notebooks", set())
    assert f"{tmp_path}/book" in install
    assert where == tmp_path / "notebooks"


HEAD = "# ---\n# jupyter:\n#   {}\n# ---\n# %%\n1\n"


@pytest.mark.parametrize(
    "text",
    [HEAD.format("a: \0"), HEAD.format("jupytext: 1"), HEAD.format("null: 1"), HEAD.format("a: 2020-01-01")],
)
def test_a_page_that_is_no_notebook_is_one_clear_line(tmp_path, monkeypatch, capsys, text):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "_config.yml").write_text("repository: {url: x, branch: y}\n")
    (tmp_path / "notebooks" / "page.py").write_text(text)
    monkeypatch.setenv("L2O_BOOK_ROOT", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["sync"])
    assert sync.main() == 2
    assert "page.py cannot be read: it is no notebook in py:percent format" in capsys.readouterr().err


def test_an_ipynb_that_is_no_text_is_written_anew(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "_config.yml").write_text("repository: {url: x, branch: y}\n")
    (tmp_path / "notebooks" / "page.py").write_text(PAGE)
    (tmp_path / "notebooks" / "page.ipynb").write_bytes(b"\xff\xfe")
    monkeypatch.setenv("L2O_BOOK_ROOT", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["sync"])
    assert sync.main() == 0
    assert nbformat.read(tmp_path / "notebooks" / "page.ipynb", as_version=4).cells
