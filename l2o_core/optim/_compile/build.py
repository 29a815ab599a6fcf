"""C++ to machine code: compiled once for each processor, kept on disk, loaded while something uses it."""

from __future__ import annotations

import _ctypes
import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
import time
import weakref
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Lock

from ...errors import ConfigError

FLAGS = (
    *("-std=c++17", "-O3", "-shared", "-fPIC", "-ffp-contract=off", "-fno-math-errno"),
    "-fno-trapping-math",
)
"""None changes a value: where differences cancel, a last digit would decide about a sign.

So no products are fused with sums (-ffp-contract), nor divisions made products (-freciprocal-math).
"""
RUNTIMES = ("libgomp.so.1", "libomp.so", "libomp.so.5", "libiomp5.so")
"""Of OpenMP: their threads outlive the loop that started them, so they stay loaded."""

DRAFT = "draft-"


class Library:
    """A loaded library; it is unloaded with the last reference to this object."""

    def __init__(self, path: Path):
        loaded = ctypes.CDLL(str(path))
        self.step = loaded.step_all
        self.step.restype = None
        _keep_runtimes()
        if hasattr(_ctypes, "dlclose"):
            weakref.finalize(self, _ctypes.dlclose, loaded._handle).atexit = False


_loaded: weakref.WeakValueDictionary[str, Library] = weakref.WeakValueDictionary()
_loading = Lock()


def library(text: str) -> Library:
    """The library of a loop's source, for this processor. Raises ConfigError where it cannot be compiled."""
    with _loading:
        found = _loaded.get(text)
        if found is None:
            found = _loaded[text] = _from_disk(text) or _compiled(text)
    return found


def find_compiler() -> str | None:
    """The C++ compiler: that in CXX, else the first that is installed; None without any."""
    return next((found for name in _compilers() if (found := shutil.which(name))), None)


def kept_in() -> Path | None:
    """The folder of compiled loops, which nobody else can write to; None where there cannot be one.

    It is `$XDG_CACHE_HOME/l2o/compiled`, by default in `~/.cache`; delete it at any time.
    """
    try:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "l2o" / "compiled"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except (OSError, RuntimeError):  # no home, or a read-only one
        return None
    mine = not hasattr(os, "getuid") or status.st_uid == os.getuid()
    return folder if mine and not status.st_mode & 0o022 and os.access(folder, os.W_OK) else None


def _from_disk(text: str) -> Library | None:
    """A library from before; the digest of its content in its name tells whether it is damaged."""
    folder = kept_in()
    for path in sorted(folder.glob(f"{_key(text)}-*.so")) if folder else ():
        try:
            if path.stem.endswith(f"-{_digest(path.read_bytes())}"):
                return Library(path)
        except OSError:
            pass  # swept away, or from a folder that may not hold programs
    return None


def _compiled(text: str) -> Library:
    compiler, reason = find_compiler(), None
    if compiler is None:
        raise _cannot_compile("there is no C++ compiler (install g++ or clang++, or set CXX)")
    for keep in dict.fromkeys((kept_in(), None)):  # where nothing can be kept, a temporary folder will do
        try:
            _sweep(keep)
            with tempfile.TemporaryDirectory(prefix=DRAFT, dir=keep) as folder:
                return _built(text, compiler, Path(folder), keep)
        except OSError as error:  # a full disk, no temporary folder, or one that may not hold programs
            reason = error
    raise _cannot_compile(str(reason)) from reason


def _built(text: str, compiler: str, folder: Path, keep: Path | None) -> Library:
    loop, made = folder / "loop.cpp", folder / "loop.so"
    loop.write_text(text)
    command = [compiler, *FLAGS, _processor(), f"-I{Path(__file__).parent}", str(loop), "-o", str(made)]
    for threads in ("-fopenmp", "-fopenmp-simd"):  # Apple's compiler comes without threads
        done = subprocess.run([*command, threads, "-lm"], capture_output=True, text=True)
        if not done.returncode:
            break
    else:
        raise _cannot_compile(f"{compiler} says: {done.stderr.strip()[:300]}")
    if keep is not None:
        made = made.replace(keep / f"{_key(text)}-{_digest(made.read_bytes())}.so")
    return Library(made)


def _sweep(keep: Path | None) -> None:
    """Remove what killed processes have left in the folder."""
    for draft in keep.glob(f"{DRAFT}*") if keep else ():
        if draft.stat().st_mtime < time.time() - 3600:
            shutil.rmtree(draft, ignore_errors=True)


def _key(text: str) -> str:
    """A digest of all that a compiled loop depends on."""
    compiler = find_compiler()
    known = os.stat(compiler) if compiler else None
    version = (compiler, known.st_size, known.st_mtime_ns) if known else None
    header = Path(__file__).with_name("cpp.hpp").read_text()
    return _digest(repr((text, header, FLAGS, version, _machine())).encode())


@cache
def _machine() -> str:
    """The kind of processor, for which `-march=native` compiles."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        kind = [line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))]
        return f"{platform.machine()} {sorted(set(kind))}"
    except OSError:
        return f"{platform.platform()} {platform.processor()} {platform.node()}"


def _processor() -> str:
    return "-march=native" if platform.machine() in ("x86_64", "AMD64") else "-mcpu=native"


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=12).hexdigest()


def _compilers() -> Iterable[str]:
    return filter(None, (os.environ.get("CXX"), "g++", "clang++", "c++"))


@cache
def _keep_runtimes() -> None:
    """Keep the runtime that is loaded, if any."""
    for name in RUNTIMES:
        with suppress(OSError, AttributeError):
            ctypes.CDLL(name, mode=os.RTLD_NOLOAD | os.RTLD_NODELETE)


def _cannot_compile(why: str) -> ConfigError:
    return ConfigError(f"compile=True does not work here: {why}; compile=False takes the same steps without")
