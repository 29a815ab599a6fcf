"""The code that prose shows runs as it stands, from top to bottom of a page, and prints what it says."""

import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "book/intro.md", "book/using_a_rule.md")
ELSEWHERE = "from transformers"  # Trainer has tests of its own, and needs data


@pytest.mark.parametrize("page", PAGES)
def test_the_python_of_a_page_runs(page):
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.M | re.S)
    assert blocks
    scope: dict[str, object] = {}
    for block in blocks:
        if ELSEWHERE not in block:
            exec(compile(block, page, "exec"), scope)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_prints_what_it_says(page):
    text = "\n".join(re.findall(r"^```pycon\n(.*?)^```", (ROOT / page).read_text(), re.M | re.S))
    example = doctest.DocTestParser().get_doctest(text, {}, page, page, 0)
    assert doctest.DocTestRunner().run(example).failed == 0
