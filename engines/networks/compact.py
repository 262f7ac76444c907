"""Compact and compact-fine: ours, for a few thousand cells, of which they make more than DeepFlow does.

Convolutions that keep the size with max pools between them: most of the work is done at a half and a
quarter of the frame's size, where DeepFlow works at an eighth. The plain order is VGG's (Simonyan & Zisserman 2015).
"""

from __future__ import annotations

from torch import Tensor, nn

from engines.networks.deepflow import Unit

_LEAST, _LEAST_FINE = 7, 8


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


class CompactFine(nn.Module):
    """Six 3×3 units (16, 64, 64, 96, 96, 128 kernels), a max pool after the first, third and fifth, an average.

    The first unit sees every pixel where `Compact` strides; then two units each at a half and a quarter of the frame's
    size. Three times `Compact`'s cost, half of DeepFlow's.

    Parameters
    ----------
    channels, classes, height, width
        Of the frames and the answer. A side of 8 pixels is the least that the pools leave a pixel of.
    """

    embedding = 128
    spatial = "features"

    def __init__(self, channels: int, classes: int, height: int, width: int) -> None:
        super().__init__()
        if min(height, width) < _LEAST_FINE:
            least = f"{_LEAST_FINE}×{_LEAST_FINE}"
            raise ValueError(f"at least {least} pixels for compact-fine: three pools must leave one")
        self.features = nn.Sequential(
            Unit(channels, 16, 3),
            nn.MaxPool2d(2),
            Unit(16, 64, 3),
            Unit(64, 64, 3),
            nn.MaxPool2d(2),
            Unit(64, 96, 3),
            Unit(96, 96, 3),
            nn.MaxPool2d(2),
            Unit(96, 128, 3),
        )
        self.head = nn.Linear(self.embedding, classes)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits `(n, classes)` and the embedding `(n, 128)` of standardised `(n, C, H, W)` float32 frames."""
        embedding = self.features(frames).mean(dim=(2, 3))
        return self.head(embedding), embedding
