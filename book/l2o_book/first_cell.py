"""The first code cell of every notebook: it installs the book's packages where they are missing.

Colab opens a notebook alone, without the repository around it. `sync` puts the cell into each .ipynb; the .py
files and the pages of the book do not have it.
"""

from __future__ import annotations

from collections.abc import Mapping

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

TAGS = ["install", "remove-cell"]

SOURCE = """\
# Opened alone, as Colab does, a notebook first fetches the book that it belongs to and installs its packages.
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

if find_spec("l2o_core") is None or find_spec("l2o_book") is None:
    here = Path.cwd()
    book = next((at for at in (here, *here.parents) if (at / "_toc.yml").is_file()), here / "l2o-book")
    if not book.is_dir():
        subprocess.run(["git", "clone", "--depth=1", "--branch={branch}", "{url}", str(book)], check=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "-e", f"{{book}}[book]", "-e", f"{{book}}/book"], check=True)
    sys.path += [str(book), str(book / "book")]  # what is installed in this way, only new processes see
    os.chdir(book / "notebooks")
"""


def first_cell(repository: Mapping[str, str]) -> NotebookNode:
    """The cell for a book in the repository with this `url` and `branch` (as in _config.yml)."""
    source = SOURCE.format(url=repository["url"], branch=repository["branch"]).rstrip("\n")
    return new_code_cell(source, id="install", metadata={"tags": TAGS})


def is_first_cell(cell: NotebookNode) -> bool:
    """Whether a cell is this one, of whatever version."""
    return "install" in cell.metadata.get("tags", [])
