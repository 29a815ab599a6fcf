"""Planetoid's files and DBLP's give the graph in them; what is missing, damaged or hostile is refused."""

import io
import pickle

import numpy as np
import pytest
import torch
from tasks.graph_samples import Csr, Lists, old_pickle, planetoid

from l2o_core import tasks
from l2o_core.errors import ConfigError, DataError


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("L2O_DATA_ROOT", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "data"


@pytest.fixture
def raw(root):
    return root / "Planetoid" / "CiteSeer" / "raw"


def test_planetoid_is_read_as_its_loaders_read_it(raw):
    features, labels = planetoid(raw)
    graph = tasks.load_graph("citeseer")
    torch.testing.assert_close(graph.features.dense(), torch.tensor(features, dtype=torch.float32))
    assert graph.labels.tolist() == labels.tolist()
    assert graph.classes == 2
    assert graph.name == "CiteSeer (10 nodes, 3327 are published)"
    split = {part: nodes.tolist() for part, nodes in graph.nodes.items()}
    assert split == {"train": [0, 1], "choose": [2, 3, 4, 5], "report": [6, 7, 9]}


def test_edges_go_both_ways_once_and_to_no_node_itself(raw):
    planetoid(raw)
    edges = {*map(tuple, tasks.load_graph("citeseer").edges.T.tolist())}
    assert edges == {(0, 1), (1, 0), (0, 9), (9, 0), (2, 3), (3, 2), (5, 6), (6, 5)}


def test_missing_and_isolated_nodes_are_kept_as_nodes_without_edges(raw):
    planetoid(raw)
    graph = tasks.load_graph("citeseer")
    assert graph.isolated.tolist() == [4, 7, 8]
    assert not graph.features.dense()[8].any()
    task = tasks.load("gat_citeseer")
    assert task.scores(task.init(torch.Generator())).isfinite().all()


def test_the_layout_without_the_collections_folder(root):
    planetoid(root / "CiteSeer" / "raw")
    assert len(tasks.load_graph("citeseer")) == 10


class Hostile:
    def __reduce__(self):
        return (print, ("executed",))


@pytest.mark.parametrize("kind", ["allx", "ty", "graph"])
@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps(Hostile(), 2),
        b"cbuiltins\neval\n(S'print(1)'\ntR.",
        b"ccollections\ndefaultdict\ncbuiltins\nprint\n\x85R.",
        b"cscipy.sparse.csr\ncsr_matrix\n(S'executed'\ntR.",
        b"ccollections\ndefaultdict\nc__builtin__\nlist\n(tRR.",
    ],
    ids=["reduce", "eval", "factory", "call of a matrix", "call of a list"],
)
def test_a_pickle_that_would_run_code_is_refused(raw, kind, content, capsys):
    planetoid(raw, **{kind: content})
    with pytest.raises(DataError, match=rf"cannot read .*ind\.citeseer\.{kind}"):
        tasks.load_graph("citeseer")
    assert capsys.readouterr().out == ""


def damaged(**changed):
    matrix = Csr(np.eye(6, 4))
    vars(matrix).update(changed)
    return matrix


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        ("allx", np.eye(6), "holds no sparse matrix"),
        ("allx", damaged(indptr=np.arange(9)), "no proper shape"),
        ("allx", damaged(indptr=np.array([0, 3, 1, 3, 4, 4, 4])), "rows of features do not fit"),
        ("allx", damaged(indices=np.array([0, 1, 2, 4])), "out of range"),
        ("allx", damaged(_shape=(6, 10**9)), "out of range"),
        ("allx", damaged(data=np.array([1, np.nan, 1, 1])), "not finite"),
        ("allx", Csr(np.eye(5, 4)), "do not fit together"),
        ("tx", Csr(np.eye(3, 3)), "do not fit together"),
        ("ally", np.ones((6, 2), np.int32), "not one class for each node"),
        ("ally", np.ones((6, 2), np.float32), "where whole numbers belong"),
        ("ty", np.eye(3, dtype=np.int32), "do not fit together"),
        ("graph", Lists({0: [10]}), "an edge leads to a node that is not among the 10"),
        ("graph", Lists({0: [1.5]}), "no whole numbers"),
        ("graph", Lists({0: [2**70]}), "cannot read"),
        ("graph", np.eye(3), "no lists of neighbours"),
        ("test.index", b"6\n7\n7\n", "names no node, or one twice"),
        ("test.index", b"6\n7\n900000000\n", "far beyond"),
        ("test.index", b"6 x", "cannot read"),
    ],
)
def test_damaged_files_are_named(raw, kind, content, message):
    planetoid(raw)
    (raw / f"ind.citeseer.{kind}").write_bytes(content if isinstance(content, bytes) else old_pickle(content))
    with pytest.raises(DataError, match=message) as error:
        tasks.load_graph("citeseer")
    assert "CiteSeer" in str(error.value)


def test_a_missing_file_is_named(raw):
    planetoid(raw)
    (raw / "ind.citeseer.allx").unlink()
    with pytest.raises(DataError, match=r"cannot read .*ind\.citeseer\.allx"):
        tasks.load_graph("citeseer")


def test_missing_data_says_where_it_looked_and_what_to_do(root):
    with pytest.raises(DataError, match=r"Planetoid/Cora/raw/ind\.cora\.graph and the other") as error:
        tasks.load("gat_cora")
    assert str(root) in str(error.value)
    with pytest.raises(DataError, match=r"DBLP/dblp\.npz"):
        tasks.load("gat_dblp")
    with pytest.raises(ConfigError, match="did you mean 'cora'"):
        tasks.load_graph("coral")


def write_dblp(root, **replaced):
    matrix = Csr(np.random.default_rng(0).integers(0, 2, (6, 4)))
    arrays = {"edges": np.array([[0, 1, 2], [1, 2, 5]]), "y": np.array([0, 1, 2, 0, 1, 2])}
    arrays |= {"x_shape": np.array(matrix._shape), "x_indptr": matrix.indptr}
    arrays |= {"x_indices": matrix.indices.astype(np.uint16), "x_data": matrix.data} | replaced
    (root / "DBLP").mkdir(parents=True)
    np.savez_compressed(root / "DBLP" / "dblp.npz", **arrays)


def test_dblp_is_read_and_has_no_split(root):
    write_dblp(root)
    graph = tasks.load_graph("dblp")
    features = np.random.default_rng(0).integers(0, 2, (6, 4))
    np.testing.assert_array_equal(graph.features.dense(), features)
    assert (len(graph), graph.classes, graph.nodes) == (6, 3, {})
    assert graph.edges.shape == (2, 6)
    with pytest.raises(DataError, match="no public split; draw one with split=0"):
        tasks.GraphNetwork("gat", "dblp", tasks.GAT)


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"y": np.array([0, 1])}, "do not fit"),
        ({"y": np.array([{}] * 6)}, "cannot read"),
        ({"x_shape": np.array([7, 4])}, "no proper shape"),
        ({"edges": np.array([[0], [6]])}, "not among the 6"),
        ({"edges": np.array([0, 1])}, "two rows of nodes"),
    ],
)
def test_damaged_arrays_are_refused(root, replaced, message):
    write_dblp(root, **replaced)
    with pytest.raises(DataError, match=message):
        tasks.load_graph("dblp")


def test_an_archive_of_any_size_is_not_unpacked(root, monkeypatch):
    monkeypatch.setattr("l2o_core.tasks.graph_files._LARGEST", 1000)
    write_dblp(root, x_data=np.zeros(10_000))
    with pytest.raises(DataError, match="more than"):
        tasks.load_graph("dblp")


def test_what_is_no_archive_is_refused(root):
    write_dblp(root)
    (root / "DBLP" / "dblp.npz").write_bytes(io.BytesIO(b"no archive").getvalue())
    with pytest.raises(DataError, match=r"dblp\.npz"):
        tasks.load_graph("dblp")
