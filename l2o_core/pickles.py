"""Pickles of arrays, read without running anything: old data sets come as such files."""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np


def read_arrays(content: bytes, place: str, stand_ins: Mapping[tuple[str, str], Any] | None = None) -> Any:
    """What a pickle holds, if that is builtin containers and NumPy arrays; strings are bytes.

    Args:
        content: The pickle.
        place: What the file holds, for errors: "a file of images".
        stand_ins: What takes the place of other classes and functions, by module and name. A pickle can call
            them with arguments of its choice.

    Raises:
        UnpicklingError: For any other class or function; a damaged pickle may fail in other ways.

    Example:
        >>> read_arrays(pickle.dumps({"rows": [1, 2]}), "a file of rows")
        {'rows': [1, 2]}
    """
    unpickler = _ArrayUnpickler(io.BytesIO(content), encoding="bytes")
    unpickler.place, unpickler.stand_ins = place, stand_ins or {}
    return unpickler.load()


def _empty(kind: object, shape: object, code: object) -> np.ndarray:
    """The array that a pickle fills; its sizes come with its content."""
    return np.empty(0, np.uint8)


class _ArrayUnpickler(pickle._Unpickler):
    """Builtin containers and NumPy arrays only, so no code can run.

    Python's own reader in place of that in C, which takes memory for whatever sizes a file claims.
    """

    place: str
    stand_ins: Mapping[tuple[str, str], Any]
    dispatch: ClassVar = {
        code: read for code, read in pickle._Unpickler.dispatch.items() if code != pickle.BYTEARRAY8[0]
    }

    def find_class(self, module: str, name: str) -> object:
        if (module, name) in self.stand_ins:
            return self.stand_ins[module, name]
        if name == "_reconstruct" and module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            return _empty
        if module == "numpy" and name in ("ndarray", "dtype"):
            return "ndarray" if name == "ndarray" else np.dtype
        raise pickle.UnpicklingError(f"{module}.{name} has no place in {self.place}")
