"""Small graphs, and Planetoid's files of them as Python 2 wrote such files."""

import io
import pickle
import struct

import numpy as np
import torch

from l2o_core.tasks import Graph, SparseMatrix

NODES, FEATURES, CLASSES = 12, 5, 3


def small_graph(seed=0, isolated=True):
    """12 nodes in a ring with chords; the last one has no edges."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.rand(NODES, FEATURES, generator=generator)
    features = features * (torch.rand(NODES, FEATURES, generator=generator) < 0.5)
    last = NODES - 1 if isolated else NODES
    ring = torch.stack([torch.arange(last), (torch.arange(last) + 1) % last])
    chords = torch.tensor([[0, 2, 3], [4, 7, 9]])
    nodes = {"train": torch.arange(3), "choose": torch.arange(3, 7), "report": torch.arange(7, NODES)}
    labels = torch.arange(NODES) % CLASSES
    edges = torch.cat([ring, chords], dim=1)
    return Graph("small", SparseMatrix.of_dense(features), edges, labels, CLASSES, nodes)


class _Old(pickle._Pickler):
    """Writes byte strings as Python 2 wrote `str`, so that files look like Planetoid's."""

    dispatch = pickle._Pickler.dispatch.copy()

    def save_old(self, content):
        self.write(pickle.BINSTRING + struct.pack("<i", len(content)) + content)

    dispatch[bytes] = save_old


def old_pickle(content):
    """The bytes of a pickle of protocol 2 by Python 2."""
    file = io.BytesIO()
    pickler = _Old(file, 2)

    def save_array(self, array):
        # numpy.core.multiarray._reconstruct(ndarray, (0,), "b"), then its state
        self.write(b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n")
        self.write(b"K\x00\x85U\x01b\x87R(K\x01")
        self.save(array.shape)
        self.write(b"cnumpy\ndtype\nU\x02" + array.dtype.str[1:].encode() + b"K\x00K\x01\x87R")
        self.write(b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89")
        self.save(array.tobytes())
        self.write(b"tb")

    def save_matrix(self, matrix):
        self.write(b"cscipy.sparse.csr\ncsr_matrix\n)\x81}(")
        for key, value in vars(matrix).items():
            self.save(key.encode())
            self.save(value)
        self.write(b"ub")

    def save_lists(self, lists):
        self.write(b"ccollections\ndefaultdict\nc__builtin__\nlist\n\x85R(")
        for key, value in lists.items():
            self.save(key)
            self.save(value)
        self.write(b"u")

    pickler.dispatch = _Old.dispatch | {np.ndarray: save_array, Csr: save_matrix, Lists: save_lists}
    pickler.dump(content)
    return file.getvalue()


class Csr:
    """A CSR matrix, pickled as SciPy's."""

    def __init__(self, dense):
        self._shape = dense.shape
        self.indptr = np.concatenate([[0], (dense != 0).sum(1).cumsum()]).astype(np.int32)
        self.indices = dense.nonzero()[1].astype(np.int32)
        self.data = dense[dense.nonzero()].astype(np.float32)


class Lists(dict):
    """Lists by node, pickled as `defaultdict(list)`."""


def planetoid(folder, name="citeseer", **replaced):
    """Write a graph like CiteSeer, and return its features and labels.

    Of ten nodes, 8, in the test range, is missing. Nodes 0 and 1 are for training, 2 to 5 for validation;
    test nodes are 9, 6, 7, in this order.
    """
    features = np.random.default_rng(0).integers(0, 2, (10, 4)) * 0.5
    features[8] = 0
    labels = np.array([0, 1, 0, 1, 1, 0, 1, 0, -1, 1])
    test = [9, 6, 7]
    one_hot = np.eye(2, dtype=np.int32)
    edges = {0: [1, 9, 9, 0], 1: [0], 2: [3], 3: [2], 4: [], 5: [6], 6: [5], 7: [], 8: [], 9: [0]}
    kinds = {
        "x": Csr(features[:2]),
        "allx": Csr(features[:6]),
        "tx": Csr(features[test]),
        "y": one_hot[labels[:2]],
        "ally": one_hot[labels[:6]],
        "ty": one_hot[labels[test]],
        "graph": Lists(edges),
    }
    folder.mkdir(parents=True)
    for kind, content in (kinds | replaced).items():
        content = content if isinstance(content, bytes) else old_pickle(content)
        (folder / f"ind.{name}.{kind}").write_bytes(content)
    (folder / f"ind.{name}.test.index").write_text("".join(f"{node}\n" for node in test))
    return features, labels
