"""The book is found from below, and so are its folders."""

import pytest
from l2o_book import checkout

from l2o_core.errors import ConfigError


def test_the_book_is_found_from_below_or_where_the_variable_says(tmp_path, monkeypatch):
    monkeypatch.delenv("L2O_BOOK_ROOT", raising=False)
    (tmp_path / "notebooks" / "deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "notebooks" / "deep")
    with pytest.raises(ConfigError, match="L2O_BOOK_ROOT"):
        checkout.book_root()
    (tmp_path / "_toc.yml").touch()
    assert checkout.book_root() == tmp_path
    assert checkout.record_dir() == tmp_path / "results" / "own"
    monkeypatch.setenv("L2O_BOOK_ROOT", "/elsewhere")
    assert str(checkout.book_root()) == "/elsewhere"
