"""In which order cells are trained on, and how often."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from engines.training._recipe import Recipe


def order_of(labels: Tensor, recipe: Recipe, steps: int, random: np.random.Generator) -> list[Tensor]:
    """Return the places of the cells of one epoch, one tensor per step.

    Each cell comes once, in a new order, or, where `sampling_power` is set, is drawn with replacement by its class's
    size. What is left over of a batch waits for another epoch.
    """
    n = len(labels)
    if recipe.sampling_power > 0:
        each = class_shares(labels, recipe.sampling_power, int(labels.max()) + 1)[labels].numpy().astype(np.float64)
        order = random.choice(n, size=n, p=each / each.sum())
    else:
        order = random.permutation(n)
    return list(torch.split(torch.from_numpy(order[: steps * recipe.batch]), recipe.batch))


def class_shares(labels: Tensor, power: float, classes: int) -> Tensor:
    """Return `(K,)` float32 weights `n_k ** -power` of a cell of each class, 1 on average over the cells."""
    counts = torch.bincount(labels, minlength=classes).float()
    weights = counts.clamp(min=1).pow(-power)
    return weights * (counts.sum() / (weights * counts).sum())


def epoch_seed(seed: int, epoch: int) -> int:
    """Return a seed of 63 bits for one epoch of one run."""
    return int(np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)[0] >> np.uint64(1))
