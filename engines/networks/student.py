"""Students: networks small enough to decide within microseconds.

The shape of `Student` is the one published for image-activated sorting on an FPGA: two 3×3 convolutions of 16 kernels
without padding, each followed by a 2×2 max pool, and one fully connected layer; 5.7 k parameters on 48×48×1 with two
classes. Batch norm is added for training; the engines fold it into the convolutions.

The others are shapes for processors, which take longer over many small layers than over a few dense ones of as many
multiply-adds: plain convolutions that halve the frame as they go, then the average of the last maps. That average
makes them care less about where the cell lies in the frame; `spatial` names the module whose maps are averaged. All
are initialised as PyTorch does.
"""

from __future__ import annotations

from torch import Tensor, nn

from engines.networks.deepflow import Unit


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
            raise ValueError("at least 10×10 pixels for student: two convolutions and pools must leave one")
        self.embedding = kernels * rows * columns
        self.features = nn.Sequential(*_block(channels, kernels), *_block(kernels, kernels), nn.Flatten())
        self.head = nn.Linear(self.embedding, classes)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits `(n, classes)` and the embedding of standardised `(n, C, H, W)` float32 frames."""
        embedding: Tensor = self.features(frames)
        return self.head(embedding), embedding


class WideStudent(nn.Module):
    """A student with a third convolution and an average in place of the flattened maps: a 48-d embedding.

    Costs about three times the published shape's multiply-adds and has fewer weights in its last layer.

    Parameters
    ----------
    channels, classes, height, width
        Of the frames and the answer. A side of 18 pixels is the least that leaves a pixel at the end.
    """

    embedding = 48
    spatial = "features"

    def __init__(self, channels: int, classes: int, height: int, width: int) -> None:
        super().__init__()
        if min(_after(height), _after(width)) < 3:
            raise ValueError("at least 18×18 pixels for student-wide: its convolutions and pools must leave one")
        self.features = nn.Sequential(
            *_block(channels, 16), *_block(16, 32), nn.Conv2d(32, 48, 3, bias=False), nn.BatchNorm2d(48), nn.ReLU()
        )
        self.head = nn.Linear(self.embedding, classes)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits `(n, classes)` and the embedding `(n, 48)` of standardised `(n, C, H, W)` float32 frames."""
        embedding = self.features(frames).mean(dim=(2, 3))
        return self.head(embedding), embedding


class MicroStudent(nn.Module):
    """The cheapest: a 3×3 convolution of stride 2, two that keep the size, max pools between them, an average.

    Parameters
    ----------
    channels, classes, height, width
        Of the frames and the answer. A side of 7 pixels is the least that the pools leave a pixel of.
    """

    embedding = 48
    spatial = "features"

    def __init__(self, channels: int, classes: int, height: int, width: int) -> None:
        super().__init__()
        _check("student-micro", height, width)
        self.features = nn.Sequential(
            Unit(channels, 16, 3, 2), nn.MaxPool2d(2), Unit(16, 32, 3), nn.MaxPool2d(2), Unit(32, 48, 3)
        )
        self.head = nn.Linear(self.embedding, classes)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits `(n, classes)` and the embedding `(n, 48)` of standardised `(n, C, H, W)` float32 frames."""
        embedding = self.features(frames).mean(dim=(2, 3))
        return self.head(embedding), embedding


class DeepStudent(nn.Module):
    """The most accurate of those tried within a twentieth of DeepFlow's multiply-adds.

    `MicroStudent` with wider layers and one more: a 3×3 convolution of stride 2 and three that keep the size, with max
    pools after the first two, and an average.

    Parameters
    ----------
    channels, classes, height, width
        Of the frames and the answer. A side of 7 pixels is the least that the pools leave a pixel of.
    """

    embedding = 64
    spatial = "features"

    def __init__(self, channels: int, classes: int, height: int, width: int) -> None:
        super().__init__()
        _check("student-deep", height, width)
        self.features = nn.Sequential(
            Unit(channels, 24, 3, 2),
            nn.MaxPool2d(2),
            Unit(24, 48, 3),
            nn.MaxPool2d(2),
            Unit(48, 64, 3),
            Unit(64, 64, 3),
        )
        self.head = nn.Linear(self.embedding, classes)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits `(n, classes)` and the embedding `(n, 64)` of standardised `(n, C, H, W)` float32 frames."""
        embedding = self.features(frames).mean(dim=(2, 3))
        return self.head(embedding), embedding


def _check(name: str, height: int, width: int) -> None:
    """Refuse frames of which a convolution of stride 2 and two pools leave nothing."""
    if min(height, width) < 7:
        raise ValueError(f"at least 7×7 pixels for {name}: a stride and two pools must leave one")


def _block(maps: int, kernels: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(maps, kernels, 3, bias=False), nn.BatchNorm2d(kernels), nn.ReLU(), nn.MaxPool2d(2)


def _after(side: int) -> int:
    """Pixels left of `side` after two unpadded 3×3 convolutions with 2×2 pools."""
    return ((side - 2) // 2 - 2) // 2
