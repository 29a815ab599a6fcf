"""Any optimizer that can be meta-trained, one gradient after the other."""

import torch

from l2o_core.models import LearnedOptimizer


def run(model: LearnedOptimizer, gradients: torch.Tensor) -> torch.Tensor:
    """Updates [T, N] for gradients [T, N], with their graph."""
    state, updates = model.init_state(gradients[0]), []
    for g in gradients:
        update, state = model(g, state)
        updates.append(update)
    return torch.stack(updates)
