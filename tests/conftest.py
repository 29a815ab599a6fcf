"""Every test, and the processes it starts, has one thread, no network, and a cache that is not the user's.

Threads of one process would spin against those of the others, which makes a busy machine ten times slower.
"""

import atexit
import os
import shutil
import tempfile

import pytest
from l2o_book.threads import ONE_THREAD

os.environ.update(
    ONE_THREAD | {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
)
if "PYTEST_XDIST_WORKER" not in os.environ:  # else it is that of the process that started this one
    CACHE = tempfile.mkdtemp(prefix="l2o-tests-")
    os.environ["XDG_CACHE_HOME"] = (
        CACHE  # compiled loops and data; the user's own are neither used nor changed
    )
    atexit.register(shutil.rmtree, CACHE, ignore_errors=True)


@pytest.fixture(autouse=True)
def _seeded():
    """The same random numbers in a test whether it runs alone or after others."""
    import torch

    torch.manual_seed(0)
