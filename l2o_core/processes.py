"""Processes that end with the one that needs them."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

SECONDS = 1.0  # between two looks


def end_with(parent: int) -> None:
    """End this process soon after its parent, however that ends; SIGKILL leaves the parent no time to tell.

    Linux can send a signal then, macOS cannot; both give an orphan another parent.

    Args:
        parent: The process id of the parent.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="end_with_parent", daemon=True).start()


@contextmanager
def deaf_children() -> Iterator[None]:
    """A context in which processes that are started do not hear Ctrl-C: their parent does, and ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
