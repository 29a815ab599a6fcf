"""A small book is built whole, is left alone when nothing changed, and tells what is wrong with it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


class Book:
    """A copy of the fixture with this repository's configuration and static files."""

    def __init__(self, root: Path):
        self.root, self.html = root, root / "book" / "_build" / "html"
        shutil.copytree(Path(__file__).parent / "fixture", root)
        for name in ("_config.yml", "constraints.txt"):
            shutil.copy(ROOT / name, root)
        shutil.copy(ROOT / "book" / "references.bib", root / "book")
        shutil.copytree(ROOT / "book" / "static", root / "book" / "static")
        (root / "profiles").mkdir()
        (root / "profiles" / "quick.yml").write_text("seeds: 3\n")

    def run(self, module: str, *arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", f"l2o_book.{module}", *arguments]
        environment = os.environ | {"L2O_BOOK_ROOT": str(self.root)}
        return subprocess.run(command, capture_output=True, text=True, env=environment)


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """The small book, built."""
    made = Book(tmp_path_factory.mktemp("book") / "checkout")
    assert made.run("sync").returncode == 0
    made.first = made.run("build")
    return made


def test_the_build_says_where_the_book_is_and_what_each_notebook_took(book):
    assert book.first.returncode == 0, book.first.stdout + book.first.stderr
    assert re.search(r"^sample +\d+\.\d  run$", book.first.stdout, re.MULTILINE)
    assert str(book.html / "index.html") in book.first.stdout


def test_marked_outputs_are_numbered_and_referred_to(book):
    page = (book.html / "notebooks" / "sample.html").read_text()
    for number in ("Fig. 1.1", "Table 1.1", "(1.1)"):
        assert page.count(number) >= 2, f"{number} should stand at the thing and in the text"
    assert "Losses of 3 seeds" in page
    assert '<svg class="l2o-figure" role="img" aria-label="Chart: loss f(x_t) against step.' in page
    assert (book.html / "_images" / "fig-sample.svg").is_file()


def test_pages_load_nothing_from_elsewhere(book):
    pages = [*book.html.glob("*.html"), *book.html.glob("book/*.html"), *book.html.glob("notebooks/*.html")]
    assert len(pages) >= 5
    for page in pages:
        assert not re.findall(
            r'(?:<script[^>]*src|<link[^>]*href|<img[^>]*src)="(?:https?:)?//[^"]*', page.read_text()
        )
    assert (book.html / "_static" / "mathjax" / "es5" / "tex-chtml.js").is_file()


def test_the_download_is_the_runnable_notebook(book):
    download = book.html / "_sources" / "notebooks" / "sample.ipynb"
    assert download.read_bytes() == (book.root / "notebooks" / "sample.ipynb").read_bytes()
    cells = json.loads(download.read_text())["cells"]
    assert not any(cell.get("outputs") for cell in cells)


def test_launch_buttons_point_at_the_notebook_in_the_repository(book):
    page = (book.html / "notebooks" / "sample.html").read_text()
    assert re.search(r"mybinder\.org/v2/gh/[^\"]*notebooks/sample\.ipynb", page)
    assert re.search(r"colab\.research\.google\.com/github/[^\"]*/blob/main/notebooks/sample\.ipynb", page)


def test_a_second_build_does_nothing(book):
    before = (book.html / "notebooks" / "sample.html").stat().st_mtime_ns
    again = book.run("build")
    assert again.returncode == 0
    assert "sample: unchanged" in again.stdout
    assert "pages: unchanged" in again.stdout
    assert (book.html / "notebooks" / "sample.html").stat().st_mtime_ns == before


def test_a_failing_notebook_and_a_dangling_reference_fail_the_build_but_not_the_other_pages(book, tmp_path):
    shutil.copytree(book.root, tmp_path / "broken")
    broken = Book.__new__(Book)
    broken.root, broken.html = tmp_path / "broken", tmp_path / "broken" / "book" / "_build" / "html"
    (broken.root / "notebooks" / "bad.py").write_text(
        "# %% [markdown]\n# # Bad\n\n# %%\nraise ValueError('no')\n"
    )
    toc = broken.root / "_toc.yml"
    toc.write_text(
        toc.read_text().replace("notebooks/sample", "notebooks/bad\n      - file: notebooks/sample")
    )
    with (broken.root / "book" / "deviations.md").open("a") as page:
        page.write("\nSee {numref}`fig-nowhere`.\n")
    broken.run("sync")
    done = broken.run("build")
    assert done.returncode == 1
    assert "FAILED in bad.py:5: ValueError: no" in done.stdout
    assert "1 of 2 notebooks are fine" in done.stdout
    assert "fig-nowhere" in done.stdout
    assert "in bad.py:5: ValueError: no" in (broken.html / "notebooks" / "bad.html").read_text()
    assert (broken.html / "notebooks" / "sample.html").is_file()
    toc.write_text(toc.read_text().replace("notebooks/bad", "notebooks/nowhere"))
    done = broken.run("build")
    assert done.returncode == 2
    assert done.stderr.startswith("book: _toc.yml names notebooks/nowhere")


def test_a_pair_out_of_step_is_named_with_its_remedy(book):
    paired = book.root / "notebooks" / "sample.ipynb"
    paired.write_text(paired.read_text().replace("A sample page", "Another page"))
    done = book.run("sync", "--check")
    assert done.returncode == 1
    assert "sample.ipynb is out of step" in done.stdout
    assert "make sync" in done.stdout
    assert book.run("sync").returncode == 0
    assert "A sample page" in paired.read_text()
