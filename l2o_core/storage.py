"""Files that appear whole or not at all, checkpoints of long runs, and one cache of results.

Why not `joblib.Memory`: it stores pickles, and reading a pickle can run code. Entries here are tensors read
with `weights_only`, `.npz` files without objects, or JSON. Its keys are a function's arguments and source;
ours name the weights, data and options that a result depends on.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import pickle
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import IO, Any, AnyStr, Generic, TypeVar

import numpy as np

from .arguments import plain
from .errors import CheckpointError, ConfigError, L2OError, StorageError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "NO_CACHE",
    "TENSORS",
    "Cache",
    "Checkpoint",
    "Format",
    "Slot",
    "describe",
    "digest",
    "is_draft",
    "read_text",
    "replacing",
]

T = TypeVar("T")
DRAFT = re.compile(r"\.\d+-\d+-.+")
SEAL = b"l2o tensors 1\n"
LARGEST_TEXT = 100_000_000


def read_text(
    path: str | Path, largest: int = LARGEST_TEXT, encoding: str = "utf-8", errors: str = "strict"
) -> str:
    """The text of a file that comes from elsewhere, and may be of any size.

    Args:
        path: The file.
        largest: Characters that are read at most.
        encoding: Of the text.
        errors: What is done with bytes that are no text, as `open` has it: "replace" marks them.

    Raises:
        OSError: If the file cannot be read, or has more characters.
        UnicodeDecodeError: If it is no text, and `errors` is "strict".

    Example:
        >>> from tempfile import NamedTemporaryFile
        >>> with NamedTemporaryFile("w") as file:
        ...     _ = file.write("g + m")
        ...     file.flush()
        ...     read_text(file.name)
        'g + m'
    """
    with open(path, encoding=encoding, errors=errors) as file:
        return bounded(file, largest)


def bounded(file: IO[AnyStr], largest: int) -> AnyStr:
    """All that follows in an open file, or OSError if it is longer than `largest`."""
    content = file.read(largest + 1)
    if len(content) > largest:
        raise OSError(f"it has more than {largest} {'characters' if isinstance(content, str) else 'bytes'}")
    return content


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A path to write to, which takes the place of `path` at once when the block has ended without an error.

    Folders are made as needed; a process that is killed leaves the old file or the new one. It may leave its
    draft as well, which the next writer of the same file deletes.

    Args:
        path: The file to write or replace.

    Returns:
        A context that gives a path beside it with the same suffix.

    Raises:
        StorageError: Where the file cannot be written: a full disk, a folder that is read-only.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     with replacing(f"{folder}/new/notes.txt") as draft:
        ...         _ = draft.write_text("whole")
        ...     Path(folder, "new/notes.txt").read_text()
        'whole'
    """
    path = Path(path)
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        with _held(path.with_name(f".{os.getpid()}-{threading.get_ident()}-{path.name}")) as draft:
            yield draft
            draft.replace(path)


def _check_folder(path: Path) -> None:
    """StorageError where a file could not be written, as far as the folders tell; nothing is made."""
    with _writing(path):
        folder = next(folder for folder in path.absolute().parents if folder.exists())
        fault = errno.EACCES if folder.is_dir() else errno.ENOTDIR
        if fault == errno.ENOTDIR or not os.access(folder, os.W_OK):
            raise OSError(fault, os.strerror(fault))


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Name the file in the errors of the system."""
    try:
        yield
    except L2OError:
        raise
    except OSError as error:
        raise StorageError(
            f"cannot write {path} ({error.strerror or error}); "
            "free space, or choose a folder that you may write to"
        ) from error


def is_draft(path: Path) -> bool:
    """Whether this is the unfinished file of a writer at work, or of one that was killed.

    Args:
        path: Any file.

    Example:
        >>> is_draft(Path("results/.4711-140-sol.json")), is_draft(Path("results/sol.json"))
        (True, False)
    """
    return DRAFT.fullmatch(path.name) is not None


def _sweep(path: Path) -> None:
    """Delete the drafts of this file whose writers are gone: their locks are free."""
    for draft in [found for found in path.parent.iterdir() if found.name.endswith(f"-{path.name}")]:
        if fcntl and draft.name.count("-") == path.name.count("-") + 2 and is_draft(draft):
            with suppress(OSError), draft.open("ab") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                draft.unlink(missing_ok=True)


@contextmanager
def _held(path: Path) -> Iterator[Path]:
    """A file of our own, deleted at the end; others wait, and the system frees it if this process dies."""
    while True:
        file = path.open("ab")
        if not fcntl:
            break
        with suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                break
        file.close()  # whoever held it has deleted it meanwhile
    try:
        yield path
    finally:
        if not fcntl:
            file.close()  # an open file cannot be deleted there
        path.unlink(missing_ok=True)
        file.close()


def describe(value: Any) -> Any:
    """A key as plain JSON values: tensors and arrays by type, shape and digest, dataclasses by their fields.

    Args:
        value: Anything that is made of numbers, text, tensors, arrays, lists, dictionaries and dataclasses.

    Raises:
        ConfigError: For anything that has no such description, so that nothing is told apart by accident.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    import torch  # not with the module: whoever only writes files does without

    if isinstance(value, torch.Tensor):
        flat = value.detach().cpu().reshape(-1).contiguous()
        return _bytes(f"{value.dtype}", value.shape, flat.view(torch.uint8).numpy().tobytes())
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind != "O":
        return _bytes(f"numpy.{value.dtype}", value.shape, value.tobytes())
    if isinstance(value, torch.dtype):
        return str(value)
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: describe(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [describe(part) for part in value]
    if is_dataclass(value) and not isinstance(value, type):
        parts = {field.name: describe(getattr(value, field.name)) for field in fields(value)}
        return {"class": type(value).__name__} | parts
    raise ConfigError(
        f"a {type(value).__name__} cannot be part of a key; give text, numbers, tensors, arrays or "
        "dictionaries, lists and dataclasses of these"
    )


def _bytes(kind: str, shape: tuple[int, ...], content: bytes) -> str:
    return f"{kind} {list(shape)} {hashlib.blake2b(content, digest_size=12).hexdigest()}"


def digest(key: Any) -> str:
    """A name of 24 hexadecimal digits for a key: equal keys have equal names.

    Args:
        key: Anything that `describe` understands.

    Example:
        >>> import torch
        >>> digest({"steps": 5, "start": torch.zeros(3)}) == digest({"start": torch.zeros(3), "steps": 5})
        True
        >>> digest(torch.zeros(3)) == digest(torch.zeros(3, 1))
        False
    """
    text = json.dumps(describe(key), sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


@dataclass(frozen=True)
class Format(Generic[T]):
    """A way to write values to files and to read them back.

    Args:
        suffix: The end of such a file's name, such as ".pt".
        save: Writes a value to a path.
        load: Reads it back.
    """

    suffix: str
    save: Callable[[T, Path], Any]
    load: Callable[[Path], T]


def _save_tensors(value: Any, path: Path) -> None:
    import torch

    content = io.BytesIO()
    torch.save(_with_plain_numbers(value), content)
    with path.open("wb") as file:
        file.write(_seal(content.getbuffer()))
        file.write(content.getbuffer())


def _with_plain_numbers(value: Any) -> Any:
    """The same with numbers as Python's own, which alone are read back."""
    if type(value) is dict:
        return {plain(key): _with_plain_numbers(part) for key, part in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_with_plain_numbers, value))
    return plain(value)


def _load_tensors(path: Path) -> Any:
    """Read what `_save_tensors` wrote, only tensors and plain values. CheckpointError for anything else."""
    import torch

    try:
        with path.open("rb") as file:
            head = file.read(len(SEAL) + hashlib.sha256().digest_size)
            content = file.read() if head.startswith(SEAL) else b""
        if head != _seal(content):
            raise ValueError("its bytes are not those that were written")
        return torch.load(io.BytesIO(content), weights_only=True)
    except (
        *(RuntimeError, EOFError, KeyError, TypeError, ValueError, OSError, MemoryError),
        *(AttributeError, IndexError, RecursionError, pickle.UnpicklingError),
    ) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(
            f"{path} is cut short or is no checkpoint ({reason}); move it away to start afresh"
        ) from error


def _seal(content: bytes | memoryview) -> bytes:
    """What stands before the content of a file of tensors: a flipped bit anywhere is noticed."""
    return SEAL + hashlib.sha256(content).digest()


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """In words, the fields in which what a file says of itself is not what is wanted; empty for none."""
    return "; ".join(
        f"{key}: {there.get(key)!r:.200} there, {here.get(key)!r:.200} here"
        for key in {**here, **there}
        if here.get(key) != there.get(key)
    )


TENSORS: Format[Any] = Format(".pt", _save_tensors, _load_tensors)
"""Tensors, numbers and text, in dictionaries and lists."""


class Checkpoint:
    """The file from which a killed run continues to the same result.

    Args:
        path: The file; it need not exist.
        identity: Plain values that tell this run from others, by name.
    """

    def __init__(self, path: str | Path, identity: Mapping[str, Any]):
        self.path, self.identity = Path(path), dict(identity)

    def load(self) -> Any:
        """The content last saved by the same run, or None where there is no file; reading changes nothing.

        Raises:
            CheckpointError: If the file is damaged or its identity differs, naming the fields that do.
        """
        if not self.path.exists():
            return None
        saved = TENSORS.load(self.path)
        if not isinstance(saved, dict) or saved.keys() != {"identity", "content"}:
            raise self.damaged("it has no identity")
        theirs = saved["identity"]
        if not isinstance(theirs, dict):
            raise self.damaged("its identity is no mapping")
        if different := differences(theirs, self.identity):
            raise CheckpointError(
                f"{self.path} belongs to another run ({different}); choose another checkpoint file"
            )
        return saved["content"]

    def damaged(self, reason: object) -> CheckpointError:
        """The error for a content that is not that of such a run.

        Args:
            reason: What is wrong with it.
        """
        return CheckpointError(f"{self.path} is no checkpoint ({reason}); move it away to start afresh")

    def check(self) -> None:
        """Raise StorageError before the work begins, where `save` would after it."""
        _check_folder(self.path)

    def save(self, content: Any) -> None:
        """Replace the file atomically."""
        with replacing(self.path) as draft:
            TENSORS.save({"identity": self.identity, "content": content}, draft)


class Slot(Generic[T]):
    """The place of one result in a cache.

    Args:
        path: Its file; None where nothing is stored.
        form: How it is written and read.
    """

    def __init__(self, path: Path | None, form: Format[T]):
        self.path, self.form = path, form

    def load(self) -> T | None:
        """The result, or None where it is not stored. Raises the format's error for a damaged file."""
        return self.form.load(self.path) if self.path and self.path.exists() else None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """A context that one process at a time is in; a process that dies leaves it."""
        with ExitStack() as stack:
            if self.path:
                locks = self.path.parent.parent / ".locks"
                with _writing(self.path):
                    locks.mkdir(parents=True, exist_ok=True)
                    stack.enter_context(_held(locks / self.path.stem))
            yield

    def check(self) -> None:
        """Raise StorageError before the work begins, where `save` would after it."""
        if self.path:
            _check_folder(self.path)

    def save(self, value: T) -> None:
        """Store the result; the file appears whole or not at all."""
        if self.path:
            with replacing(self.path) as draft:
                self.form.save(value, draft)


class Cache:
    """A folder of results, each in a file named after all that the result depends on.

    Files are `<folder>/<kind>/<digest of the key><suffix>`; delete any of them at any time. Several processes
    may use one folder: a result that one of them computes, the others wait for.

    Args:
        folder: Folder of the results; None stores nothing and computes always.
        code: A digest or version of the code that makes the results, part of every key.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     cache = Cache(folder)
        ...     for _ in range(2):
        ...         total = cache.call("sums", {"x": [1, 2]}, lambda: print("computing") or 3)
        computing
        >>> total
        3
    """

    def __init__(self, folder: str | Path | None, code: str = ""):
        self.folder, self.code = None if folder is None else Path(folder), code

    def __repr__(self) -> str:
        return f"Cache({self.folder and str(self.folder)!r})"

    def slot(self, kind: str, key: Mapping[str, Any], form: Format[T] = TENSORS) -> Slot[T]:
        """The place of the result of that kind and key."""
        return Slot(self.path(kind, key, form.suffix), form)

    def call(
        self, kind: str, key: Mapping[str, Any], compute: Callable[[], T], form: Format[T] = TENSORS
    ) -> T:
        """The stored result of that kind and key, else what `compute()` returns, stored from now on.

        Args:
            kind: The sub-folder.
            key: Everything that the result depends on; see `describe` for what it may hold.
            compute: Makes the result.
            form: The format of the file.

        Raises:
            ConfigError: If the key holds what cannot be described.
            L2OError: Of the format, for a damaged file.
        """
        slot = self.slot(kind, key, form)
        found = slot.load()
        if found is None:
            with slot.alone():
                found = slot.load()  # another process may have stored it by now
                if found is None:
                    found = compute()
                    slot.save(found)
        return found

    def checkpoint(self, kind: str, key: Mapping[str, Any]) -> Checkpoint | None:
        """The checkpoint of a long run whose result depends on `key`; None where nothing is stored."""
        path = self.path(kind, key, TENSORS.suffix)
        return None if path is None else Checkpoint(path, {"key": path.stem})

    def name(self, key: Mapping[str, Any]) -> str:
        """The digest that a result of this key is named after."""
        return digest({"code": self.code, "key": key})

    def path(self, kind: str, key: Mapping[str, Any], suffix: str) -> Path | None:
        """The file of the result of that kind and key; None where nothing is stored."""
        return None if self.folder is None else self.folder / kind / f"{self.name(key)}{suffix}"


NO_CACHE = Cache(None)
"""Stores nothing."""
