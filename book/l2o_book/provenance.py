"""Where a number came from: the machine, the versions and the commit that made it."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

import l2o_core
from l2o_core.processors import processors
from l2o_core.storage import digest

PACKAGES = ("torch", "torchvision", "numpy", "scipy", "scikit-learn", "pyoperon", "pysr")


def hardware() -> dict:
    """Processor, logical cores this process may use, memory in GiB and GPU name (None where unknown)."""
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {"cpu": _cpu_model(), "cores": processors(), "memory_gib": _memory(), "gpu": gpu}


def versions() -> dict[str, str | None]:
    """Versions of Python, of this library and of the packages that decide a result (None if missing)."""
    return {"python": platform.python_version()} | {name: _version(name) for name in ("l2o_core", *PACKAGES)}


@cache
def code() -> str:
    """A digest of the library's sources, on which all results depend."""
    package = Path(l2o_core.__file__).parent
    files = sorted(path for path in package.rglob("*") if path.suffix in (".py", ".yml"))
    return digest({path.relative_to(package).as_posix(): path.read_text(encoding="utf-8") for path in files})


def commit() -> dict | None:
    """The commit of the checkout this library runs from, and whether it was changed since; None outside git.

    Recorded results do not count as a change: a run that rewrites its own record is still clean.
    """
    package = Path(l2o_core.__file__).parent
    if _git(package, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None  # installed as a wheel, perhaps inside a repository that is not ours
    head = _git(package, "rev-parse", "HEAD")
    changed = _git(
        package, "status", "--porcelain", "--untracked-files=no", "--", ":/", ":(top,exclude)results"
    )
    return {"sha": head, "dirty": bool(changed)} if head else None


def source_at(sha: str, path: str) -> str | None:
    """A file of this checkout as it was at a commit; None where the history lacks it (shallow clones)."""
    if not re.fullmatch(r"[0-9a-f]{7,64}", sha):
        return None
    return _git(Path(l2o_core.__file__).parents[1], "show", f"{sha}:{path}")


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _memory() -> float | None:
    """GiB of memory; None on systems without `sysconf`, such as Windows."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError, OSError):
        return None


def _cpu_model() -> str:
    try:
        if platform.system() == "Darwin":
            return subprocess.check_output(["sysctl", "-n", "machdep.cpu.brand_string"], text=True).strip()
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, subprocess.SubprocessError, StopIteration):
        return platform.processor() or platform.machine()
