"""A guide: a channel that was recorded but is not shown to the network, which learns to foretell it.

A stain such as PI measures what a phase is named after (the DNA content) on a continuous scale and in space; a label
keeps three steps of it. While training, two more heads foretell the guide channel: its measurements from the
embedding, and its picture from the last maps before they are averaged, where the network has such maps. The exported
graph has neither the heads nor the channel, so that it runs on unstained cells. This is learning with privileged
information (Vapnik & Vashist 2009) in its multi-task form (Caruana 1997).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from engines.training._loss import Target
from engines.training._measure import MEASUREMENTS, Background, Measure
from engines.training._pool import Pool
from engines.training._preprocess import fit_scaling
from engines.training._recipe import Recipe

FORETOLD = ("mean", "max", "area", "focus")
# The picture is foretold at four times the resolution of the last maps, half the frame's where those are an eighth:
# a metaphase plate is three or four pixels wide.
_FINER = 4


@dataclass(frozen=True)
class Guide:
    """The guide channel of the training cells.

    Attributes
    ----------
    measurements
        `(n, 4)` float32, see `guide_targets`.
    pictures
        `(n, 1, H, W)`.
    """

    measurements: Tensor
    pictures: Pool

    @classmethod
    def of(cls, frames: NDArray[np.generic], channel: int, where: NDArray[np.int64], clip: float) -> Guide:
        """Return the guide of the cells `where` of raw `(n, C', H, W)` counts, which is their channel `channel`."""
        raw = frames[where][:, [channel]]
        return cls(guide_targets(raw), Pool(frames, (channel,), where, fit_scaling(raw), clip))


class GuideHeads(nn.Module):
    """Foretells the guide from what `network` makes of a batch.

    A network that has maps before its average names the module that gives them in an attribute `spatial`; others are
    asked for the measurements alone.
    """

    def __init__(self, network: nn.Module, recipe: Recipe) -> None:
        super().__init__()
        self.weights = recipe.guide_weight, recipe.guide_image_weight
        self.numbers = nn.Linear(cast("int", network.embedding), len(FORETOLD))
        self.maps: Tensor | None = None
        self.picture: nn.Module | None = None
        spatial = cast("str | None", getattr(network, "spatial", None))
        if spatial is not None:
            self.picture = nn.Conv2d(cast("int", network.embedding), _FINER**2, 1)
            network.get_submodule(spatial).register_forward_hook(self._keep)

    def forward(self, embedding: Tensor, target: Target) -> Tensor:
        """Return the weighted squared errors for an embedding `(b, E)` float32 the network has just returned."""
        if target.measurements is None or target.pictures is None:
            raise ValueError("the target has no guide")
        loss = self.weights[0] * functional.mse_loss(self.numbers(embedding), target.measurements)
        if self.picture is not None and self.maps is not None:
            maps = functional.pixel_shuffle(self.picture(self.maps.float()), _FINER)
            coarse = functional.adaptive_avg_pool2d(target.pictures, (maps.shape[2], maps.shape[3]))
            loss = loss + self.weights[1] * functional.mse_loss(maps, coarse)
        return loss

    def _keep(self, _module: nn.Module, _given: tuple[Tensor, ...], maps: Tensor) -> None:
        self.maps = maps


def guide_targets(frames: NDArray[np.generic]) -> Tensor:
    """Return `(n, 4)` float32 targets from raw `(n, 1, H, W)` counts of the guide channel.

    The logarithms (they span decades) of `FORETOLD`, each brought to mean 0 and standard deviation 1 and held
    within ±3, so that debris and saturated cells do not rule the loss.
    """
    height, width = frames.shape[2:]
    scaling = fit_scaling(frames)
    # Integer counts as they are; floats may be of any unit, and logarithms want numbers above 1.
    unit = 1.0 if frames.dtype.kind == "u" else float(scaling.scales[0]) / 100
    counts = torch.from_numpy(frames.astype(np.float32) / np.float32(unit)).flatten(2)
    background = Background(height, width)(counts)
    measure = Measure(torch.from_numpy(scaling.thresholds / np.float32(unit)), height, width)
    columns = [MEASUREMENTS.index(name) for name in FORETOLD]
    values = measure(counts - background, background)[:, columns].clamp(min=1.0).log()
    standard: Tensor = (values - values.mean(dim=0)) / values.std(dim=0).clamp(min=1e-6)
    return standard.clamp(-3, 3)
