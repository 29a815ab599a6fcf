"""No compiled step reads or writes outside a tensor."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def sanitizer() -> str | None:
    """The library of g++ that watches every access to memory."""
    if sys.platform != "linux" or not shutil.which("g++"):
        return None
    asked = ["g++", "-print-file-name=libasan.so"]
    found = subprocess.run(asked, capture_output=True, text=True).stdout.strip()
    return found if os.path.isabs(found) else None


def test_steps_stay_inside_of_tensors(tmp_path):
    if not (library := sanitizer()):
        pytest.skip("needs g++ with an address sanitizer")
    own = {"LD_PRELOAD": library, "ASAN_OPTIONS": "detect_leaks=0", "XDG_CACHE_HOME": str(tmp_path)}
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("sanitized.py"))],
        env=os.environ | {"CXX": "g++", "PYTHONPATH": str(root)} | own,
        cwd=root,
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith("no fault"), done.stderr
    assert "heap-buffer-overflow" in done.stderr  # the sanitizer was at work
