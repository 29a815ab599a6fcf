"""Keep notebooks/*.ipynb in step with notebooks/*.py, which are the source.

python -m l2o_book.sync            write every .ipynb from its .py: no outputs, same cell ids every time
python -m l2o_book.sync --check    only say which pairs are out of step (exit status 1)
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import nbformat

from l2o_core.errors import ConfigError, L2OError
from l2o_core.storage import read_text

from . import percent
from .checkout import book_root, repository
from .first_cell import first_cell, is_first_cell


def main() -> int:
    """Write or check all pairs."""
    try:
        return _main()
    except L2OError as error:
        print(f"sync: {error}", file=sys.stderr)
        return 2


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a pair is out of step")
    check = parser.parse_args().check
    root = book_root()
    folder, home = root / "notebooks", repository(root)
    texts = {path: paired(path, home) for path in sorted(folder.glob("*.py"))}
    stale = [path for path, text in texts.items() if text != _text(path.with_suffix(".ipynb"))]
    orphans = [path for path in sorted(folder.glob("*.ipynb")) if not path.with_suffix(".py").is_file()]
    for path in orphans:
        print(f"{path} has no .py beside it: make one with `jupytext --to py:percent {path}`, or delete it")
    for path in stale:
        if check:
            pair = path.with_suffix(".ipynb")
            print(f"{pair} is out of step with {path.name}; run `make sync` (the .py is the source)")
        else:
            path.with_suffix(".ipynb").write_text(texts[path], encoding="utf-8")
            print(f"wrote {path.with_suffix('.ipynb')}")
    return 1 if orphans or (check and stale) else 0


def paired(source: Path, repository: Mapping[str, str]) -> str:
    """The text of the .ipynb that belongs to a .py: its cells, with the one that installs."""
    try:
        notebook = percent.reads(read_text(source))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{source} cannot be read: {error}; mend it") from error
    cells = [cell for cell in notebook.cells if not is_first_cell(cell)]
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    code = [number for number, cell in enumerate(cells) if cell.cell_type == "code"]
    if code:
        cells.insert(code[0], first_cell(repository))
    notebook.cells = cells
    notebook.metadata.get("jupytext", {}).pop("text_representation", None)
    notebook.metadata["language_info"] = {"name": "python"}
    return nbformat.writes(notebook, version=4) + "\n"


def _text(path: Path) -> str | None:
    try:
        return read_text(path)
    except (OSError, UnicodeDecodeError):  # it is missing, or no text: it is written anew
        return None


if __name__ == "__main__":
    sys.exit(main())
