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


@pytest.mark.parametrize("text", ["", "repository: {url: x}\n", "repository: [1]\n", "a: !!set {b}\n", "[\n"])
def test_a_book_that_does_not_say_where_it_lives_is_refused(tmp_path, text):
    (tmp_path / "_config.yml").write_text(text)
    with pytest.raises(ConfigError, match=r"_config\.yml"):
        checkout.repository(tmp_path)
