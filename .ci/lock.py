"""Write constraints.txt: one version for every package that the extras bring in, torch and torchvision fixed.

pip resolves from scratch without installing anything. Platform-bound packages (CUDA libraries) are left to
torch itself, which pins them; local version labels ("+cpu") are dropped, so that every platform can follow.
"""

import json
import subprocess
import sys
from pathlib import Path

FIXED = ("torch==2.13.0", "torchvision==0.28.0")
HEADER = "# The versions that the tests and the book were made with. Written by `make lock`; do not edit.\n"
PLATFORM_BOUND = ("nvidia-", "cuda-", "triton")

root = Path(__file__).parents[1]
command = [
    sys.executable,
    "-m",
    "pip",
    "install",
    "--dry-run",
    "--ignore-installed",
    "--quiet",
    "--report",
    "-",
]
report = subprocess.run([*command, ".[test,lab]", *FIXED], cwd=root, check=True, stdout=subprocess.PIPE)
packages = {
    item["metadata"]["name"].lower(): item["metadata"]["version"].partition("+")[0]
    for item in json.loads(report.stdout)["install"]
}
lines = [
    f"{name}=={version}\n"
    for name, version in sorted(packages.items())
    if name not in ("l2o_core", "l2o-core") and not name.startswith(PLATFORM_BOUND)
]
(root / "constraints.txt").write_text(HEADER + "".join(lines))
print(f"constraints.txt: {len(lines)} packages; run make test and make book before committing it")
