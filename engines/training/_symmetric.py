"""A network asked about a cell in several poses: the mean of the answers, at as many times the cost."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Symmetric(nn.Module):
    """The mean of a network's logits and embeddings over symmetries of the square.

    A cell in flow has no up and no side, and yet a network answers a little differently when it is turned; the mean
    over poses is a better answer (test-time augmentation).

    Parameters
    ----------
    network
        Maps `(n, C, H, W)` to (logits, embedding).
    symmetries
        1: as it is; 2: and upside down; 4: and mirrored; 8: and transposed, where frames are square (4 where not).
    """

    def __init__(self, network: nn.Module, symmetries: int) -> None:
        super().__init__()
        self.network, self.symmetries = network, symmetries

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean logits and embedding."""
        poses = _poses(frames, self.symmetries)
        if len(poses) == 1:
            logits, embedding = self.network(frames)
            return logits, embedding
        # One batch of all poses: an engine works better on few large batches than on many small ones.
        logits, embedding = self.network(torch.cat(poses, dim=0))
        return _mean(logits, len(poses)), _mean(embedding, len(poses))


def _poses(frames: Tensor, symmetries: int) -> list[Tensor]:
    poses = [frames]
    if symmetries >= 2:
        poses += [pose.flip(2) for pose in poses]
    if symmetries >= 4:
        poses += [pose.flip(3) for pose in poses]
    if symmetries >= 8 and frames.shape[2] == frames.shape[3]:
        poses += [pose.transpose(2, 3) for pose in poses]
    return poses


def _mean(values: Tensor, poses: int) -> Tensor:
    return values.reshape(poses, -1, values.shape[1]).mean(dim=0)
