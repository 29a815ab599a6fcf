"""One thread for each notebook: several run side by side, and their threads would get in each other's way."""

from __future__ import annotations


def one_thread() -> None:
    """Let PyTorch use one thread in this process.

    On small problems more threads gain little, and beside busy processes they cost a factor of ten; results
    are also the same to the bit on any number of cores.
    """
    import torch

    torch.set_num_threads(1)
