"""The claims of the papers: no line without evidence, no verdict without a record, one source for pages."""

import dataclasses
import re
from pathlib import Path

import pytest
import yaml
from l2o_book import claims, evidence, findings, records, staging, verdicts
from l2o_book.claims import Claim

from l2o_core.errors import ConfigError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def written(tmp_path, monkeypatch):
    """A function that writes one claim into a small book, changed as asked, and reads it."""
    for folder in ("notebooks", "book", "results/standard"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "notebooks" / "scaling.py").write_text('name="tab-a"\nname=f"tab-b-{problem}"\n')
    monkeypatch.setenv("L2O_BOOK_ROOT", str(tmp_path))
    good = {
        "id": "one",
        "paper": "SOL",
        "where": "Table 1",
        "claim": "It works",
        "published": "in words",
        "anchor": "tab-a",
        "record": "every build",
        "verdict": "reproduced",
        "because": "It is drawn.",
    }

    def write(*others, **changes):
        line = {key: value for key, value in (good | changes).items() if value is not None}
        content = {"claims": [line, *others], "scales": {}, "faults": {}}
        (tmp_path / "book" / "claims.yml").write_text(yaml.safe_dump(content))
        claims._read.cache_clear()
        claims.load.cache_clear()
        return claims.load()

    yield write
    claims._read.cache_clear()
    claims.load.cache_clear()


def test_a_line_with_its_evidence_is_good(written):
    assert [claim.page for claim in written()] == ["notebooks/scaling"]
    assert written(anchor="tab-b-p1")[0].page == "notebooks/scaling"
    assert written(verdict="not run", anchor=None, record=None)[0].outcome == "not run"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"anchor": None}, "no evidence"),
        ({"anchor": "tab-nowhere"}, "no figure, table or equation 'tab-nowhere'"),
        ({"anchor": None, "page": "notebooks/nowhere"}, "no page 'notebooks/nowhere'"),
        ({"record": None}, "said to be reproduced, and there is no record"),
        ({"record": "scaling"}, "said to be reproduced, and there is no record"),
        ({"because": None}, "needs `because`"),
        ({"verdict": "plausible"}, "a verdict by hand is one of"),
        ({"verdict": None}, "give tests"),
        ({"tests": ["Table 4: it wins"]}, "give tests"),
        ({"tests": ["a: b"], "verdict": None, "record": "nothing"}, "has no function"),
        ({"published": ["SOL Table 1 / Nobody"]}, "published.yml"),
        ({"published": ["SOL Table 1 / A / y"]}, "published.yml"),
        ({"published": ["SOL Table 1"]}, "published.yml"),
        ({"paper": "Another"}, "no paper 'Another'"),
        ({"claim": None}, "it lacks claim"),
        ({"colour": "red"}, "no field 'colour'"),
    ],
)
def test_a_line_without_evidence_is_refused(written, changes, words):
    if "published" in changes:
        (Path(claims.book_root()) / "book" / "published.yml").write_text(
            "SOL Table 1: {rows: {A: {x: '1'}}}\n"
        )
    with pytest.raises(ConfigError, match=re.escape(words)):
        written(**changes)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "claims: {a: 1}\n",
        "claims: [1]\n",
        "claims: [{id: [1]}]\n",
        "scales: {a: 1}\n",
        "faults: []\n",
        "x: *a\n",
    ],
)
def test_a_file_of_another_form_is_refused(written, text):
    (claims.book_root() / "book" / "claims.yml").write_text(text)
    with pytest.raises(ConfigError, match=r"claims\.yml"):
        claims.load()


def test_two_lines_have_two_names(written):
    other = {"id": "one", "paper": "SOL", "where": "x", "claim": "y", "published": "z"}
    with pytest.raises(ConfigError, match="same id"):
        written(other | {"verdict": "not run", "because": "It was not."})


def test_a_comparison_that_the_record_lacks_is_refused(monkeypatch):
    monkeypatch.setenv("L2O_BOOK_ROOT", str(ROOT))
    claim = Claim("one", "SymL2O", "x", "y", "z", record="scaling", tests=["Table 4: nothing"])
    with pytest.raises(ConfigError, match="decides no 'Table 4: nothing'"):
        _ = claim.found


def test_a_record_of_another_shape_is_refused(monkeypatch):
    record = dataclasses.replace(records.load("sol", "standard", ROOT / "results"), values={})
    monkeypatch.setattr(claims, "committed", lambda experiment: record)
    claim = Claim("one", "SOL", "x", "y", "z", record="sol", tests=["Figure 5: nothing"])
    with pytest.raises(ConfigError, match=r"the record of sol lacks what decides it \(KeyError\('races'\)\)"):
        _ = claim.found


def test_the_claims_of_this_book_are_complete():
    """Every numbered thing of both papers is on the page."""
    found = claims.load(ROOT)
    said = {paper: " ".join(c.where for c in found if c.paper == paper) for paper in claims.PAPERS}
    for paper, kinds in {
        "SymL2O": {"Table": 9, "Figure": 7, "Eq.": 8},
        "SOL": {"Table": 7, "Figure": 7, "Eq.": 3},
    }.items():
        for kind, count in kinds.items():
            for number in range(1, count + 1):
                assert re.search(rf"{re.escape(kind)} {number}\b", said[paper]), (paper, kind, number)
    assert "Algorithm 1" in said["SOL"]


def test_verdicts_by_hand_are_for_what_nothing_numeric_decides():
    by_hand = [claim for claim in claims.load(ROOT) if not claim.tests]
    assert {claim.record for claim in by_hand if claim.outcome == "reproduced"} == {"every build"}


def test_the_readme_says_what_the_claims_say():
    """If this fails, run `python -m l2o_book.findings`."""
    said = findings.SUMMARY.search((ROOT / "README.md").read_text(encoding="utf-8"))
    assert said
    assert said[0] == "\n".join(["<!-- claims -->", *findings.digest(claims.load(ROOT)), "<!-- /claims -->"])


def test_the_first_page_takes_its_summary_from_the_claims():
    assert "```{claims}\n```" in (ROOT / "book" / "intro.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", evidence.EVIDENCE)
def test_each_record_decides_something(name, monkeypatch):
    monkeypatch.setenv("L2O_BOOK_ROOT", str(ROOT))
    record = claims.committed(name)
    if record is None:
        pytest.skip(f"{name} has no committed record yet; its claims say that it was not run")
    for found in evidence.EVIDENCE[name](record).values():
        assert {comparison.verdict for comparison in found.values()} <= {*claims.VERDICTS}


def test_a_fault_is_told_only_of_the_record_that_has_it(monkeypatch):
    monkeypatch.setenv("L2O_BOOK_ROOT", str(ROOT))
    record = records.load("sanity_checks", "standard")
    assert claims.faults(record, ROOT) == []
    for name, known in claims._read(ROOT)["faults"].items():
        record = claims.committed(name)
        assert bool(claims.faults(record, ROOT)) == (record.sha == known["commit"])


def test_the_box_groups_claims_by_verdict(monkeypatch):
    monkeypatch.setenv("L2O_BOOK_ROOT", str(ROOT))
    box = findings.box("notebooks/distillation")
    assert box.startswith(":::{admonition} Claims of the papers on this page")
    assert box.index("- **Reproduced:**") < box.index("- **Not reproduced:**")
    assert findings.box("notebooks/nowhere") == ""


def test_captions_after_the_record_lead_to_its_page():
    mark = {"name": "sol", "profile": "standard"}
    assert staging.page_of(mark) == "../book/records/standard-sol.md"


def test_several_comparisons_make_one_verdict():
    made = {v: verdicts.Comparison(0, 0, 0, 0, v) for v in claims.VERDICTS}
    held, refuted, open_, missing = (made[v] for v in claims.VERDICTS)
    assert verdicts.combined([held, held]) == "reproduced"
    assert verdicts.combined([held, open_, refuted]) == "not reproduced"
    assert verdicts.combined([held, open_]) == verdicts.combined([held, missing]) == "undecided"
    assert verdicts.combined([missing]) == "not run"


def test_sides_are_alike_only_if_the_whole_interval_is_within_the_margin():
    alike = verdicts.alike([1.0, 1.1, 0.9], [1.0, 1.1, 0.9], margin=0.1, paired=True)
    assert alike.verdict == "reproduced"
    assert verdicts.alike([1.0, 1.4, 0.7], [1.0, 1.0, 1.0], margin=0.1).verdict == "undecided"
    assert verdicts.alike([2.0, 2.1, 1.9], [1.0, 1.1, 0.9], margin=0.1).verdict == "not reproduced"
    assert verdicts.alike(None, [1.0], margin=0.1).verdict == "not run"


def test_one_counterexample_refutes_what_is_said_of_every_case():
    assert verdicts.always([True, True], "runs").verdict == "reproduced"
    found = verdicts.always([True, False], "runs")
    assert (found.verdict, str(found)) == ("not reproduced", "1 of 2 runs")
    assert verdicts.always([], "runs").verdict == "not run"
