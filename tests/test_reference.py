"""Everything public has a docstring and stands on a page of the reference."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "l2o_core").rglob("*.py"))
}
PUBLIC = [name for name, path in SOURCES.items() if "__all__ =" in path.read_text(encoding="utf-8")]
NAMES = [(module, name) for module in PUBLIC for name in importlib.import_module(module).__all__]
REFERENCE = "\n".join(page.read_text(encoding="utf-8") for page in (ROOT / "book" / "api").glob("*.md"))


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_a_public_name_is_on_a_page_of_the_reference(module, name):
    thing = getattr(importlib.import_module(module), name)
    if inspect.ismodule(thing):
        assert f".. automodule:: {thing.__name__}\n" in REFERENCE
        return
    page = REFERENCE.split(f".. currentmodule:: {module}\n")[1].split(".. currentmodule::")[0]
    assert re.search(rf"^   {name}$", page, re.MULTILINE) or f".. py:data:: {name}\n" in page, "in no table"
    assert re.search(rf"^\.\. (auto\w+|py:data):: {name}$", page, re.MULTILINE), "without an entry"


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_a_public_name_has_a_docstring_that_begins_with_a_sentence(module, name):
    thing = getattr(importlib.import_module(module), name)
    if inspect.isclass(thing) or inspect.isfunction(thing) or inspect.ismodule(thing):
        assert re.match(r"[^\n]+(\n[^\n]+)*\.(\n\n|$)", inspect.getdoc(thing) or "")
