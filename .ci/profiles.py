"""Run the notebooks at the profiles `standard` and `paper`, at toy sizes and from an empty cache.

Long profiles are seldom run, so this is what keeps them running: a copy of the book in a temporary folder,
with the values of toy.yml written into its profiles and recipes, goes through `l2o reproduce`.

Notebooks that are the same in every profile are left to the build of the book.

Exit status 1 if a notebook failed.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml
from l2o_book import profiles

from l2o_core import data
from l2o_core.errors import DataError

ROOT = Path(__file__).parents[1]
PROFILES = ("standard", "paper")
PARTS = ("_toc.yml", "_config.yml", "constraints.txt", "book", "l2o_core", "notebooks", "profiles", "results")
REAL = ("mnist", "cifar10")


def main() -> int:
    """Copy, shrink, run."""
    toy, failed = yaml.safe_load(Path(__file__).with_name("toy.yml").read_text(encoding="utf-8")), []
    stand_ins = {} if all(map(found, REAL)) else toy["stand_ins"]
    if stand_ins:
        print(f"{' or '.join(REAL)} is not here, so digits stands in, and P3 and P4 are left out")
    for profile in PROFILES:
        started = time.monotonic()
        book = Path(tempfile.mkdtemp(prefix=f"l2o-{profile}-"))
        copy(book)
        shrink_recipes(book / "l2o_core" / "meta" / "recipes.yml", toy["training"], stand_ins)
        shrink_sources(book, toy["sources"])
        names = shrink_profile(book, profile, toy, stand_ins)
        command = [str(Path(sys.executable).with_name("l2o")), "reproduce", *names, "--profile", profile]
        if subprocess.run(command, env=environment(book), cwd=book, check=False).returncode:
            failed.append(profile)  # the logs stay
        else:
            shutil.rmtree(book)
        print(f"profile {profile}, at toy sizes: {time.monotonic() - started:.0f} s", flush=True)
    return 1 if failed else 0


def found(name: str) -> bool:
    """Whether a data set is on this machine."""
    try:
        return len(data.load(name)) > 0
    except DataError:
        return False


def copy(book: Path) -> None:
    """All that notebooks need, without what was built and cached."""
    built = shutil.ignore_patterns("_build", "__pycache__", "*.egg-info", "runs", "own")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, book / part, ignore=built)
        else:
            shutil.copy(ROOT / part, book / part)


def shrink_recipes(file: Path, training: dict, stand_ins: dict) -> None:
    """Short trainings, on the problems that there are."""
    recipes = yaml.safe_load(file.read_text(encoding="utf-8"))
    for recipe in recipes.values():
        stages = recipe["training"].get("steps")
        recipe["training"] |= training
        if stages:
            count = len(stages) if isinstance(stages, list) else 1
            recipe["training"]["steps"] = [20 * (stage + 1) for stage in range(count)] if count > 1 else 20
        if task := recipe.get("task"):
            task["name"] = stand_ins.get(task["name"]) or task["name"]
    file.write_text(yaml.safe_dump(recipes, sort_keys=False), encoding="utf-8")


def shrink_sources(book: Path, changes: dict[str, dict[str, str]]) -> None:
    """Replace text in sources; what is to be replaced must be there."""
    for name, texts in changes.items():
        source = (book / name).read_text(encoding="utf-8")
        for old, new in texts.items():
            if old not in source:
                sys.exit(f".ci/toy.yml: {name} has no {old!r} any more")
            source = source.replace(old, new)
        (book / name).write_text(source, encoding="utf-8")


def shrink_profile(book: Path, profile: str, toy: dict, stand_ins: dict) -> list[str]:
    """Write the toy values into the copied profile; returns the notebooks that it has values for."""
    files = sorted((book / "profiles" / profile).glob("*.yml"))
    for file in files:
        name, own = file.stem, toy["notebooks"].get(file.stem, {})
        known = profiles.parameters(book, name)
        if strays := own.keys() - known.keys():
            sys.exit(f".ci/toy.yml: {name} has no parameter {min(strays)!r} any more")
        values = profiles.settings(book, name, profile, {}) | {
            key: value for key, value in (toy["everywhere"] | own).items() if key in known
        }
        values = {key: available(value, stand_ins) for key, value in values.items()}
        file.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    return [file.stem for file in files]


def available(value: object, stand_ins: dict) -> object:
    """A parameter with stand-ins in place of the problems and data sets that are missing."""
    if isinstance(value, list):
        kept = [available(item, stand_ins) for item in value]
        return [item for item in kept if item is not None]
    if isinstance(value, str):
        recipe, slash, problem = value.rpartition("/")
        stand_in = stand_ins.get(problem, problem)
        return None if stand_in is None else f"{recipe}{slash}{stand_in}"
    return value


def environment(book: Path) -> dict[str, str]:
    """In which the copied packages go first."""
    path = os.pathsep.join([str(book), str(book / "book")])
    return os.environ | {"PYTHONPATH": path, "L2O_BOOK_ROOT": str(book)}


if __name__ == "__main__":
    sys.exit(main())
