"""GLUE's files: what is read from them, how they are parted, and what is said about damaged ones."""

import sys
from types import SimpleNamespace

import pytest

from l2o_core.errors import ConfigError, DataError
from l2o_core.tasks import text

FILES = {  # as GLUE distributes them: a first row of each task
    "cola": ("CoLA", "gj04\t1\t\tOur friends won't.\n", (("Our friends won't.",), 1)),
    "mrpc": (
        "MRPC",
        '\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n1\t70\t72\tHe "left .\tShe left .\n',
        (('He "left .', "She left ."), 1),
    ),
    "rte": ("RTE", "index\tsentence1\tsentence2\tlabel\n0\tA.\tB.\tnot_entailment\n", (("A.", "B."), 1)),
    "wnli": ("WNLI", "index\tsentence1\tsentence2\tlabel\r\n0\tA.\tB.\t1\r\n", (("A.", "B."), 1)),
    "qnli": ("QNLI", "index\tquestion\tsentence\tlabel\n0\tWho?\tHe.\tentailment\n", (("Who?", "He."), 0)),
    "qqp": (
        "QQP",
        "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n0\t1\t2\tWhy\n1\t3\t4\tWho?\tWhat?\t0\n",
        (("Who?", "What?"), 0),
    ),
    "mnli": ("MNLI", "index\tsentence1\tsentence2\tgold_label\n0\tA.\tB.\tneutral", (("A.", "B."), 1)),
}


@pytest.mark.parametrize("name", FILES)
def test_the_files_of_glue_are_read_as_they_are(name, glue_root):
    folder, content, (row, label) = FILES[name]
    (glue_root / folder).mkdir()
    (glue_root / folder / "train.tsv").write_bytes(content.encode())
    data = text.load(name)
    assert (data.rows, data.labels) == ([row], (label,))
    assert data.name == f"{folder} (1 of {text.GLUE[name].rows[0]} train rows)"


def test_the_parts_are_disjoint_and_make_up_the_splits(glue_root):
    train, choose, report = (text.load("sst2", part) for part in ("train", "choose", "report"))
    whole = text.load("sst2")
    assert {*train.rows} | {*choose.rows} == {*whole.rows} - {*report.rows}
    assert not {*train.rows} & {*choose.rows}
    assert 0 < len(choose) < len(train)
    assert len(report) == 12
    by_text = dict(zip(whole.rows, whole.labels, strict=True))
    assert [by_text[row] for row in train.rows] == [*train.labels]


def test_what_two_splits_share_is_not_trained_on(glue_root):
    dev, train = glue_root / "SST-2" / "dev.tsv", glue_root / "SST-2" / "train.tsv"
    shared = train.read_text().splitlines()[5].split("\t")[0]
    dev.write_text(dev.read_text() + f"{shared}\t1\n")
    assert (shared,) in text.load("sst2", "report").rows
    assert (shared,) in text.load("sst2").rows
    assert all((shared,) not in text.load("sst2", part).rows for part in ("train", "choose"))


def test_without_a_training_split_the_dev_split_is_cut_only_on_request(glue_root):
    (glue_root / "SST-2" / "train.tsv").unlink()
    with pytest.raises(DataError, match=r"SST-2 has no train\.tsv in .*; *|dev_only=True"):
        text.load("sst2", "train")
    train, choose, report, both = (
        text.load("sst2", part, dev_only=True) for part in ("train", "choose", "report", None)
    )
    assert both.name == "SST-2 (12 of 872 dev rows) (dev split only)"
    assert sorted([*train.rows, *choose.rows]) == sorted(both.rows)
    assert not {*both.rows} & {*report.rows}
    assert len(both) + len(report) == 12


DAMAGED = [
    (b"", "line 1: the header lacks 'sentence', 'label'"),
    (b"sentence\tlabels\nfine\t1\n", "line 1: the header lacks 'label'"),
    (b"sentence\tlabel\n", "train.tsv has no rows"),
    (b"sentence\tlabel\nfine\t1\nfine film", "line 3: 1 columns, not 2 (sentence, label)"),
    (b"sentence\tlabel\nfine\tgood\n", "line 2: unknown label 'good'; SST-2 has 0, 1"),
    (b"sentence\tlabel\nfine\t1\n\xff\xfe\t1\n", "line 3: no UTF-8 text"),
]


@pytest.mark.parametrize(("content", "said"), DAMAGED)
def test_a_damaged_file_is_one_sentence_with_its_line(content, said, glue_root):
    file = glue_root / "SST-2" / "train.tsv"
    file.write_bytes(content)
    with pytest.raises(DataError) as caught:
        text.load("sst2")
    assert said in str(caught.value)
    assert str(file) in str(caught.value)
    assert "fetch the file again" in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(glue_root):
    file = glue_root / "SST-2" / "train.tsv"
    file.unlink()
    file.mkdir()
    with pytest.raises(DataError, match=r"cannot read .*train\.tsv"):
        text.load("sst2")


def test_unknown_names_and_parts_are_refused():
    with pytest.raises(ConfigError, match="unknown task of GLUE 'mrcp'; did you mean 'mrpc'"):
        text.load("mrcp")
    with pytest.raises(ConfigError, match="unknown part 'dev'"):
        text.load("mrpc", "dev")


def test_digests_tell_data_apart(glue_root):
    parts = [text.load("sst2", part).identity["digest"] for part in (None, "train", "choose", "report")]
    assert len({*parts}) == 4
    assert text.load("sst2").identity == text.load("sst2").identity


class Hub:
    """Stands in for the package `datasets`."""

    def __init__(self, table):
        self.table, self.asked = table, None

    def load_dataset(self, *asked, split):
        self.asked = (*asked, split)
        if isinstance(self.table, Exception):
            raise self.table
        return self.table


MNLI = {"premise": ["A.", "B."], "hypothesis": ["C.", "D."], "label": [2, 0]}


def hub(monkeypatch, table):
    found = Hub(table)
    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=found.load_dataset))
    return found


def test_what_is_not_found_comes_from_the_hub_on_request(glue_root, monkeypatch):
    asked = hub(monkeypatch, MNLI)
    data = text.load("mnli", "report", download=True)
    assert asked.asked == ("nyu-mll/glue", "mnli", "validation_matched")
    assert (data.rows, data.labels) == ([("A.", "C."), ("B.", "D.")], (2, 0))
    assert data.name == "MNLI (2 of 9815 dev rows)"


def test_without_a_network_the_hub_is_one_sentence(glue_root, monkeypatch):
    hub(monkeypatch, ConnectionError("Couldn't reach the Hub\nat all"))
    with pytest.raises(
        DataError, match=r"cannot fetch MNLI from the hub \(Couldn't reach the Hub\); connect"
    ):
        text.load("mnli", download=True)
    hub(monkeypatch, MNLI | {"label": [-1, 0]})
    with pytest.raises(DataError, match="unknown labels; expected 0 to 2"):
        text.load("mnli", download=True)
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ConfigError, match=r"needs datasets: pip install 'l2o_core\[text\]'"):
        text.load("mnli", download=True)
