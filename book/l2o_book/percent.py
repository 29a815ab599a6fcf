"""Notebooks as text in py:percent format, the source of every page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l2o_core import plain_yaml
from l2o_core.errors import ConfigError

if TYPE_CHECKING:
    from nbformat import NotebookNode


def reads(source: str) -> NotebookNode:
    """The notebook of a text; ConfigError where it cannot be read."""
    import jupytext

    try:
        notebook = jupytext.reads(source, fmt="py:percent")
        for part in (notebook, *notebook.cells):
            plain_yaml.plain(part.metadata)  # else it could not be written as JSON
        return notebook
    except Exception as error:  # of YAML's, nbformat's and its own parts, whatever goes wrong in its head
        raise ConfigError(f"it is no notebook in py:percent format: {error!r:.200}") from error
