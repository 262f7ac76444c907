"""The optimiser and its one cycle, and the running mean of the weights."""

from __future__ import annotations

import torch
from torch import nn

from engines.training._recipe import Recipe


def optimiser(
    trained: list[nn.Module], recipe: Recipe, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    """Return the optimiser of these modules and its one cycle of `epochs * steps` steps."""
    parameters = [p for module in trained for p in module.parameters()]
    # Decay acts on matrices and kernels only: on scales and shifts of batch norm it does nothing useful.
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    chosen: torch.optim.Optimizer
    if recipe.optimiser == "sgd":
        chosen = torch.optim.SGD(groups, recipe.learning_rate, recipe.momentum, nesterov=True)
    else:
        chosen = torch.optim.AdamW(groups, recipe.learning_rate)
    total = max(2, recipe.epochs * steps)
    # PyTorch divides by warmup · total − 1.
    warmup = recipe.warmup if abs(recipe.warmup * total - 1) > 1e-6 else recipe.warmup * 0.99
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        chosen,
        recipe.learning_rate,
        total_steps=total,
        pct_start=warmup,
        cycle_momentum=False,
    )
    return chosen, schedule


@torch.no_grad()
def follow(mean: nn.Module, network: nn.Module, decay: float) -> None:
    """Move the running mean of the weights, and of batch norm's statistics, towards the network's."""
    for slow, fast in zip(mean.state_dict().values(), network.state_dict().values(), strict=True):
        if slow.dtype.is_floating_point:
            slow.lerp_(fast, 1 - decay)
        else:
            slow.copy_(fast)
