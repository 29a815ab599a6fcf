"""Citation graphs, found where `l2o_core.data` looks and read into tensors.

Planetoid's files are pickles, which can run code; they are read by a reader that cannot. Layouts are
torch_geometric's (`Planetoid/Cora/raw/ind.cora.x`, or without `Planetoid`), and `DBLP/dblp.npz`, which holds
plain arrays: `edges` `[2, E]`, labels `y`, and the features as a CSR matrix, `x_data`, `x_indices`,
`x_indptr` and `x_shape`.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import data
from ..errors import ConfigError, DataError, did_you_mean
from ..pickles import read_arrays
from ..storage import bounded
from .block_graph import block_graph
from .graph import Graph
from .sparse import SparseMatrix

_PUBLISHED = {  # title, nodes
    "cora": ("Cora", 2708),
    "citeseer": ("CiteSeer", 3327),
    "pubmed": ("PubMed", 19_717),
    "dblp": ("DBLP", 17_716),
}
GRAPHS = (*_PUBLISHED, "blocks")
_VALIDATION = 500
_MOST_FEATURES = 100_000
_LARGEST = 100_000_000  # bytes of the arrays of a file


def load_graph(name: str) -> Graph:
    """Read a citation graph, with Planetoid's public split where it has one.

    That split has 20 training nodes of each class, 500 for validation and 1,000 for testing (Yang et al.
    2016). Features are as published, not normalised. CiteSeer's files lack 15 nodes of its test range: they
    have no features and no label, and are in no part, as everywhere.

    Args:
        name: "cora", "citeseer", "pubmed", or "dblp", which has no public split (`Graph.split` draws one);
            or "blocks", the synthetic graph of `block_graph`, which needs no file.

    Raises:
        ConfigError: For an unknown name.
        DataError: Where files are missing, damaged, or do not fit together.
    """
    if name == "blocks":
        return block_graph()
    if name not in _PUBLISHED:
        raise ConfigError(f"unknown graph {name!r}; {did_you_mean(str(name), GRAPHS)}")
    title, published = _PUBLISHED[name]
    path, read = _find(name, title)
    try:
        graph = read(path, title)
    except (ValueError, IndexError, TypeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{title}: the files in {path.parent} do not fit together: {str(error)[:200]}; fetch them again"
        ) from error
    if len(graph) != published:
        graph.name += f" ({len(graph)} nodes, {published} are published)"
    return graph


def _find(name: str, title: str) -> tuple[Path, Callable[[Path, str], Graph]]:
    layouts = [("DBLP/dblp.npz", _read_npz)] if name == "dblp" else []
    if name != "dblp":
        layouts = [(f"{top}{title}/raw/ind.{name}.graph", _read_planetoid) for top in ("Planetoid/", "")]
    for root in data.roots():
        for place, read in layouts:
            if (root / place).is_file():
                return root / place, read
    looked = " and ".join(str(root) for root in data.roots())
    raise DataError(
        f"{title} not found in {looked}: set L2O_DATA_ROOT to the folder that holds {layouts[0][0]}"
        + ("" if name == "dblp" else " and the other ind.* files of github.com/kimiyoung/planetoid")
    )


def _read_planetoid(path: Path, title: str) -> Graph:
    def file(kind: str) -> Path:
        return path.with_suffix(f".{kind}")

    allx, tx = _matrix(file("allx")), _matrix(file("tx"))
    train, ally, ty = (_classes(file(kind)) for kind in ("y", "ally", "ty"))
    with data.reading(file("test.index")) as content:
        test = np.array([int(line) for line in content.split()], np.int64)
        if not len(test) or len(np.unique(test)) != len(test):
            raise ValueError("it names no node, or one twice")
    first, nodes = len(ally[0]), int(test.max()) + 1
    if allx.shape[0] != first or test.min() < first or not tx.shape[0] == len(ty[0]) == len(test):
        raise ValueError("numbers of features, labels and test nodes differ")
    if allx.shape[1] != tx.shape[1] or len({found[1] for found in (train, ally, ty)}) > 1:
        raise ValueError("numbers of features or classes of the parts differ")
    if nodes > 2 * (first + len(test)):
        raise ValueError(f"test node {nodes - 1} is far beyond {first + len(test)} rows")
    seen = torch.from_numpy(test)
    features = SparseMatrix.of(  # row k of tx is that of the k-th test node
        torch.cat([allx.rows, seen[tx.rows]]),
        torch.cat([allx.columns, tx.columns]),
        torch.cat([allx.values, tx.values]),
        (nodes, allx.shape[1]),
    )
    labels = np.full(nodes, -1)
    labels[:first], labels[test] = ally[0], ty[0]
    count = len(train[0])
    split = {
        "train": torch.arange(count),
        "choose": torch.arange(count, min(count + _VALIDATION, first)),
        "report": seen.sort().values,
    }
    return Graph(title, features, _edges(path), torch.from_numpy(labels), ally[1], split)


def _read_npz(path: Path, title: str) -> Graph:
    with data.reading(path) as content:
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            left, arrays = _LARGEST, {}
            for name in ("edges", "x_data", "x_indices", "x_indptr", "x_shape", "y"):
                with file.open(f"{name}.npy") as member:
                    raw = bounded(member, left)
                left -= len(raw)
                arrays[name] = np.lib.format.read_array(io.BytesIO(raw), allow_pickle=False)
        parts = (arrays[name] for name in ("x_shape", "x_indptr", "x_indices", "x_data"))
        features = _sparse(*parts)
        edges, labels = (_whole(arrays[name]) for name in ("edges", "y"))
        if not labels.size:
            raise ValueError("it has no nodes")
    return Graph(title, features, torch.from_numpy(edges), torch.from_numpy(labels), int(labels.max()) + 1)


def _unpickled(content: bytes) -> Any:
    stand_ins = {
        ("scipy.sparse.csr", "csr_matrix"): _Stored,
        ("scipy.sparse._csr", "csr_matrix"): _Stored,
        ("collections", "defaultdict"): _mapping,
        ("__builtin__", "list"): "list",
        ("builtins", "list"): "list",
    }
    return read_arrays(content, "a file of a graph", stand_ins)


class _Stored:
    """What a pickle says of a SciPy matrix; SciPy itself is not called."""

    def __setstate__(self, state: Any) -> None:
        self.state = state


def _mapping(kind: object) -> dict[Any, Any]:
    return {}


def _matrix(path: Path) -> SparseMatrix:
    """The features of a file `x`, `tx` or `allx`."""
    with data.reading(path) as content:
        stored = _unpickled(content)
        if not isinstance(stored, _Stored) or not isinstance(stored.state, dict):
            raise ValueError("it holds no sparse matrix")
        names = (b"_shape", b"indptr", b"indices", b"data")
        shape, pointers, columns, values = (stored.state.get(name) for name in names)
        return _sparse(np.array(shape), pointers, columns, values)


def _classes(path: Path) -> tuple[np.ndarray, int]:
    """The labels of a file `y`, `ty` or `ally`, stored as one-hot rows, and the number of classes."""
    with data.reading(path) as content:
        rows = _whole(_unpickled(content))
        if rows.ndim != 2 or not rows.size or rows.min() < 0 or (rows.sum(1) != 1).any():
            raise ValueError("its labels are not one class for each node")
        return rows.argmax(1), rows.shape[1]


def _edges(path: Path) -> torch.Tensor:
    """The edges `[2, E]` of a file `graph`: for each node, the list of its neighbours."""
    with data.reading(path) as content:
        neighbours = _unpickled(content)
        if not isinstance(neighbours, dict):
            raise ValueError("it holds no lists of neighbours")
        pairs = [(node, other) for node, others in neighbours.items() for other in others]
        if any(type(node) is not int for pair in pairs for node in pair):
            raise ValueError("its nodes are no whole numbers")
        return torch.tensor(pairs, dtype=torch.int64).view(-1, 2).T


def _sparse(shape: Any, pointers: Any, columns: Any, values: Any) -> SparseMatrix:
    """A CSR matrix, if it is one."""
    shape, pointers, columns = (_whole(part) for part in (shape, pointers, columns))
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiu":
        raise ValueError("its features are no numbers")
    if (
        shape.shape != (2,)
        or pointers.shape != (shape[0] + 1,)
        or not columns.shape == values.shape == (values.size,)
    ):
        raise ValueError("its matrix of features has no proper shape")
    counts = np.diff(pointers)
    if pointers[0] != 0 or pointers[-1] != values.size or (counts < 0).any():
        raise ValueError("its rows of features do not fit its entries")
    if not 0 < shape[1] <= _MOST_FEATURES or (
        columns.size and not 0 <= columns.min() <= columns.max() < shape[1]
    ):
        raise ValueError("its columns of features are out of range")
    rows = torch.from_numpy(np.repeat(np.arange(shape[0]), counts))
    entries = torch.from_numpy(values.astype(np.float32))
    return SparseMatrix.of(rows, torch.from_numpy(columns), entries, (int(shape[0]), int(shape[1])))


def _whole(numbers: Any) -> np.ndarray:
    if not isinstance(numbers, np.ndarray) or numbers.dtype.kind not in "iu":
        raise ValueError("where whole numbers belong, it has others")
    return numbers.astype(np.int64)
