"""DeepFlow: the dual-path network of Eulenberg et al. for small images of single cells.

Source: P. Eulenberg, N. Köhler, T. Blasi et al., "Reconstructing cell cycle and disease progression using deep
learning", Nature Communications 8, 463 (2017), Methods and Supplementary Fig. 3. The order of the modules is the
one of the text: three reductions first, so that everything after them works at an eighth of the frame's size.
The widths of the ten normal modules are those of the authors' released code, whose last modules give 336 maps.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

REDUCTIONS = (32, 48, 80)
DUALS = ((32, 32), (32, 48), (112, 48), (96, 64), (80, 80), (48, 96), (176, 160), (176, 160), (176, 160), (176, 160))


class DeepFlow(nn.Module):
    """Thirteen three-layer modules (39), a convolution, a fully connected layer: 42 layers with the softmax.

    Parameters
    ----------
    channels, classes
        Maps in, classes out. Any height and width work: the maps are averaged at the end.

    Attributes
    ----------
    embedding
        Its width.
    spatial
        The module whose maps are averaged to the embedding: what a guide's picture is foretold from.
    """

    embedding = 336
    spatial = "last"

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        modules: list[nn.Module] = []
        maps = channels
        for kernels in REDUCTIONS:
            modules.append(Down(maps, kernels))
            maps += kernels
        for narrow, wide in DUALS:
            modules.append(Dual(maps, narrow, wide))
            maps = narrow + wide
        self.modules_ = nn.Sequential(*modules)
        self.last = Unit(maps, self.embedding, 1)
        self.head = nn.Linear(self.embedding, classes)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits `(n, classes)` and the embedding `(n, 336)` of standardised `(n, C, H, W)` float32 frames."""
        maps: Tensor = self.last(self.modules_(frames))
        embedding = maps.mean(dim=(2, 3))
        return self.head(embedding), embedding


class Unit(nn.Sequential):
    """Convolution, batch norm, ReLU. Odd kernels, padded so that stride 1 keeps the size."""

    def __init__(self, maps: int, kernels: int, size: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(maps, kernels, size, stride, padding=size // 2, bias=False),
            nn.BatchNorm2d(kernels),
            nn.ReLU(inplace=True),
        )


class Dual(nn.Module):
    """Normal dual path: a 1×1 and a 3×3 unit side by side, concatenated."""

    def __init__(self, maps: int, narrow: int, wide: int) -> None:
        super().__init__()
        self.narrow = Unit(maps, narrow, 1)
        self.wide = Unit(maps, wide, 3)

    def forward(self, maps: Tensor) -> Tensor:
        """Map `(n, maps, h, w)` to `(n, narrow + wide, h, w)`."""
        return torch.cat((self.narrow(maps), self.wide(maps)), dim=1)


class Down(nn.Module):
    """Reduction dual path: a 3×3 unit of stride 2 beside a 3×3 max pool of stride 2, concatenated."""

    def __init__(self, maps: int, kernels: int) -> None:
        super().__init__()
        self.unit = Unit(maps, kernels, 3, stride=2)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        """Map `(n, maps, h, w)` to `(n, kernels + maps, ⌈h/2⌉, ⌈w/2⌉)`."""
        return torch.cat((self.unit(maps), self.pool(maps)), dim=1)
