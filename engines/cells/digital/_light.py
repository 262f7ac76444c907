"""From the properties of cells to the light that reaches the camera, channel by channel."""

from __future__ import annotations

import numpy as np

from engines.cells.digital._draws import Draws, Floats
from engines.cells.digital._optics import Optics
from engines.cells.digital._phases import CHANNELS
from engines.cells.digital._shapes import Scene, grain

_MARGIN = 4  # px drawn around the frame and cut off, since the optics wrap around
_WHOLE = 40  # px that hold a whole cell: smaller frames are cut out of a drawing of this size

# Counts per unit of what the optics return. They, the defocus blur and the powers below were fitted to the mean radial
# profiles of real G1 cells in and out of focus; a thin-phase model overstates thick cells, hence the powers under 1.
_PHASE, _SCATTER = 11_600.0, 163.0


def canvas(side: int) -> int:
    """Return the side of the drawing that a frame of this side is cut out of the middle of."""
    return max(side, _WHOLE + side % 2) + 2 * _MARGIN


def light(rng: np.random.Generator, draws: Draws, scene: Scene, optics: Optics, shape: tuple[int, int]) -> Floats:
    """Return the light of each channel in counts above background, `(n, 3, height, width)`."""
    n, (tall, wide) = len(draws.kinds), scene.shape
    body = scene.body()
    mottle = grain(rng, n, tall, wide)
    chromatin = scene.nucleus(mottle)
    pi = optics.blur(chromatin, 1.55 + 0.13 * draws.focus)
    index, part, leftness, rim = scene.granules()

    def points(brightness: Floats) -> Floats:
        weights = (part * brightness).ravel()
        return np.bincount(index.ravel(), weights, n * tall * wide).astype(np.float32).reshape(n, tall, wide)

    # Granules bend light one way or the other (vesicles, vacuoles); they scatter most on the side the light comes from.
    bright, inside = draws.granules[..., 3], rim < np.float32(0.9)
    bend = np.minimum(bright, np.float32(1.8)) * inside * np.where(draws.granules[..., 2] % 1 < 0.65, 0.32, -0.28)
    scattered = np.minimum(bright, 4) * draws.scatter[:, None] * (0.5 + 0.9 * rim * np.exp(1.1 * leftness))
    body *= ((draws.radius / 9) ** 0.5)[:, None, None]
    out = np.empty((n, len(CHANNELS), *shape), dtype=np.float32)
    top, left = (tall - shape[0]) // 2, (wide - shape[1]) // 2
    inner = (slice(None), slice(top, top + shape[0]), slice(left, left + shape[1]))
    strength = _PHASE * draws.contrast * draws.focus**-0.6
    out[:, 0] = optics.phase(body * (1 + np.float32(0.03) * mottle), points(bend), draws.focus, strength)[inner]
    out[:, 0] -= draws.absorption[:, None, None] * body[inner]
    out[:, 1] = pi[inner]
    out[:, 2] = _SCATTER * optics.spots(points(scattered), 0.6, 2.0, 0.25)[inner]
    # The instrument takes the PI that leaks into dark field off it: cells are dark there but for their granules.
    out[:, 2] -= draws.bleed[:, None, None] * out[:, 1]
    return out
