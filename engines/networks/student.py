"""Students: networks small enough to decide within microseconds.

The shape is the one published for image-activated sorting on an FPGA: two 3×3 convolutions of 16 kernels without
padding, each followed by a 2×2 max pool, and one fully connected layer; 5.7 k parameters on 48×48×1 with two
classes. Batch norm is added for training; the engines fold it into the convolutions.
"""

from __future__ import annotations

from torch import Tensor, nn


class Student(nn.Module):
    """Convolution, pool, convolution, pool, fully connected layer; the embedding is what that layer sees.

    Parameters
    ----------
    channels, classes, height, width
        Of the frames and the answer. A side of 10 pixels is the least that leaves a pixel at the end.
    kernels
        Kernels of the two convolutions.
    """

    def __init__(self, channels: int, classes: int, height: int, width: int, kernels: int = 16) -> None:
        super().__init__()
        rows, columns = _after(height), _after(width)
        if rows < 1 or columns < 1:
            raise ValueError(f"a student needs frames of at least 10×10 pixels, not {height}×{width}")
        self.embedding = kernels * rows * columns
        self.features = nn.Sequential(*_block(channels, kernels), *_block(kernels, kernels), nn.Flatten())
        self.head = nn.Linear(self.embedding, classes)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits `(n, classes)` and the embedding of standardised `(n, C, H, W)` float32 frames."""
        embedding: Tensor = self.features(frames)
        return self.head(embedding), embedding


class WideStudent(nn.Module):
    """A student with a third convolution and an average in place of the flattened maps: a 48-d embedding.

    Costs about three times the published shape's multiply-adds and has fewer weights in its last layer, which
    makes it less sensitive to where the cell lies in the frame.
    """

    embedding = 48

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_block(channels, 16), *_block(16, 32), nn.Conv2d(32, 48, 3, bias=False), nn.BatchNorm2d(48), nn.ReLU()
        )
        self.head = nn.Linear(self.embedding, classes)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits `(n, classes)` and the embedding `(n, 48)` of standardised `(n, C, H, W)` float32 frames."""
        embedding = self.features(frames).mean(dim=(2, 3))
        return self.head(embedding), embedding


def _block(maps: int, kernels: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(maps, kernels, 3, bias=False), nn.BatchNorm2d(kernels), nn.ReLU(), nn.MaxPool2d(2)


def _after(side: int) -> int:
    """Pixels left of `side` after two unpadded 3×3 convolutions with 2×2 pools."""
    return ((side - 2) // 2 - 2) // 2
