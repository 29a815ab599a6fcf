"""Notebooks as text in py:percent format, the source of every page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from l2o_core.errors import ConfigError

if TYPE_CHECKING:
    from nbformat import NotebookNode


def reads(source: str) -> NotebookNode:
    """The notebook of a text; ConfigError where it cannot be read."""
    import jupytext

    try:
        return jupytext.reads(source, fmt="py:percent")
    except Exception as error:  # of YAML's, nbformat's and its own parts, whatever goes wrong in its head
        raise ConfigError(f"it is no notebook in py:percent format: {error!r:.200}") from error
