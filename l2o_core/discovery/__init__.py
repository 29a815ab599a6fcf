"""Discovery: small rules with a memory, searched directly on the losses of the runs that they lead."""

from .grammar import Grammar
from .search import discover

__all__ = ["Grammar", "discover"]
