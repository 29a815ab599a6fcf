"""Children end with their parent, however it ends."""

import subprocess
import sys

CHILD = """
import os, sys
from l2o_core import processes
processes.SECONDS = 0.01
processes.end_with(int(sys.argv[1]))
print("on", flush=True)
import threading
threading.Event().wait()
"""
PARENT = """
import os, subprocess, sys
subprocess.Popen([sys.executable, "-c", sys.argv[1], str(os.getpid())]).wait()
"""


def test_a_child_ends_when_its_parent_is_killed():
    parent = subprocess.Popen([sys.executable, "-c", PARENT, CHILD], stdout=subprocess.PIPE)
    assert parent.stdout.readline() == b"on\n"
    parent.kill()
    assert parent.stdout.read() == b""  # the end of the pipe, which the child held too
    parent.stdout.close()
    parent.wait()
