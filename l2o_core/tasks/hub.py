"""Pretrained models in folders or on the hub: what is missing or damaged there, in one sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from .. import torchvision_ops
from ..errors import ConfigError, DataError, L2OError

T = TypeVar("T")
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin")
_VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "tokenizer.model")
_SPARE = 256  # rows of an embedding that may have no token: widths are rounded up


def check_files(folder: Path) -> None:
    """DataError unless there are a configuration, weights and a vocabulary."""
    needed = {
        "configuration": ("config.json",),
        "weights": _WEIGHTS,
        "vocabulary": _VOCABULARIES,
    }
    for what, names in needed.items():
        if not any((folder / name).exists() for name in names):
            raise DataError(f"{folder} has no {what} ({' or '.join(names)}); copy the whole model there")


def check_vocabulary(source: str, vocabulary: Mapping[str, int], rows: int, spare: int = _SPARE) -> None:
    """ConfigError unless the vocabulary may be that of a model with an embedding of so many rows."""
    tokens = 1 + max(vocabulary.values(), default=-1)
    if not rows - spare < tokens <= rows:
        raise ConfigError(
            f"the tokenizer of {source} has {tokens} tokens and its model {rows}: it is that of "
            "another model; give the model's own tokenizer"
        )


def check_weights(source: str, report: Mapping[str, Any], fresh: tuple[str, ...] = ()) -> None:
    """DataError if tensors are missing or of another shape, but for those whose names start with `fresh`."""
    missing = sorted(key for key in report["missing_keys"] if not key.startswith(fresh))
    wrong = missing + sorted(str(key) for key in report.get("mismatched_keys", ()))
    if wrong:
        raise DataError(
            f"the weights in {source} are those of another model: {len(wrong)} tensors are missing "
            f"or of another shape, such as {wrong[0]}; fetch them again"
        )


def reading(what: str, source: str, load: Callable[[], T]) -> T:
    """The value of `load`, or one sentence about what cannot be loaded."""
    try:
        return load()
    except L2OError:
        raise
    except Exception as error:  # of the network, the hub, a file's headers, shapes: anything
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        remedy = (
            "copy the model there again"
            if Path(source).is_dir()
            else "connect to the network, or give the folder of a copy"
        )
        raise DataError(f"cannot load {what} of {source} ({reason}); {remedy}") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Without advice on a head that is new on purpose; and torchvision, which is imported, can load."""
    from transformers.utils import logging

    torchvision_ops.prepare()
    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()
