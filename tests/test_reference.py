"""Everything public has a docstring and stands on a page of the reference."""

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType

import pytest
from docutils.core import publish_doctree
from docutils.utils import SystemMessage
from sphinx.ext.napoleon import Config, GoogleDocstring

ROOT = Path(__file__).parents[1]
SOURCES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "l2o_core").rglob("*.py"))
}
PUBLIC = [name for name, path in SOURCES.items() if "__all__ =" in path.read_text(encoding="utf-8")]
NAMES = [(module, name) for module in PUBLIC for name in importlib.import_module(module).__all__]
NAPOLEON = Config(napoleon_use_rtype=False, napoleon_use_ivar=True)  # as in _config.yml
DOCUMENTED = [  # a constant has no docstring: its page describes it
    (module, name)
    for module, name in NAMES
    if isinstance(getattr(importlib.import_module(module), name), type | FunctionType | ModuleType)
]
REFERENCE = "\n".join(page.read_text(encoding="utf-8") for page in (ROOT / "book" / "api").glob("*.md"))


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_a_public_name_is_on_a_page_of_the_reference(module, name):
    thing = getattr(importlib.import_module(module), name)
    if inspect.ismodule(thing):
        assert f".. automodule:: {thing.__name__}\n" in REFERENCE
        return
    if module == "l2o_core":  # the front door, which links to where things are at home
        assert re.search(rf"`~l2o_core\.\w+\.{name}`", REFERENCE)
        return
    page = REFERENCE.split(f".. currentmodule:: {module}\n")[1].split(".. currentmodule::")[0]
    assert re.search(rf"^   {name}$", page, re.MULTILINE) or f".. py:data:: {name}\n" in page, "in no table"
    assert re.search(rf"^\.\. (auto\w+|py:data):: {name}$", page, re.MULTILINE), "without an entry"


def docstrings(thing: object) -> Iterator[str]:
    """The docstring of a public thing, and of a class's public methods and properties."""
    yield inspect.getdoc(thing) or ""
    for name, part in vars(thing).items() if inspect.isclass(thing) else ():
        if name[0] != "_" and isinstance(part, FunctionType | property | classmethod | staticmethod):
            yield inspect.getdoc(part) or ""


@pytest.mark.parametrize(("module", "name"), DOCUMENTED)
def test_every_argument_is_described(module, name):
    thing = getattr(importlib.import_module(module), name)
    if inspect.ismodule(thing) or getattr(thing, "_is_protocol", False):
        return
    if isinstance(thing, type) and issubclass(thing, Exception) and "__init__" not in vars(thing):
        return
    heads = re.findall(r"^    ([*\w, ]+):", inspect.getdoc(thing) or "", re.MULTILINE)
    described = {name.strip().lstrip("*") for head in heads for name in head.split(",")}
    assert {*inspect.signature(thing).parameters} - described == set()


@pytest.mark.parametrize(("module", "name"), DOCUMENTED)
def test_a_docstring_is_valid_markup(module, name):
    for docstring in docstrings(getattr(importlib.import_module(module), name)):
        text = f".. default-role:: literal\n\n{GoogleDocstring(docstring, NAPOLEON)}"
        try:
            publish_doctree(text, settings_overrides={"halt_level": 2, "report_level": 5})
        except SystemMessage as problem:
            pytest.fail(f"{problem}\n{docstring}")


@pytest.mark.parametrize(("module", "name"), DOCUMENTED)
def test_the_docstring_of_a_property_is_not_taken_for_its_type(module, name):
    thing = getattr(importlib.import_module(module), name)
    properties = [part for part in vars(thing).values() if isinstance(part, property)]
    assert [part.__doc__ for part in properties if ": " in (part.__doc__ or "").split("\n")[0]] == []


@pytest.mark.parametrize(("module", "name"), DOCUMENTED)
def test_a_public_name_has_a_docstring_that_begins_with_a_sentence(module, name):
    docstring = inspect.getdoc(getattr(importlib.import_module(module), name)) or ""
    assert re.match(r"[^\n]+(\n[^\n]+)*\.(\n\n|$)", docstring)
