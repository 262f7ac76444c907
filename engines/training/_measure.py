"""Background and measurements of each channel, as plain tensor operations that live in the exported graph."""

from __future__ import annotations

import torch
from torch import Tensor, nn

MEASUREMENTS = ("background", "mean", "max", "area", "centroid_x", "centroid_y", "focus")

# Keeps a cell without a single pixel over the threshold at the middle of the frame instead of at 0/0.
_EMPTY = 1e-3


class Background(nn.Module):
    """The background of each channel: the mean of the middle two of the four border sides' mean counts.

    The sides are one pixel wide and without corners. Of four means the middle two: a neighbour, a padded side or a
    cell that touches one side does not move it, and it costs one small product where a median over the border's
    pixels costs a sort.
    """

    border: Tensor
    sides: Tensor

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        sides = _sides(height, width)
        border = sides.any(dim=1).nonzero().flatten()
        self.register_buffer("border", border, persistent=False)
        self.register_buffer("sides", sides[border].contiguous() / 2, persistent=False)

    def forward(self, counts: Tensor) -> Tensor:
        """Return `(n, C, 1)` counts from `(n, C, H*W)` float32 counts."""
        # The border alone: a product over all pixels takes longer than fetching these.
        means = counts.index_select(2, self.border) @ self.sides
        # `sides` halves the means, so that these two add up to their mean.
        return means.sum(2, keepdim=True) - means.amax(2, keepdim=True) - means.amin(2, keepdim=True)


class Measure(nn.Module):
    """Measure each channel above its background.

    With d = counts − background and the pixels where |d| exceeds the channel's threshold called the cell's:

    ============  =======================================================================================
    `background`  as `Background` gives it, counts
    `mean`        mean of d over the frame, counts
    `max`         largest d, counts
    `area`        number of the cell's pixels
    `centroid_x`  mean column of the cell's pixels weighted by |d|, pixels from 0; the middle if it has none
    `centroid_y`  mean row, likewise
    `focus`       variance of the Laplacian (4 neighbours) over all inner pixels, counts²
                  (Pech-Pacheco et al., ICPR 2000)
    ============  =======================================================================================

    Parameters
    ----------
    thresholds
        `(C,)` counts.
    height, width
        Of the frames, at least 3×3.
    """

    thresholds: Tensor
    moments: Tensor
    middle: Tensor

    def __init__(self, thresholds: Tensor, height: int, width: int) -> None:
        super().__init__()
        self.height, self.width, self.channels = height, width, len(thresholds)
        self.register_buffer("thresholds", thresholds.reshape(1, -1, 1).float())
        self.register_buffer("moments", _moments(height, width), persistent=False)
        middle = torch.tensor([(width - 1) / 2, (height - 1) / 2])
        self.register_buffer("middle", middle, persistent=False)

    def forward(self, above: Tensor, background: Tensor) -> Tensor:
        """Return `(n, C*7)` measurements, channel by channel, of d `(n, C, H*W)` and the background `(n, C, 1)`."""
        size = above.abs()
        inside = (size > self.thresholds).to(size.dtype)
        sums = (size * inside) @ self.moments
        mass = sums[..., :1] + _EMPTY
        frames = above.reshape(-1, self.channels, self.height, self.width)
        edges = _laplacian(frames).reshape(-1, self.channels, (self.height - 2) * (self.width - 2))
        spread = edges - edges.mean(2, keepdim=True)
        columns = (
            background,
            above.mean(2, keepdim=True),
            above.amax(2, keepdim=True),
            inside.sum(2, keepdim=True),
            sums[..., 1:] / mass + self.middle,
            (spread * spread).mean(2, keepdim=True),
        )
        return torch.cat(columns, dim=2).reshape(-1, self.channels * len(MEASUREMENTS))


def names(channels: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of the measurements in the order of the graph's output."""
    return tuple(f"{channel}:{measurement}" for channel in channels for measurement in MEASUREMENTS)


def _laplacian(frames: Tensor) -> Tensor:
    """Return the sum of the four neighbours less four times the pixel, `(n, C, H-2, W-2)`.

    By shifted copies: a convolution of one map per channel has the frames copied into another layout and back.
    """
    inner = frames[:, :, 1:-1, 1:-1]
    return (
        frames[:, :, :-2, 1:-1] + frames[:, :, 2:, 1:-1] + frames[:, :, 1:-1, :-2] + frames[:, :, 1:-1, 2:] - 4 * inner
    )


def _sides(height: int, width: int) -> Tensor:
    """Return `(H*W, 4)`: each column averages one side of the border, without the corners it shares with others."""
    sides = torch.zeros(4, height, width)
    sides[0, 0, 1:-1], sides[1, -1, 1:-1] = 1 / (width - 2), 1 / (width - 2)
    sides[2, 1:-1, 0], sides[3, 1:-1, -1] = 1 / (height - 2), 1 / (height - 2)
    return sides.flatten(1).T.contiguous()


def _moments(height: int, width: int) -> Tensor:
    """Return `(H*W, 3)`: ones, and column and row counted from the middle."""
    rows = torch.arange(height).float() - (height - 1) / 2
    columns = torch.arange(width).float() - (width - 1) / 2
    ones = torch.ones(height, width)
    return torch.stack((ones, ones * columns, ones * rows[:, None])).flatten(1).T.contiguous()
