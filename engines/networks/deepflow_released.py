"""DeepFlow in the order of the authors' released code, which is not the order of the paper's text.

Source: the code that P. Eulenberg, N. Köhler, T. Blasi et al., "Reconstructing cell cycle and disease progression
using deep learning", Nature Communications 8, 463 (2017) released with the article. The text puts all three
reductions first; the code starts with a convolution of 96 kernels at the frame's full size and spreads the
reductions, which costs seven times the multiply-adds. The published figures came from one of the two; the article
does not say which, so both are here.
"""

from __future__ import annotations

from torch import Tensor, nn

from engines.networks.deepflow import Down, Dual, Unit

FIRST = 96
# A pair is a normal module (1×1 kernels, 3×3 kernels), a number a reduction (3×3 kernels).
MODULES: tuple[int | tuple[int, int], ...] = (
    (32, 32),
    (32, 48),
    80,
    (112, 48),
    (96, 64),
    (80, 80),
    (48, 96),
    96,
    (176, 160),
    (176, 160),
    96,
    (176, 160),
    (176, 160),
)


class DeepFlowReleased(nn.Module):
    """A convolution, thirteen dual-path modules (three of them reductions), the average, a fully connected layer.

    Initialised as the code does: weights normal with variance 2.34 over the fan-in (MXNet's Xavier, nearly He's 2),
    biases zero. The convolutions have no biases: batch norm follows each and takes any off again.

    Parameters
    ----------
    channels, classes
        Maps in, classes out. Any height and width work: the maps are averaged at the end.

    Attributes
    ----------
    embedding
        Its width.
    spatial
        The module whose maps are averaged to the embedding.
    """

    embedding = 336
    spatial = "modules_"

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.first = Unit(channels, FIRST, 3)
        modules: list[nn.Module] = []
        maps = FIRST
        for kernels in MODULES:
            if isinstance(kernels, int):
                modules.append(Down(maps, kernels))
                maps += kernels
            else:
                modules.append(Dual(maps, *kernels))
                maps = sum(kernels)
        self.modules_ = nn.Sequential(*modules)
        self.head = nn.Linear(self.embedding, classes)
        self.apply(_initialise)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits `(n, classes)` and the embedding `(n, 336)` of standardised `(n, C, H, W)` float32 frames."""
        embedding: Tensor = self.modules_(self.first(frames)).mean(dim=(2, 3))
        return self.head(embedding), embedding


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.normal_(module.weight, std=(2.34 / module.weight[0].numel()) ** 0.5)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
