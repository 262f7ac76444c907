"""What a batch is measured against: its labels, a teacher's opinion, a guide."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from engines.training._draw import class_shares
from engines.training._recipe import Recipe


@dataclass(frozen=True)
class Target:
    """What is true of each cell of a batch.

    Attributes
    ----------
    labels
        `(b, K)` float32: 1 at the cell's class.
    teacher
        `(b, K)` a teacher's probabilities, None without one.
    measurements, pictures
        `(b, G)` the guide's measurements and `(b, 1, H, W)` its frames, None without one.
    """

    labels: Tensor
    teacher: Tensor | None = None
    measurements: Tensor | None = None
    pictures: Tensor | None = None

    def blend(self, partner: Tensor, share: float) -> Target:
        """Return the targets of cells blended with their partners, `share` of themselves (mixup)."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        mixed = {name: value.lerp(value[partner], 1 - share) for name, value in own.items() if value is not None}
        return replace(self, **mixed)


class Loss(nn.Module):
    """Cross-entropy of weighted classes with smoothed labels; with a teacher, most of it is the distance to that.

    Parameters
    ----------
    labels
        `(n,)` classes of the training cells, whose numbers make the weights.
    classes
        K.
    recipe
        `class_power`, `sampling_power`, `label_smoothing`, `distil_weight` and `distil_temperature` are used.
    taught
        There is a teacher.
    """

    weights: Tensor
    effective: Tensor

    def __init__(self, labels: Tensor, classes: int, recipe: Recipe, *, taught: bool) -> None:
        super().__init__()
        self.recipe, self.taught = recipe, taught
        self.register_buffer("weights", class_shares(labels, recipe.class_power, classes))
        # Following a teacher does not shift the logits however a cell is weighted: its answer depends on the cell
        # alone. The small share of the loss that is the label's is left out of this account; the temperature sees it.
        power = 0.0 if taught else recipe.class_power + recipe.sampling_power
        self.register_buffer("effective", class_shares(labels, power, classes))

    def forward(self, logits: Tensor, target: Target) -> Tensor:
        """Return the loss of `(b, K)` float32 logits."""
        classes = logits.shape[1]
        smoothed = target.labels * (1 - self.recipe.label_smoothing) + self.recipe.label_smoothing / classes
        surprise = -(smoothed * logits.log_softmax(dim=1)).sum(dim=1)
        if target.teacher is not None:
            share = self.recipe.distil_weight
            surprise = (1 - share) * surprise + share * self._distance(logits, target.teacher)
        weights = target.labels @ self.weights
        loss: Tensor = (weights * surprise).sum() / weights.sum()
        return loss

    def _distance(self, logits: Tensor, teacher: Tensor) -> Tensor:
        """Return KL(teacher || student) at the temperature, times its square (Hinton et al. 2015)."""
        temperature = self.recipe.distil_temperature
        softer = (teacher.clamp(min=1e-7).log() / temperature).softmax(dim=1)
        own = (logits / temperature).log_softmax(dim=1)
        distance = functional.kl_div(own, softer, reduction="none").sum(dim=1)
        return distance * temperature**2


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """Return `(b, K)` float32 from `(b,)` int64."""
    return functional.one_hot(labels, classes).to(torch.float32)
