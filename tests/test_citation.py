"""CITATION.cff says what pyproject.toml and the book's bibliography say."""

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_version_and_licence_are_those_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (str(CITATION["version"]), CITATION["license"]) == (project["version"], project["license"])


def test_both_papers_are_cited_as_in_the_bibliography():
    text = (ROOT / "book" / "references.bib").read_text(encoding="utf-8")
    keys = ("zheng2022symbolic", "song2024generalizable")
    for paper, key in zip(CITATION["references"], keys, strict=True):
        entry = text.split("{" + key + ",")[1].split("\n}")[0]
        known = dict(re.findall(r"(\w+) = \{(.*)\}", entry))
        authors = [f"{author['family-names']}, {author['given-names']}" for author in paper["authors"]]
        assert known["title"] == paper["title"]
        assert known["author"].split(" and ") == authors
        assert (known["booktitle"], known["year"]) == (paper["conference"]["name"], str(paper["year"]))
