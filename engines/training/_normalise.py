"""Normalise each cell by its own distribution of values, as Kraus et al. and Yao et al. do; part of the graph.

Both answers do not change when a channel is multiplied or shifted, so they work on standardised frames as they
would on raw counts.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from engines.training._pool import Pool
from engines.training._recipe import Normalise

_LOW, _HIGH = 0.001, 0.999
# The range of a frame without any contrast.
_FLAT = 1e-6
# Cells the reference distribution is learned from.
_LEARNED_FROM = 2048


def normaliser(kind: Normalise, cells: Pool) -> nn.Module:
    """Return the module `(n, C, H, W)` → `(n, C, H, W)` float32; `cells` are training cells to learn from."""
    if kind == "percentile":
        return Percentile(*cells.frames.shape[2:])
    if kind == "quantile":
        return Quantile(cells.take(torch.linspace(0, len(cells) - 1, min(len(cells), _LEARNED_FROM)).long()))
    return nn.Identity()


class Percentile(nn.Module):
    """Per cell and channel: clip at the 99.9 percentile, subtract the 0.1 percentile, divide by the range.

    Source: Kraus et al., Molecular Systems Biology 13:924 (2017). A percentile between two pixels is interpolated
    as NumPy does.
    """

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.pixels = height * width
        place = (self.pixels - 1) * _LOW  # distance from either end, the two being mirror images
        self.near, self.share = int(place), place - int(place)

    def forward(self, frames: Tensor) -> Tensor:
        """Return values in 0 … 1, 0 where a frame is flat."""
        flat = frames.flatten(2)
        low, high = -self._end(-flat), self._end(flat)
        scaled = (torch.minimum(flat, high) - low) / (high - low).clamp(min=_FLAT)
        return scaled.clamp(min=0).reshape(frames.shape)

    def _end(self, flat: Tensor) -> Tensor:
        """Return the value at the upper end, `(n, C, 1)`."""
        top = flat.topk(min(self.near + 2, self.pixels), dim=2).values
        near, next_ = top[..., self.near : self.near + 1], top[..., -1:]
        return near + (next_ - near) * self.share


class Quantile(nn.Module):
    """Quantile normalisation: a pixel gets the reference's value of the same rank.

    Yao et al. (2019) take one arbitrary cell as the reference; here it is the mean
    over the training cells of their sorted values (Bolstad et al. 2003), which depends on no single cell.
    """

    reference: Tensor

    def __init__(self, frames: Tensor) -> None:
        super().__init__()
        self.register_buffer("reference", frames.flatten(2).sort(dim=2, descending=True).values.mean(dim=0))

    def forward(self, frames: Tensor) -> Tensor:
        """Return the reference's values in the order of the frame's own."""
        flat = frames.flatten(2)
        values, order = flat.topk(flat.shape[2], dim=2)
        # Equal pixels get the mean of the values of their ranks: which of them comes first is each engine's own affair.
        step = (values[..., 1:] != values[..., :-1]).to(values.dtype)
        run = torch.cat((torch.zeros_like(values[..., :1]), step), dim=2).cumsum(dim=2).long()
        none = torch.zeros_like(values)
        sums = none.scatter_add(2, run, self.reference.expand_as(values))
        sizes = none.scatter_add(2, run, torch.ones_like(values))
        shared = (sums / sizes.clamp(min=1)).gather(2, run)
        return none.scatter(2, order, shared).reshape(frames.shape)
