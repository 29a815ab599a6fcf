"""Every error that this library raises on purpose.

A message says what was wrong, where, and what to do about it. Each class also derives from the
built-in exception that a caller would expect, so generic handlers keep working.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches

__all__ = [
    "CheckpointError",
    "ConfigError",
    "DataError",
    "DivergenceError",
    "EngineError",
    "ExpressionError",
    "L2OError",
    "StorageError",
    "did_you_mean",
    "optional_import",
]


class L2OError(Exception):
    """Base class of all errors raised on purpose by this library."""


class ExpressionError(L2OError, ValueError):
    """Text or a tree that is not a valid update rule.

    Args:
        message: A sentence about what is wrong.
        text: The text that was read, if any.
        position: The offset in it at which reading failed.
    """

    def __init__(self, message: str, *, text: str | None = None, position: int | None = None):
        self.text, self.position = text, position
        super().__init__(message if position is None else f"{message}{_pointer(text, position)}")


class ConfigError(L2OError, ValueError):
    """An option, profile or name that does not exist or makes no sense."""


class DataError(L2OError, ValueError):
    """Data that cannot be used: missing, too few, constant, or not finite."""


class EngineError(L2OError, RuntimeError):
    """A symbolic-regression engine that is unknown, not installed, or found nothing."""


class CheckpointError(L2OError, RuntimeError):
    """A checkpoint that is cut short, or belongs to another model or run."""


class StorageError(L2OError, OSError):
    """A file that cannot be written: a full disk, a folder that is missing or read-only."""


class DivergenceError(L2OError, ArithmeticError):
    """A training run that produced NaN or infinity and could not be rolled back."""


def did_you_mean(name: object, known: Iterable[str], otherwise: str | None = None) -> str:
    """The end of a message about an unknown name: the nearest known name, or else all of them.

    Upper and lower case are the same. Else no name is near one of under three letters, and a known name of
    under three letters is near one of three at most: in so few letters, any two names are alike.

    Args:
        name: The unknown name; what is no text is shown as text.
        known: The names that exist.
        otherwise: A text in place of a list that would be too long, such as "`l2o zoo` lists them".
    """
    known, wanted = list(known), str(name).casefold()
    folded = {each.casefold(): each for each in reversed(known)}  # of two alike, the first
    near = [wanted] if wanted in folded else []
    if not near and len(wanted) > 2:
        near = get_close_matches(wanted, [key for key in folded if len(key) > 2 or len(wanted) < 4], n=1)
    if near:
        return f"did you mean {folded[near[0]]!r}?"
    return f"known: {', '.join(known) or 'none'}" if otherwise is None else otherwise


@contextmanager
def optional_import(purpose: str, extra: str) -> Iterator[None]:
    """A context for importing a package of an extra: where it is missing, the error names the extra.

    Args:
        purpose: What needs the package, as the subject of the error's sentence.
        extra: The extra of this library that installs it.

    Raises:
        ConfigError: If an import inside the context fails.

    Example:
        >>> with optional_import("the crystal ball", extra="distill"):
        ...     import crystal_ball
        Traceback (most recent call last):
        l2o_core.errors.ConfigError: the crystal ball needs crystal_ball: pip install 'l2o_core[distill]'
    """
    try:
        yield
    except ImportError as error:
        missing = error.name.partition(".")[0] if error.name else error
        raise ConfigError(f"{purpose} needs {missing}: pip install 'l2o_core[{extra}]'") from error


def _pointer(text: str | None, position: int) -> str:
    """The offset in the text, and a window of the text with a caret below."""
    if text is None:
        return f" (at position {position})"
    start = max(0, position - 30)
    window = text[start : position + 30].replace("\n", " ")
    return f" (at position {position})\n  {window}\n  {' ' * (position - start)}^"
