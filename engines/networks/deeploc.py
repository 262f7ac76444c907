"""DeepLoc: Kraus et al.'s network for the localisation of proteins in single yeast cells.

Source: O. Z. Kraus, B. T. Grys, J. Ba et al., "Automated analysis of high-content microscopy data with deep
learning", Molecular Systems Biology 13, 924 (2017), and the code released with it.
"""

from __future__ import annotations

from math import ceil

from torch import Tensor, nn

from engines.networks.deepflow import Unit

STAGES = ((64, 64), (128, 128), (256, 256, 256, 256))
FULLY_CONNECTED = (512, 512)


class DeepLoc(nn.Module):
    """Eight 3×3 convolutions in three stages, each ended by a 2×2 max pool, and three fully connected layers.

    Batch norm and ReLU follow every layer but the last. The released code also batch-norms the logits; here they
    are those of a plain linear layer, so that a calibration can be folded into it. The initialisation is PyTorch's:
    with batch norm behind every layer the scale of the weights does not reach the next one.

    Parameters
    ----------
    channels, classes, height, width
        Of the frames and the answer; the paper's are 2, 19, 60, 60. A side that is odd before a pool is rounded up.
        The first fully connected layer has 512 weights per pixel that is left, so large frames make a large network.
    dropout
        Share of the embedding dropped while training, before the last layer: 0 as published for training, 0.5 when a
        trained network is fine-tuned on another data set. `network.dropout.p` sets it later.
    """

    embedding = FULLY_CONNECTED[-1]

    def __init__(self, channels: int, classes: int, height: int, width: int, dropout: float = 0.0) -> None:
        super().__init__()
        shrink = 2 ** len(STAGES)
        if min(height, width) < shrink:
            raise ValueError(f"at least {shrink}×{shrink} pixels for deeploc: its pools divide both sides by {shrink}")
        layers: list[nn.Module] = []
        maps = channels
        for stage in STAGES:
            for kernels in stage:
                layers.append(Unit(maps, kernels, 3))
                maps = kernels
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
        layers.append(nn.Flatten())
        width_in = maps * ceil(height / shrink) * ceil(width / shrink)
        for features in FULLY_CONNECTED:
            layers += [nn.Linear(width_in, features), nn.BatchNorm1d(features), nn.ReLU(inplace=True)]
            width_in = features
        self.features = nn.Sequential(*layers)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.embedding, classes)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits `(n, classes)` and the embedding `(n, 512)` of standardised `(n, C, H, W)` float32 frames.

        The embedding is whole: what dropout takes, it takes on the way to the logits.
        """
        embedding: Tensor = self.features(frames)
        return self.head(self.dropout(embedding)), embedding
