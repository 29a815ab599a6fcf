"""What a network answers to a question."""

from __future__ import annotations

import torch
from torch import nn

from ...arguments import whole
from ...errors import DataError
from .models import LanguageModel


def answer(model: LanguageModel, network: nn.Module, question: str, most: int = 60) -> str:
    """The likeliest token after each other (greedy), until the answer ends.

    Args:
        model: The model, for its tokens and template.
        network: One of its networks, trained or not.
        question: The instruction.
        most: Most tokens of the answer.

    Raises:
        ConfigError: If `most` is below 1.
        DataError: For a question that the model's context has no room for.
    """
    whole("most", most, 1)
    tokens = model.prompt(question)
    if len(tokens) >= model.context:
        raise DataError(f"the question has {len(tokens)} tokens and the model room for {model.context}")
    device, start = next(network.parameters()).device, len(tokens)
    training = network.training
    network.eval()
    with torch.inference_mode():
        for _ in range(min(most, model.context - start)):
            scores = network(torch.tensor([tokens], device=device))[0, -1]
            tokens.append(int(scores.argmax()))
            if tokens[-1] == model.end:
                break
    network.train(training)
    return model.text(tokens[start:]).strip()
