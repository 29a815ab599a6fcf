"""A linear head on a frozen encoder, as an optimizee."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, baddbmm

from ... import parts
from ...arguments import find_device, whole
from ...errors import ConfigError
from ...storage import NO_CACHE, Cache, digest
from ..base import Task
from ..cross_entropy import mean_cross_entropy
from . import glue
from .encoders import MINILM, Encoder
from .glue import TextData
from .scoring import official_scores
from .vectors import sentence_vectors

Batch = tuple[Tensor, Tensor]


class LinearHead(Task):
    """Cross-entropy of a linear layer on vectors that were computed once, on minibatches.

    Args:
        vectors: One for each row, `[n, width]`.
        data: The rows, with their labels.
        name: Of the optimizee.
        dataset: What the vectors are, for titles and records.
        batch: Rows in a minibatch, drawn at random.
        part: Of the seeds: "train", "choose", "report", or None.
        init_std: Standard deviation of the initial weights; biases start at 0, as those of BERT's heads do.

    Raises:
        ConfigError: For an unknown part, a batch below 1, or vectors of other rows.
    """

    def __init__(
        self,
        vectors: Tensor,
        data: TextData,
        *,
        name: str,
        dataset: str,
        batch: int = 32,
        part: str | None = None,
        init_std: float = 0.02,
    ):
        parts.check(part)
        if vectors.ndim != 2 or len(vectors) != len(data):
            raise ConfigError(f"{len(data)} rows need as many vectors, not a {tuple(vectors.shape)} tensor")
        self.vectors, self.device = vectors, vectors.device
        self.labels = torch.tensor(data.labels).to(self.device)
        self.batch, self.init_std = whole("batch", batch, 1), init_std
        self.benchmark, self.classes, self.part = data.task, data.classes, part
        self.name, self.dataset = name, dataset
        self.layers = {"weight": vectors.shape[1] * data.classes, "bias": data.classes}

    @property
    def identity(self) -> dict[str, Any]:
        """Vectors, labels, and how they are fed."""
        options = {"batch": self.batch, "init_std": self.init_std}
        return super().identity | options | {"data": digest([self.vectors, self.labels])}

    def init(self, generator: torch.Generator, instances: int = 1) -> Tensor:
        """Starting points `[I, n]`: weights ~ N(0, init_std^2), biases 0."""
        start = self.init_std * torch.randn(instances, self.n, generator=generator)
        start[:, self.layers["weight"] :] = 0
        return start.to(self.device)

    def batches(self, generator: torch.Generator, instances: int = 1) -> Iterator[Batch]:
        """Vectors `[I, B, width]` and labels `[I, B]`, drawn for each instance."""
        while True:
            rows = torch.randint(len(self.labels), (instances, self.batch), generator=generator)
            rows = rows.to(self.device)
            yield self.vectors[rows], self.labels[rows]

    def loss(self, params: Tensor, batch: Batch) -> Tensor:
        """Mean cross-entropy `[I]` of the minibatch."""
        vectors, labels = batch
        return mean_cross_entropy(self.logits(params, vectors), labels)

    def logits(self, params: Tensor, vectors: Tensor) -> Tensor:
        """Class scores `[I, B, classes]` of vectors `[I, B, width]`."""
        weight, bias = params.split(list(self.layers.values()), dim=-1)
        return baddbmm(bias[:, None], vectors, weight.unflatten(-1, (-1, self.classes)))

    def scores(self, params: Tensor) -> list[dict[str, float]]:
        """The official metrics of each instance `params [I, n]`, in percent, over all rows of the part."""
        with torch.no_grad():
            predicted = self.logits(params, self.vectors.expand(len(params), -1, -1)).argmax(-1).cpu()
        labels = self.labels.tolist()
        return [official_scores(self.benchmark, row.tolist(), labels) for row in predicted]


class Head(LinearHead):
    """A linear layer on the [CLS] vectors of a frozen encoder, on minibatches.

    This is what SOL is meta-trained on for GLUE: the encoder never changes, so its vectors are computed once.

    Args:
        benchmark: A task of GLUE, as `load` knows it.
        encoder: Name or folder of the encoder.
        batch: Rows in a minibatch, drawn at random.
        part: Of the rows and of the seeds: "train", "choose" or "report" (the dev split); None: the whole
            training split.
        length: Most tokens of a row.
        init_std: Standard deviation of the initial weights; biases start at 0, as those of BERT's heads do.
        dev_only: Cut the parts from the dev split, where no training split is to be had.
        device: Device of vectors and parameters.
        download: Fetch what is not found from the hub.
        cache: Stores the vectors.

    Raises:
        ConfigError: For an unknown task or part, a device that this machine lacks, or a missing package.
        DataError: Where rows or encoder are missing or damaged.
    """

    def __init__(
        self,
        benchmark: str,
        encoder: str = MINILM,
        *,
        batch: int = 32,
        part: str | None = None,
        length: int = 128,
        init_std: float = 0.02,
        dev_only: bool = False,
        device: str = "cpu",
        download: bool = False,
        cache: Cache = NO_CACHE,
    ):
        parts.check(part)
        where, _ = find_device(device), whole("batch", batch, 1)
        rows, model = glue.load(benchmark, part, dev_only=dev_only, download=download), Encoder(encoder)
        vectors = sentence_vectors(model, rows, length=length, device=device, cache=cache).to(where)
        super().__init__(
            vectors,
            rows,
            name=f"{benchmark}_head",
            dataset=f"{rows.name}, frozen {model.title}",
            batch=batch,
            part=part,
            init_std=init_std,
        )
