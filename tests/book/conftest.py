"""The built site, a local server for it, and a browser."""

import functools
import http.server
import os
import shutil
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
collect_ignore = ["fixture"]  # a notebook: no tests, and no examples in docstrings

NOTEBOOK = """# %% [markdown]
# # {title}

# %% tags=["parameters"]
profile = "quick"
number = 1

# %%
{body}
"""


@pytest.fixture(scope="session")
def site() -> Path:
    """The built book; with L2O_REQUIRE_SITE set, its absence is a failure rather than a reason to skip."""
    html = Path(os.environ.get("L2O_SITE", ROOT / "book" / "_build" / "html"))
    if not (html / "index.html").is_file():
        _absent(f"the book is not built ({html}): run `make book`")
    return html


@pytest.fixture(scope="session")
def server(site):
    """The address of the site on this machine."""
    handler = functools.partial(_Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium: the one named by $CHROMIUM, or on the path."""
    found = [
        os.environ.get("CHROMIUM"),
        *map(shutil.which, ("chromium", "chromium-browser", "google-chrome")),
    ]
    path = next((path for path in found if path), None)
    if path is None:
        _absent("no Chromium: install it (Debian: apt-get install chromium) or set CHROMIUM to its path")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"],
        )
        yield running
        running.close()


@pytest.fixture
def small_book(tmp_path, monkeypatch):
    """A function that adds a notebook to an otherwise empty book."""
    for folder in ("notebooks", "profiles", "results", "book"):
        (tmp_path / folder).mkdir()
    (tmp_path / "_toc.yml").write_text(
        "format: jb-book\nroot: book/intro\nchapters:\n- file: notebooks/second\n"
    )
    (tmp_path / "profiles" / "quick.yml").write_text("number: 2\nunknown_here: 1\n")
    (tmp_path / "profiles" / "paper.yml").write_text("number: 9\n")
    monkeypatch.setenv("L2O_BOOK_ROOT", str(tmp_path))

    def add(name, body="print(number)", source=NOTEBOOK):
        (tmp_path / "notebooks" / f"{name}.py").write_text(source.format(title=name, body=body))

    add.root = tmp_path
    return add


@pytest.fixture
def shown(monkeypatch):
    """The outputs that a notebook would show: (data, metadata)."""
    outputs = []
    monkeypatch.setattr(
        "IPython.display.display", lambda data, raw, metadata: outputs.append((data, metadata))
    )
    return outputs


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


def _absent(reason: str) -> None:
    if os.environ.get("L2O_REQUIRE_SITE"):
        pytest.fail(reason)
    pytest.skip(reason)
