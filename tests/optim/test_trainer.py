"""In Hugging Face's Trainer, where it is installed: checkpoints resume exactly, steps can be compiled."""

import pytest
import torch

from l2o_core.optim import SymbolicOptimizer
from l2o_core.torchvision_ops import torchvision

pytest.importorskip("accelerate")
torchvision("transforms")  # with the operators that a CPU build lacks
transformers = pytest.importorskip("transformers")

pytestmark = pytest.mark.filterwarnings("default")  # its warnings are its own


class Sentences(torch.utils.data.Dataset):
    """Is the first word of the sentence one of the later ones in the dictionary?"""

    def __len__(self) -> int:
        return 128

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        words = torch.randint(2, 50, (12,), generator=torch.Generator().manual_seed(index))
        return {
            "input_ids": words,
            "attention_mask": torch.ones_like(words),
            "labels": (words[0] > 25).long(),
        }


def trained(folder, epochs: int, resume: str | None = None) -> torch.Tensor:
    """The weights of a small BERT at the end."""
    torch.manual_seed(0)
    size = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    model = transformers.BertForSequenceClassification(transformers.BertConfig(vocab_size=50, **size))
    optimizer = SymbolicOptimizer(model.parameters(), "-m_hat - 0.3 * tanh(g_hat[2])", weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.99**step)
    options = {"num_train_epochs": epochs, "save_strategy": "epoch", "per_device_train_batch_size": 32}
    options |= {"report_to": [], "use_cpu": True, "disable_tqdm": True, "seed": 0}
    trainer = transformers.Trainer(
        model,
        transformers.TrainingArguments(str(folder), **options),
        train_dataset=Sentences(),
        optimizers=(optimizer, schedule),
    )
    trainer.train(resume_from_checkpoint=resume)
    return torch.nn.utils.parameters_to_vector(model.parameters()).detach()


def test_a_checkpoint_resumes_exactly(tmp_path):
    whole = trained(tmp_path / "whole", 3)
    trained(tmp_path / "part", 2)
    (latest,) = (tmp_path / "part").glob("checkpoint-8")
    assert torch.equal(trained(tmp_path / "part", 3, resume=str(latest)), whole)
