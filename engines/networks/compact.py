"""Compact: ours, for a few thousand cells: a fifth of DeepFlow's cost, and a better answer where cells are few.

A stride, then convolutions that keep the size with max pools between them: most of the work is done at a half and a
quarter of the frame's size, where DeepFlow works at an eighth. The plain order is VGG's (Simonyan & Zisserman 2015).
"""

from __future__ import annotations

from torch import Tensor, nn

from engines.networks.deepflow import Unit

_LEAST = 7


class Compact(nn.Module):
    """Five 3×3 units (24, 48, 64, 64, 96 kernels), the first of stride 2, two max pools, an average.

    Parameters
    ----------
    channels, classes, height, width
        Of the frames and the answer. A side of 7 pixels is the least that the pools leave a pixel of.
    """

    embedding = 96
    spatial = "features"

    def __init__(self, channels: int, classes: int, height: int, width: int) -> None:
        super().__init__()
        if min(height, width) < _LEAST:
            raise ValueError(f"at least {_LEAST}×{_LEAST} pixels for compact: a stride and two pools must leave one")
        self.features = nn.Sequential(
            Unit(channels, 24, 3, 2),
            Unit(24, 48, 3),
            nn.MaxPool2d(2),
            Unit(48, 64, 3),
            Unit(64, 64, 3),
            nn.MaxPool2d(2),
            Unit(64, 96, 3),
        )
        self.head = nn.Linear(self.embedding, classes)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits `(n, classes)` and the embedding `(n, 96)` of standardised `(n, C, H, W)` float32 frames."""
        embedding = self.features(frames).mean(dim=(2, 3))
        return self.head(embedding), embedding
