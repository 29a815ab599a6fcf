"""Files that appear whole or not at all, and checkpoints that are refused by any other run."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .errors import CheckpointError


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A path to write to, which takes the place of `path` at once, when the block has ended without an error.

    Folders are made as needed; a process that is killed leaves the old file or the new one. The two paths
    end alike.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{os.getpid()}-{threading.get_ident()}-{path.name}")
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def write(path: Path, content: dict[str, Any], identity: dict[str, Any]) -> None:
    """Replace the checkpoint atomically. `identity` says which run it belongs to."""
    with replacing(path) as draft:
        torch.save({"identity": identity, "content": content}, draft)


def digest(tensors: Sequence[Tensor], options: dict[str, Any]) -> str:
    """A name for content: the same tensors and options (as JSON) have the same."""
    found = hashlib.blake2b(json.dumps(options, sort_keys=True, default=str).encode(), digest_size=12)
    for tensor in tensors:
        found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()


def read(path: Path, identity: dict[str, Any]) -> dict[str, Any]:
    """The content of a checkpoint of the same run; the file is never changed by reading.

    Raises CheckpointError if the file is damaged or its identity differs, naming the fields that do.
    """
    try:
        saved = torch.load(path, weights_only=True)
        theirs, content = saved["identity"], saved["content"]
    except (RuntimeError, EOFError, KeyError, TypeError, OSError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(
            f"{path} is cut short or is no checkpoint ({reason}); move it away to start afresh"
        ) from error
    different = [key for key in identity | theirs if identity.get(key) != theirs.get(key)]
    if different:
        details = "; ".join(
            f"{key}: {theirs.get(key)!r} there, {identity.get(key)!r} here" for key in different
        )
        raise CheckpointError(f"{path} belongs to another run ({details}); choose another checkpoint file")
    return content
