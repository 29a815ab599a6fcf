"""Every test runs with one thread and without a network, and so do the processes that it starts.

Threads of one process would spin against those of the others, which makes a busy machine ten times slower.
"""

import os

import pytest
from l2o_book.threads import ONE_THREAD

os.environ.update(
    ONE_THREAD | {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
)


@pytest.fixture(autouse=True)
def _seeded():
    """The same random numbers in a test whether it runs alone or after others."""
    import torch

    torch.manual_seed(0)
