"""Cells to train on, kept as raw counts wherever they lie and standardised batch by batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engines.training._preprocess import Scaling, standardise


@dataclass(frozen=True)
class Pool:
    """Cells `where` and channels `channels` of raw counts `(n, C', H, W)`, in memory or mapped from disk.

    Nothing is copied until a batch is asked for, so cells that do not fit into memory can be trained on.
    """

    frames: NDArray[np.generic]
    channels: tuple[int, ...]
    where: NDArray[np.int64]
    scaling: Scaling
    clip: float

    def __len__(self) -> int:
        return len(self.where)

    def take(self, chosen: Tensor, device: torch.device | None = None) -> Tensor:
        """Return the cells at these places of `where` as standardised float32 `(b, C, H, W)`."""
        # In ascending order, as a disk likes it, then back into the order asked for.
        places = self.where[chosen.cpu().numpy()]
        ascending = np.argsort(places, kind="stable")
        back = np.argsort(ascending, kind="stable")
        counts = self.frames[places[ascending]][:, list(self.channels)]
        batch = standardise(counts, self.scaling, self.clip)
        return batch[torch.from_numpy(back)].to(device)

    def parts(self, batch: int) -> list[Tensor]:
        """Return places 0 … n−1 in order, `batch` at a time."""
        return list(torch.split(torch.arange(len(self)), batch))
