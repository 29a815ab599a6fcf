"""One thread for each notebook: several run side by side, and their threads would get in each other's way."""

from __future__ import annotations

ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
        "NUMEXPR_NUM_THREADS",
    ),
    "1",
)
"""The environment of a process with one thread, which libraries read when they are loaded."""


def one_thread() -> None:
    """Let PyTorch use one thread in this process.

    On small problems more threads gain little, and beside busy processes they cost a factor of ten; results
    are also the same to the bit on any number of cores.
    """
    import torch

    torch.set_num_threads(1)
