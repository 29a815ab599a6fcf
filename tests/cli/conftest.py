"""A tiny book, in which notebooks can be run."""

import pytest

NOTEBOOK = """# %% [markdown]
# # {title}

# %% tags=["parameters"]
profile = "quick"
number = 1

# %%
{body}
"""


@pytest.fixture
def book(tmp_path, monkeypatch):
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
