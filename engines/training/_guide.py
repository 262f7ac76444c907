"""A guide: a channel that was recorded but is not shown to the network, which learns to foretell it.

A stain such as PI measures what a phase is named after (the DNA content) on a continuous scale; a label keeps three
steps of it. While training, a second head regresses measurements of the guide channel from the embedding; the
exported graph has neither the head nor the channel, so that it runs on unstained cells. This is learning with
privileged information (Vapnik & Vashist 2009) in its multi-task form (Caruana 1997).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.training._measure import MEASUREMENTS, Background, Measure
from engines.training._preprocess import fit_scaling

FORETOLD = ("mean", "max", "area", "focus")


def guide_targets(frames: NDArray[np.generic]) -> Tensor:
    """Return `(n, 4)` float32 targets from the training cells' raw `(n, 1, H, W)` counts of the guide channel.

    The logarithms (they span decades) of `FORETOLD`, each brought to mean 0 and standard deviation 1 and held
    within ±3, so that debris and saturated cells do not rule the loss.
    """
    height, width = frames.shape[2:]
    counts = torch.from_numpy(frames.astype(np.float32)).flatten(2)
    background = Background(height, width)(counts)
    measure = Measure(torch.from_numpy(fit_scaling(frames).thresholds), height, width)
    columns = [MEASUREMENTS.index(name) for name in FORETOLD]
    values = measure(counts - background, background)[:, columns].clamp(min=1.0).log()
    standard: Tensor = (values - values.mean(dim=0)) / values.std(dim=0).clamp(min=1e-6)
    return standard.clamp(-3, 3)
