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


def _is_byte_order(state: object) -> bool:
    """Whether the state of a type is (version, byte order) and, beyond them, that of every plain number."""
    return isinstance(state, tuple) and state[:1] == (3,) and state[2:] == (None, None, None, -1, -1, 0)


class _ArrayUnpickler(pickle._Unpickler):
    """Builtin containers and NumPy arrays only, so no code can run.

    Python's own reader in place of that in C, which takes memory for whatever sizes a file claims.
    """

    place: str
    stand_ins: Mapping[tuple[str, str], Any]
    dispatch: ClassVar = {
        code: read for code, read in pickle._Unpickler.dispatch.items() if code != pickle.BYTEARRAY8[0]
    }

    def load_build(self) -> None:
        """Set the state of an object; that of a type of numbers is its byte order and nothing else.

        With other flags NumPy would take the numbers of an array for addresses.
        """
        state, target = self.stack[-1], self.stack[-2]  # type: ignore[attr-defined]
        if isinstance(target, np.dtype) and not _is_byte_order(state):
            raise pickle.UnpicklingError(f"a type that is not of plain numbers has no place in {self.place}")
        super().load_build()  # type: ignore[misc]

    dispatch[pickle.BUILD[0]] = load_build  # type: ignore[assignment]

    def find_class(self, module: str, name: str) -> object:
        if (module, name) in self.stand_ins:
            return self.stand_ins[module, name]
        if name == "_reconstruct" and module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            return _empty
        if module == "numpy" and name in ("ndarray", "dtype"):
            return "ndarray" if name == "ndarray" else np.dtype
        raise pickle.UnpicklingError(f"{module}.{name} has no place in {self.place}")
