"""Build the book: run its notebooks, stage the pages in book/_build/site, render them to book/_build/html.

    python -m l2o_book.build --profile quick

A second build runs and renders only if something changed. Exit status 1 if a notebook or the rendering
failed; whatever could be rendered is there all the same.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import nbformat

import l2o_core
from l2o_core import plain_yaml
from l2o_core.errors import ConfigError, L2OError

from . import claims, findings, plan, progress, record_pages, reproduce, runs, staging
from .checkout import book_root, repository
from .runs import Run

MATHJAX = ("es5/tex-chtml.js", "es5/output/chtml/fonts/woff-v2/*", "es5/input/tex/extensions/*.js", "LICENSE")


def main(arguments: Sequence[str] | None = None) -> int:
    """Execute, stage, render, check, and say where to look."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    reproduce.add_options(parser)
    options = parser.parse_args(arguments)
    try:
        root = book_root()
        pages = contents(root)
        claims.load()
        done = reproduce.execute(
            [],
            options.profile,
            jobs=options.jobs,
            scheduler=options.scheduler,
            force=options.force,
            show=progress.choose(),
        )
        site, html = root / "book" / "_build" / "site", root / "book" / "_build" / "html"
        stage(root, done, site)
        rendered = render(root, site, html, force=options.force)
        publish_notebooks(root, done, html)
        missing = [page for page in pages if not (html / f"{page}.html").is_file()]
    except L2OError as error:
        print(f"book: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("book: stopped; what is finished is kept", file=sys.stderr)
        return 130
    print(f"\n{runs.summary(done)}")
    if missing:
        print(f"pages of _toc.yml that were not rendered: {', '.join(missing)}")
    if not rendered:
        print("rendering reported the problems above")
    print(f"\nthe book:   {html / 'index.html'}\nto read it: open that file, or run `make serve`")
    return 0 if rendered and not missing and not any(run.failure for run in done) else 1


def say(line: str) -> None:
    """Print at once, also into a pipe."""
    print(line, flush=True)


def contents(root: Path) -> list[str]:
    """The pages of _toc.yml; ConfigError if one has no source, or a notebook is not among them."""
    pages = plan.pages(plain_yaml.read(root / "_toc.yml"))
    sources = {f"notebooks/{name}" for name in plan.notebooks(root)}
    for page in pages:
        if page not in sources and not (root / f"{page}.md").is_file():
            raise ConfigError(f"_toc.yml names {page}, but there is no {page}.md and no {page}.py")
    if left := sources - set(pages):
        raise ConfigError(f"{min(left)}.py is not in _toc.yml; every notebook is a page of the book")
    return pages


def stage(root: Path, done: Sequence[Run], site: Path) -> None:
    """Lay out what Sphinx reads: configuration, prose, static files, and the executed notebooks as pages."""
    shutil.rmtree(site, ignore_errors=True)
    (site / "notebooks").mkdir(parents=True)
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(root / name, site / name)
    ours = shutil.ignore_patterns("_build", "l2o_book", "*.egg-info", "*.toml", "*.yml", "__pycache__", ".*")
    shutil.copytree(root / "book", site / "book", ignore=ours)
    for name in ("claims.yml", "published.yml"):  # the page of claims is made from them
        if (root / "book" / name).is_file():
            shutil.copy(root / "book" / name, site / "book" / name)
    (site / "book" / "static").mkdir(exist_ok=True)
    copy_mathjax(site / "book" / "static" / "mathjax")
    home = repository(root)
    shown = {(claim.shown.experiment, claim.shown.profile) for claim in claims.load() if claim.shown}
    for run in done:
        executed = nbformat.read(run.path, as_version=4)
        shown |= staging.recorded(executed)
    shown = {each for each in shown if record_pages.write(root, site, *each, home)}
    for run in done:
        executed = nbformat.read(run.path, as_version=4)
        found = findings.box(f"notebooks/{run.name}")
        page = staging.page(executed, site / "notebooks" / "figures", home, shown, found)
        nbformat.write(page, site / "notebooks" / f"{run.name}.ipynb")


def copy_mathjax(folder: Path) -> None:
    """Put MathJax into the site, so that equations render offline."""
    import mathjax  # the package django-static-mathjax: MathJax 3 as plain files

    package = Path(mathjax.__file__).parent / "static" / "mathjax"
    for pattern in MATHJAX:
        for file in package.glob(pattern):
            target = folder / file.relative_to(package)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)


def render(root: Path, site: Path, html: Path, *, force: bool = False) -> bool:
    """Run Jupyter Book over the staged pages, unless it did so last time; a warning is a failure."""
    stamp = html.parent / "rendered"
    sources = (site, Path(l2o_core.__file__).parent, Path(__file__).parent)  # reference pages show docstrings
    key = " ".join(map(tree_digest, sources))
    if not force and stamp.is_file() and stamp.read_text() == key and (html / "index.html").is_file():
        say("pages: unchanged")
        return True
    say("pages: rendering ...")
    started = time.perf_counter()
    stamp.unlink(missing_ok=True)
    for old in (html, html.parent / ".doctrees"):
        shutil.rmtree(old, ignore_errors=True)
    command: list[str | Path] = [
        Path(sys.executable).with_name("jupyter-book"),
        "build",
        site,
        "--path-output",
        root / "book",
    ]
    command += ["-q", "-W", "-n", "--keep-going"]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    (html.parent / "render.log").write_text(done.stdout)
    if done.returncode:
        print(done.stdout)
        return False
    stamp.write_text(key)
    say(f"pages: rendered in {time.perf_counter() - started:.0f} s")
    return True


def publish_notebooks(root: Path, done: Sequence[Run], html: Path) -> None:
    """Behind the download button: the runnable notebook, not the staged page."""
    for run in done:
        target = html / "_sources" / "notebooks" / f"{run.name}.ipynb"
        if target.is_file():
            shutil.copy(root / "notebooks" / f"{run.name}.ipynb", target)


def tree_digest(folder: Path) -> str:
    """Digest of every file below a folder, names included."""
    total = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"):
        total.update(f"{file.relative_to(folder)}\0{file.stat().st_size}\0".encode() + file.read_bytes())
    return total.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
