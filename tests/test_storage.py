"""Files appear whole or not at all."""

import pytest

from l2o_core.storage import replacing


def test_the_file_is_replaced_at_the_end(tmp_path):
    path = tmp_path / "new folder" / "file.txt"
    for text in ("old", "new"):
        with replacing(path) as draft:
            draft.write_text(text)
            assert draft.suffix == ".txt"
            assert not path.exists() or path.read_text() == "old"
        assert path.read_text() == text
    assert list(path.parent.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")

    def fail():
        with replacing(path) as draft:
            draft.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
