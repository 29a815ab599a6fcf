"""Instructions in a folder of their own, and a Llama of a few weights with a tokenizer of a few words."""

import json

import pytest
import torch

NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight")


def rows(count):
    """Instructions that are answered by their last word, twice."""
    return [
        {
            "instruction": f"Say {NUMBERS[i % 8]} for {NUMBERS[i // 8 % 8]}",
            "output": f"{NUMBERS[i // 8 % 8]} " * 2,
        }
        for i in range(count)
    ]


@pytest.fixture
def instruct(tmp_path, monkeypatch):
    """The folder INSTRUCT of a data root, with 64 rows in both forms; tests add files of their own."""
    folder = tmp_path / "data" / "INSTRUCT"
    folder.mkdir(parents=True)
    lines = [json.dumps(row) for row in rows(64)]
    (folder / "alpaca_libre.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "list.json").write_text(json.dumps(rows(64)), encoding="utf-8")
    monkeypatch.setenv("L2O_DATA_ROOT", str(tmp_path / "data"))
    return folder


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory):
    """The folder of a Llama with one layer of width 16, random, and its tokenizer, without a template."""
    transformers = pytest.importorskip("transformers")
    tokenizers = pytest.importorskip("tokenizers")
    from l2o_core.tasks.hub import quiet

    folder = tmp_path_factory.mktemp("tiny-llama")
    words = ["<s>", "</s>", "<unk>", "###", "Instruction", "Response", ":", "Say", "for", *NUMBERS]
    model = tokenizers.models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>")
    plain = tokenizers.Tokenizer(model)
    plain.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    plain.save(str(folder / "tokenizer.json"))
    about = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(about), encoding="utf-8")
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    with quiet(), torch.random.fork_rng():
        torch.manual_seed(0)
        config = transformers.LlamaConfig(
            vocab_size=len(words), max_position_embeddings=64, bos_token_id=0, eos_token_id=1, **size
        )
        transformers.LlamaForCausalLM(config).save_pretrained(folder)
    return folder
