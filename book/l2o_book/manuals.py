"""What the manuals of NumPy and PyTorch say of their functions: the text of the stand-ins of GLUE and Alpaca.

The docstrings are read in a process of its own, in which nothing else is imported: other libraries change
them, as SciPy does with that of `numpy.sinc`. This file is what that process runs.
"""

import importlib
import json
import subprocess
import sys
from functools import cache

Manual = dict[str, dict[str, str]]
"""The docstring of each name in each module."""
MODULES = {
    "numpy": ("numpy", "numpy.linalg", "numpy.fft", "numpy.random", "numpy.ndarray"),
    "torch": ("torch", "torch.linalg", "torch.nn.functional", "torch.nn", "torch.Tensor"),
}
"""Where names are looked up: modules, and a class of each library."""


@cache
def read() -> dict[str, Manual]:
    """The manuals of "numpy" and "torch", the same whatever else this process has imported."""
    command = [sys.executable, "-P", __file__]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _docstrings(place: str) -> dict[str, str]:
    """Of all names in a module or class, but of plain values, which have that of their type."""
    module, _, last = place.rpartition(".")
    found = importlib.import_module(module or last)
    values = vars(getattr(found, last) if module else found)
    documented = {
        name: value
        for name, value in values.items()
        if not isinstance(value, int | float | str | tuple | list | dict)
    }
    return {
        name: value.__doc__
        for name, value in sorted(documented.items())
        if isinstance(getattr(value, "__doc__", None), str)
    }


if __name__ == "__main__":
    print(json.dumps({library: {p: _docstrings(p) for p in places} for library, places in MODULES.items()}))
