"""The steps of AdamW: which weights decay, and how wide a step is."""

from typing import Any

import torch

from models.bert.training.settings import TrainSettings


def factor(step: int, steps: int, warmup: float) -> float:
    """Of the step width: linearly from 0 to 1 in the first `warmup` of the steps, then linearly to 0."""
    rising = warmup * steps
    if step < rising:
        return (step + 1) / (rising + 1)
    return max(0.0, (steps - step) / max(1.0, steps - rising))


def adamw(model: Any, settings: TrainSettings) -> torch.optim.AdamW:
    """Decay for matrices alone: of biases and norms it only takes away scale."""
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    groups = [
        {"params": [weight for weight in trained if weight.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [weight for weight in trained if weight.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.rate)
