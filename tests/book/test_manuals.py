"""The text of the stand-ins does not depend on what else is imported."""

import numpy as np
import pytest
from l2o_book import instructions, manuals, sentences


def test_other_libraries_change_what_this_process_sees_but_not_the_stand_ins(monkeypatch):
    monkeypatch.setattr(np, "amen", lambda: None, raising=False)
    np.amen.__doc__ = "Every sentence that an import adds would be one more of the stand-in."
    for cached in (manuals.read, sentences._all, sentences.load, instructions._manuals):
        cached.cache_clear()
    texts = [text for part in ("train", "choose", "report") for text in sentences.load(part).texts[0]]
    assert not [text for text in texts if "that an import adds" in text]
    assert not [row for row in instructions.load("manuals", "train").rows if "amen" in row.question]


@pytest.mark.parametrize("library", manuals.MODULES)
def test_every_place_has_its_docstrings_in_order_and_no_plain_values(library):
    for place, docstrings in manuals.read()[library].items():
        assert len(docstrings) > 5, place
        assert [*docstrings] == sorted(docstrings)
    assert "pi" not in manuals.read()[library][library]
