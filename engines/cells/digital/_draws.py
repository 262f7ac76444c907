"""Draw the properties of each cell of a block: what varies from cell to cell, before any pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.cells.digital._phases import DEBRIS, columns

Floats = NDArray[np.floating[Any]]
"""float32 in fact; NumPy's annotations call the product of one and a Python float float64."""

GRANULES = 64  # slots per cell; a cell with fewer granules has dim ones in the rest
G1_PI = 137_800.0  # counts above background of a G1 cell, summed over the frame


@dataclass(frozen=True)
class Draws:
    """The properties of n cells; every array is float32 `(n,)` unless said otherwise. Lengths are pixels."""

    kinds: NDArray[np.intp]
    centre: Floats  # (n, 2), y and x from the frame's centre
    axis: Floats  # of division, radians from +x
    radius: Floats
    stretch: Floats  # axis ratio of a lobe
    outline: Floats  # (n, 4) cosine and sine terms 2 and 3 of the outline
    body_split: Floats
    nucleus: Floats  # (n, 2), offset along and across the division axis
    nucleus_axes: Floats  # (n, 2), semi-axes along and across
    dna_split: Floats
    dna: Floats  # PI counts above background, summed
    share: Floats  # of the PI that is in the first of two nuclei
    clumps: Floats
    focus: Floats  # defocus, px²: wavelength times distance from focus
    contrast: Floats  # optical thickness, relative
    absorption: Floats  # bright-field counts lost where the cell is thickest
    granules: Floats  # (n, GRANULES, 4): lobe sign, radius share, angle, brightness relative to a typical granule
    scatter: Floats  # brightness of the dark-field granules, relative
    bleed: Floats  # PI subtracted from dark field by the instrument's compensation, share


def draw(rng: np.random.Generator, kinds: NDArray[np.intp]) -> Draws:
    """Draw `len(kinds)` cells of these kinds; the number of draws does not depend on the kinds."""
    n = len(kinds)
    kind = columns(kinds)

    def normal(*shape: int) -> Floats:
        return rng.standard_normal((n, *shape), dtype=np.float32)

    debris = kinds == DEBRIS
    radius = kind["radius"] * np.exp(kind["radius_spread"] * normal())
    amount = np.exp(kind["dna_spread"] * normal())
    growth = radius / kind["radius"]
    # Aligned kinds stand along the flow (y); for the others so wide a spread is every direction.
    axis = np.float32(np.pi / 2) + kind["upright"] * normal()
    # Focus drifts over a run: most cells near it, a long tail away from it.
    focus = np.clip(kind["focus"] * np.exp(0.65 * normal()), 1.5, 32)
    wobble = 0.016 * np.exp(0.7 * normal(1)) * normal(4)
    lobed = kind["dna_split"] > 0
    squash = np.exp(0.05 * normal(2))
    count = kind["granules"] * np.exp(0.5 * normal())
    spots = np.empty((n, GRANULES, 4), dtype=np.float32)
    spots[..., 0] = np.where(normal(GRANULES) > 0, 1, -1)
    spots[..., 1] = np.sqrt(rng.random((n, GRANULES), dtype=np.float32))
    # A third of the granules crowd around one pole of the cell.
    around = 2 * np.pi * rng.random((n, GRANULES), dtype=np.float32)
    around[:, ::3] = around[:, :1] + 0.6 * normal(len(range(0, GRANULES, 3)))
    spots[..., 2] = around
    present = np.arange(GRANULES, dtype=np.float32) < count[:, None]
    spots[..., 3] = np.exp(0.85 * normal(GRANULES)) * np.where(present, 0.9, 0.16)
    spots[..., 3] *= np.where(debris, 0.35, 1.0)[:, None]
    return Draws(
        kinds=kinds,
        centre=normal(2) * np.where(debris, 2.5, 0.7)[:, None].astype(np.float32),
        axis=axis,
        radius=radius,
        stretch=np.exp(0.045 * normal()),
        outline=wobble,
        body_split=kind["body_split"] * growth * np.exp(0.06 * normal()),
        nucleus=normal(2) * np.where(lobed, 0.3, 0.09 * radius)[:, None].astype(np.float32),
        nucleus_axes=np.stack([kind["along"], kind["across"]], axis=1)
        * (growth**0.7 * np.cbrt(amount))[:, None]
        * squash,
        dna_split=kind["dna_split"] * growth * np.exp(0.08 * normal()),
        dna=np.float32(G1_PI) * kind["dna"] * amount,
        share=0.5 + 0.03 * normal(),
        clumps=kind["clumps"] * np.exp(0.25 * normal()),
        focus=focus,
        contrast=np.exp(0.13 * normal()),
        absorption=11 * np.exp(0.75 * normal()),
        granules=spots,
        scatter=np.exp(0.45 * normal()),
        bleed=0.062 * np.exp(0.12 * normal()),
    )
