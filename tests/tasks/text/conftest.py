"""A benchmark of a few sentences, and an encoder of a few weights, in folders of their own."""

import json

import pytest
import torch

WORDS = ("good", "fine", "nice", "bad", "poor", "dull", "film", "plot", "cast", "the", "a", "is", "was", ".")


def sentences(count: int, seed: int) -> list[tuple[str, int]]:
    """Different sentences; those with one of the first three words have label 1."""
    generator, found = torch.Generator().manual_seed(seed), {}
    while len(found) < count:
        label = len(found) % 2
        praise = WORDS[int(torch.randint(3, (), generator=generator)) + 3 * (1 - label)]
        rest = [WORDS[i] for i in torch.randint(6, 14, (3 + len(found) % 5,), generator=generator).tolist()]
        found[" ".join([*rest, praise])] = label
    return list(found.items())


@pytest.fixture
def glue_root(tmp_path, monkeypatch):
    """A data root with an SST-2 of 40 + 12 rows; tests add files of their own."""
    folder = tmp_path / "data" / "GLUE" / "SST-2"
    folder.mkdir(parents=True)
    for split, count, seed in (("train", 40, 0), ("dev", 12, 1)):
        lines = ["sentence\tlabel", *(f"{text}\t{label}" for text, label in sentences(count, seed))]
        (folder / f"{split}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    monkeypatch.setenv("L2O_DATA_ROOT", str(tmp_path / "data"))
    return folder.parent


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory):
    """The folder of a BERT with one layer of width 16, random, and its tokenizer."""
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    from l2o_core.tasks.hub import quiet

    folder = tmp_path_factory.mktemp("tiny-bert")
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(tokens), encoding="utf-8")
    tokenizers.BertWordPieceTokenizer(str(folder / "vocab.txt")).save(str(folder / "tokenizer.json"))
    named = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
    about = {"tokenizer_class": "BertTokenizer", "model_max_length": 64} | named
    (folder / "tokenizer_config.json").write_text(json.dumps(about), encoding="utf-8")
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    with quiet(), torch.random.fork_rng():
        torch.manual_seed(0)
        config = transformers.BertConfig(
            vocab_size=len(tokens), max_position_embeddings=64, initializer_range=0.2, **size
        )
        transformers.BertModel(config).save_pretrained(folder)
    return folder
