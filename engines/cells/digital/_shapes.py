"""Bodies, nuclei and granules as images: analytic shapes on a grid of pixels, a block of cells at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.cells.digital._draws import Draws, Floats

_GRAIN = 3  # px, spacing of the lattice that chromatin's grain is drawn on
_NECK = np.float32(0.16)  # how softly two lobes of one body join


class Scene:
    """The cells of a block on their grid, `(n, height, width)`; `along` and `across` are in their own axes."""

    def __init__(self, draws: Draws, height: int, width: int) -> None:
        self.draws, self.shape = draws, (height, width)
        y = np.arange(height, dtype=np.float32) - np.float32((height - 1) / 2)
        x = np.arange(width, dtype=np.float32) - np.float32((width - 1) / 2)
        self._cos, self._sin = np.cos(draws.axis), np.sin(draws.axis)
        down = y[None, :, None] - draws.centre[:, 0, None, None]
        right = x[None, None, :] - draws.centre[:, 1, None, None]
        self.along = right * _each(self._cos) + down * _each(self._sin)
        self.across = down * _each(self._cos) - right * _each(self._sin)

    def body(self) -> Floats:
        """Return the optical thickness of each body, 1 at the middle of a lobe and 0 outside."""
        draws = self.draws
        depth = self._lobe(np.arange(len(draws.kinds)), 1)
        two = np.flatnonzero(draws.body_split > 0)
        if len(two):
            # A smooth maximum: the lobes join in a neck, the cleavage furrow.
            one, other = depth[two], self._lobe(two, -1)
            high, gap = np.maximum(one, other), np.abs(one - other)
            depth[two] = high + _NECK * np.exp(-gap / _NECK) * np.float32(0.5)
        return np.sqrt(np.maximum(depth, 0, out=depth), out=depth)

    def nucleus(self, grain: Floats) -> Floats:
        """Return each cell's PI before blur, summing to its DNA; `grain` is a field of about unit variance."""
        draws = self.draws
        image = self._plate(np.arange(len(draws.kinds)), 1)
        two = np.flatnonzero(draws.dna_split > 0)
        if len(two):
            share = _each(draws.share[two])
            image[two] = share * image[two] + (1 - share) * self._plate(two, -1)
        image *= np.maximum(1 + _each(draws.clumps) * grain, np.float32(0.05))
        total = image.sum(axis=(1, 2))
        image *= _each(draws.dna / np.maximum(total, np.float32(1e-6)))
        return image

    def granules(self) -> tuple[NDArray[np.intp], Floats, Floats, Floats]:
        """Return where the granules are: `(flat index, share, leftness, rim)`.

        Each granule falls on four pixels, shared by distance, so that it can lie between them: the first two are
        `(4, n, GRANULES)`. `leftness` is 1 at the left and -1 at the right, `rim` 1 at the outline and 0 in the middle,
        both `(n, GRANULES)`.
        """
        draws = self.draws
        height, width = self.shape
        spot = draws.granules
        reach = draws.radius[:, None] * spot[..., 1] * np.float32(1.06)
        side = draws.body_split[:, None] * spot[..., 0]
        cos, sin = self._cos[:, None], self._sin[:, None]
        left = np.cos(spot[..., 2])
        x = reach * left + side * cos + draws.centre[:, 1, None] + np.float32((width - 1) / 2)
        y = reach * np.sin(spot[..., 2]) + side * sin + draws.centre[:, 0, None] + np.float32((height - 1) / 2)
        x, y = np.clip(x, 0, width - 1.01), np.clip(y, 0, height - 1.01)
        column, row = x.astype(np.intp), y.astype(np.intp)
        fx, fy = x - column.astype(np.float32), y - row.astype(np.float32)
        first = (np.arange(len(spot))[:, None] * height + row) * width + column
        index = np.stack([first, first + 1, first + width, first + width + 1])
        part = np.stack([(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy])
        return index, part, -left, spot[..., 1]

    def _lobe(self, cells: NDArray[np.intp], side: int) -> Floats:
        """Return 1 − (distance / outline)² of one lobe of these cells' bodies."""
        draws = self.draws
        radius = draws.radius[cells]
        along = self.along[cells] - _each(side * draws.body_split[cells])
        across = self.across[cells]
        stretch = draws.stretch[cells]
        u, v = along * _each(stretch / radius), across * _each(1 / (stretch * radius))
        square = u * u + v * v
        inverse = 1 / np.maximum(square, np.float32(1e-3))
        c2, s2 = (u * u - v * v) * inverse, 2 * u * v * inverse
        # The outline's second harmonic, and the third as a lopsidedness that needs no square root.
        a = 2 * draws.outline[cells]
        bump = (_each(a[:, 2]) * u + _each(a[:, 0])) * c2
        bump += (_each(a[:, 3]) * v + _each(a[:, 1])) * s2
        np.minimum(bump, np.float32(0.35), out=bump)  # far outside, where the third would grow without end
        bump -= 1
        bump *= square
        bump += 1
        return bump

    def _plate(self, cells: NDArray[np.intp], side: int) -> Floats:
        """Return the thickness of a lens of chromatin, a little flatter than an ellipsoid."""
        draws = self.draws
        axes = draws.nucleus_axes[cells]
        along = self.along[cells] - _each(draws.nucleus[cells, 0] + side * draws.dna_split[cells])
        across = self.across[cells] - _each(draws.nucleus[cells, 1])
        u, v = along * _each(1 / axes[:, 0]), across * _each(1 / axes[:, 1])
        square = u * u + v * v
        return np.sqrt(np.maximum(1 - square * square, 0))


def grain(rng: np.random.Generator, n: int, height: int, width: int) -> Floats:
    """Return `(n, height, width)` float32 smooth noise of about unit variance, correlated over some 3 px."""
    rows, columns = height // _GRAIN + 2, width // _GRAIN + 2
    lattice = rng.standard_normal((n, rows, columns), dtype=np.float32) * np.float32(1.5)
    y, x = np.arange(height) / np.float32(_GRAIN), np.arange(width) / np.float32(_GRAIN)
    i, j = y.astype(np.intp), x.astype(np.intp)
    fy, fx = (y - i).astype(np.float32)[:, None], (x - j).astype(np.float32)
    tall = lattice[:, i] * (1 - fy) + lattice[:, i + 1] * fy
    return tall[:, :, j] * (1 - fx) + tall[:, :, j + 1] * fx


def _each(values: Floats) -> Floats:
    return np.asarray(values, dtype=np.float32)[:, None, None]
