"""The label-free ConvNet of Yao et al., whose last maps are also the features of their Self-Label Clustering.

Source: K. Yao, N. D. Rochman, S. X. Sun, "Cell type classification and unsupervised morphological phenotyping from
low-resolution images using deep learning", Scientific Reports 9, 13467 (2019), Methods and Fig. 5. The article gives
kernels, the input of 224×224 and the end of 32×3×3. Convolutions that keep the size and average pools that halve it,
rounding down, are the plain arrangement that leads from the one to the other: 112, 56, 28, 14, 7, 3.
"""

from __future__ import annotations

from torch import Tensor, nn

KERNELS = 32
FIRST, OTHERS = 11, 5
BLOCKS = 6


class YaoConvNet(nn.Module):
    """Six times convolution → ReLU → batch norm → average pool, then one fully connected layer.

    The embedding is the paper's 'LCA' vector, the last pooled maps flattened: 288 numbers for 224×224. The
    initialisation is PyTorch's; the article names none.

    Parameters
    ----------
    channels, classes, height, width
        Of the frames and the answer. The pools halve a side six times, so that 64×64 pixels are the least; 192 to 255
        leave three per side, as in the paper, which are enough to say where in the frame something is. Smaller frames
        have to be enlarged first.
    blocks
        Fewer than six make a shallower network, not the published one, for frames of at least 2**blocks pixels.
    """

    def __init__(self, channels: int, classes: int, height: int, width: int, blocks: int = BLOCKS) -> None:
        super().__init__()
        if min(height, width) < 2**blocks:
            raise ValueError(f"at least {2**blocks}×{2**blocks} pixels for {blocks} blocks, each of which halves them")
        layers: list[nn.Module] = []
        for block in range(blocks):
            size = OTHERS if block else FIRST
            layers += [
                nn.Conv2d(KERNELS if block else channels, KERNELS, size, padding=size // 2),
                nn.ReLU(inplace=True),
                nn.BatchNorm2d(KERNELS),
                nn.AvgPool2d(2),
            ]
        self.embedding = KERNELS * (height >> blocks) * (width >> blocks)
        self.features = nn.Sequential(*layers, nn.Flatten())
        self.head = nn.Linear(self.embedding, classes)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits `(n, classes)` and the embedding of standardised `(n, C, H, W)` float32 frames."""
        embedding: Tensor = self.features(frames)
        return self.head(embedding), embedding
