"""Imports point down: the layers of CONTRIBUTING.md, read from the source without running it."""

import ast
import sys
from graphlib import TopologicalSorter
from pathlib import Path

LIBRARY = Path(__file__).parents[1] / "l2o_core"
GROUND = {"arguments", "errors", "pickles", "plain_yaml", "processes", "processors", "storage"}
BELOW = {  # the rooms that each room may import
    "errors": set(),
    "arguments": {"errors"},
    "pickles": set(),
    "plain_yaml": {"errors", "storage"},
    "processes": set(),
    "processors": set(),
    "storage": {"arguments", "errors"},
    "torchvision_ops": {"errors"},
    "features": GROUND,
    "expressions": {*GROUND, "features"},
    "parts": {"arguments", "errors"},
    "data": {*GROUND, "parts", "torchvision_ops"},
    "optim": {"errors", "expressions", "features", "plain_yaml"},
    "models": {*GROUND, "expressions", "features"},
    "tasks": {*GROUND, "data", "parts", "torchvision_ops"},
    "meta": {*GROUND, "expressions", "features", "models", "tasks"},
    "distiller": {*GROUND, "expressions", "features", "models", "tasks", "meta"},
}
BELOW["certificates"] = {"arguments", "errors", "expressions", "features", "optim"}
BELOW["metrics"] = {*BELOW["distiller"], "distiller"}
BELOW["discovery"] = {*BELOW["distiller"], "distiller", "optim"}
BELOW[""] = {
    *BELOW["metrics"],
    "metrics",
    "discovery",
    "optim",
    "certificates",
}  # the front door, l2o_core/__init__.py
BELOW["cli"] = {*BELOW[""], ""}
CORE = ("l2o_core", "l2o_core.expressions", "l2o_core.features", "l2o_core.optim", "l2o_core.storage")
DEPENDENCIES = {*sys.stdlib_module_names, "numpy", "safetensors", "torch", "yaml"}

MODULES = {
    ".".join(path.relative_to(LIBRARY.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(LIBRARY.rglob("*.py"))
}


def room(module: str) -> str:
    """The package or module directly below l2o_core that `module` lies in."""
    return f"{module}.".split(".")[1]


def imports(module: str, *, typing: bool = True, deferred: bool = True) -> set[str]:
    """What a module imports: also `typing`, under TYPE_CHECKING, and `deferred`, inside functions."""
    body, found = ast.parse(MODULES[module].read_text(encoding="utf-8")).body, set()
    if not deferred:
        body = [node for node in body if not isinstance(node, ast.FunctionDef | ast.ClassDef)]
    if not typing:
        body = [node for node in body if "TYPE_CHECKING" not in ast.dump(getattr(node, "test", node))]
    package = module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]
    for node in (node for statement in body for node in ast.walk(statement)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            above = parts[: len(parts) - node.level + 1] if node.level else []
            origin = ".".join([*above, *filter(None, [node.module])])
            named = {f"{origin}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else origin for name in named}
    return found


def test_a_module_imports_only_what_lies_below_it():
    wrong = [
        f"{module} imports {name}"
        for module in MODULES
        for name in sorted(imports(module))
        if name.startswith("l2o_core") and room(name) not in {*BELOW[room(module)], room(module)}
    ]
    assert wrong == []


def test_the_library_never_imports_the_book():
    assert [name for name in MODULES if any(found.startswith("l2o_book") for found in imports(name))] == []


def test_the_core_loads_no_extra():
    loaded, waiting = set(), [*CORE]
    while waiting:
        module = waiting.pop()
        if module in MODULES and module not in loaded:
            loaded.add(module)
            waiting += imports(module, typing=False, deferred=False)
    wrong = [
        f"{module} imports {name}"
        for module in sorted(loaded)
        for name in sorted(imports(module, typing=False, deferred=False))
        if name.split(".")[0] not in {*DEPENDENCIES, "l2o_core", "__future__"}
    ]
    assert wrong == []


def test_modules_form_no_circle_but_the_facade_of_expressions():
    names = [name for name in MODULES if room(name) != "expressions"]
    TopologicalSorter({name: imports(name, typing=False) - {name} for name in names}).prepare()


def test_what_only_unix_has_is_imported_where_it_is_used():
    modules = {"fcntl", "grp", "pty", "pwd", "resource", "termios", "tty"}
    book = LIBRARY.parent / "book" / "l2o_book"
    for path in (*LIBRARY.rglob("*.py"), *book.rglob("*.py")):
        statements = ast.parse(path.read_text(encoding="utf-8")).body
        plain = [alias.name for node in statements if isinstance(node, ast.Import) for alias in node.names]
        assert not modules.intersection(plain), path
