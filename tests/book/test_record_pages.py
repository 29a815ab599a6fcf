"""Each record has a page with its seeds, settings, commit, file and code, in shallow clones, too."""

import json
from pathlib import Path

import pytest
from l2o_book import provenance, record_pages, records

ROOT = Path(__file__).parents[2]
REPOSITORY = {"url": "https://example.org/book"}


@pytest.fixture
def written(tmp_path, monkeypatch):
    """A function that writes the page of SOL's record, and gives the folder."""
    monkeypatch.setenv("L2O_BOOK_ROOT", str(ROOT))

    def write(repository=REPOSITORY):
        assert record_pages.write(ROOT, tmp_path, "sol", "standard", repository)
        return tmp_path / "book" / "records"

    return write


def test_a_page_names_seeds_commit_hardware_and_its_known_faults(written, monkeypatch):
    monkeypatch.setattr(provenance, "source_at", lambda sha, path: f"# {path} at {sha}\n")
    folder, record = written(), records.load("sol", "standard")
    page = (folder / "standard-sol.md").read_text()
    seeds = ", ".join(map(str, record.seeds))
    for fact in (seeds, record.sha, record.hardware["cpu"], record.dataset, "## Code", "## Settings"):
        assert fact in page
    assert f"https://example.org/book/tree/{record.sha}" in page
    assert json.loads((folder / "standard-sol.json").read_text())["experiment"] == "sol"
    assert (folder / "standard-sol.py").read_text() == f"# notebooks/sol.py at {record.sha}\n"
    assert "```{literalinclude} standard-sol.py" in page


def test_without_history_and_without_a_repository_the_page_says_so(written, monkeypatch):
    monkeypatch.setattr(provenance, "source_at", lambda sha, path: None)
    page = (written(None) / "standard-sol.md").read_text()
    assert "does not have the notebook of that commit" in page
    assert "example.org" not in page
    assert "literalinclude" not in page


def test_there_is_no_page_without_a_record(tmp_path):
    assert not record_pages.write(ROOT, tmp_path, "nothing", "standard", None)


@pytest.mark.parametrize("sha", ["0" * 40, "HEAD; true", "--help"])
def test_a_commit_that_is_not_there_has_no_source(sha):
    assert provenance.source_at(sha, "notebooks/sol.py") is None
