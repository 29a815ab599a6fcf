"""The checkout that the book is made in, and its folders."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from l2o_core import plain_yaml
from l2o_core.errors import ConfigError

ROOT, RECORD_DIR = "L2O_BOOK_ROOT", "L2O_RECORD_DIR"
"""Environment variables: the checkout, and the folder that a job's records go to."""


def book_root() -> Path:
    """The book's checkout: `$L2O_BOOK_ROOT`, or the nearest folder upward with `_toc.yml`, `notebooks/`."""
    if named := os.environ.get(ROOT):
        return Path(named).resolve()
    here = Path.cwd().resolve()
    for folder in (here, *here.parents):
        if (folder / "_toc.yml").is_file() and (folder / "notebooks").is_dir():
            return folder
    raise ConfigError(
        f"no book found from {here} upward (a folder with _toc.yml and notebooks/); "
        "run this inside the checkout, or set L2O_BOOK_ROOT to it"
    )


def repository(root: Path) -> dict[str, Any]:
    """Where the book lives: `url` and `branch`, from `_config.yml`. ConfigError where it does not say so."""
    config = plain_yaml.read(root / "_config.yml")
    if plain_yaml.fits(config, {"repository": {"url": str, "branch": str}}):
        found = config.get("repository", {})
        if {"url", "branch"} <= found.keys():
            return found
    raise ConfigError(f"{root / '_config.yml'} must name the book's repository: its url and its branch")


def cache_dir(folder: str, profile: str) -> Path | None:
    """The cache folder of a profile, `<book>/<folder>/<profile>`; None if `folder` is empty (no caching)."""
    return book_root() / folder / profile if folder else None


def record_dir() -> Path:
    """The folder that a notebook writes its record to.

    `l2o reproduce` names it in `$L2O_RECORD_DIR`: `results/<profile>` for a run with exactly the parameters
    of a profile. Any other run, by hand or with changed parameters, writes to `results/own`, so that it
    never replaces a recorded one.
    """
    named = os.environ.get(RECORD_DIR)
    return Path(named) if named else book_root() / "results" / "own"
