"""Render cells: draw them, image them, expose them; by the number or without end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count

import numpy as np
from numpy.typing import NDArray

from engines.cells._cells import Cells
from engines.cells.digital._arguments import shares, whole
from engines.cells.digital._camera import expose
from engines.cells.digital._draws import draw
from engines.cells.digital._light import canvas, light
from engines.cells.digital._optics import Optics
from engines.cells.digital._phases import CHANNELS, DEBRIS, PHASES
from engines.cells.digital._shapes import Scene

BLOCK = 256
"""Cells in a block, what `stream` yields at a time."""

_BATCH = 32  # cells drawn at once: their images stay in the processor's cache
_SMALLEST, _LARGEST = 16, 256


def render(
    n: int,
    *,
    seed: int = 0,
    height: int = 40,
    width: int = 40,
    class_mix: Mapping[str, float] | None = None,
    debris: float = 0.0,
    doublets: float = 0.0,
) -> Cells:
    """Render `n` cells, the first `n` of `stream` with the same arguments.

    The same arguments give the same bytes, whatever the number of threads.

    Parameters
    ----------
    n
        How many cells, at least 1.
    seed
        Of the random numbers, at least 0.
    height, width
        Of a frame in pixels of 0.5 µm, 16 to 256. Another size shows more or less of the field, at the same scale.
    class_mix
        Shares by name from `PHASES`, in any unit: they are divided by their sum, and a name left out is 0. `DEMO_MIX`
        where None: 88 % interphase (G1 50 %, S 20 %, G2 18 %), prophase 5 %, metaphase 3 %, anaphase and telophase 2 %
        each.
    debris, doublets
        Shares of all events that are debris and pairs of cells; the mix is of the rest.

    Returns
    -------
    Cells
        `frames` uint16 `(n, 3, height, width)` counts, `labels` int16 `(n,)` indices into `PHASES`, -1 for debris and
        doublets.

    Raises
    ------
    InputError
        Naming the argument, what was found and what was expected.
    """
    whole("n", n, 1)
    return _Renderer(seed, height, width, shares(class_mix, debris, doublets)).cells(0, n)


def stream(
    *,
    seed: int = 0,
    first: int = 0,
    height: int = 40,
    width: int = 40,
    class_mix: Mapping[str, float] | None = None,
    debris: float = 0.0,
    doublets: float = 0.0,
) -> Iterator[Cells]:
    """Render cells without end, in blocks of `BLOCK`.

    Block k depends on the seed, on k and on the other arguments, not on the blocks before it: `first` is the k to
    start from, so several sources can share one series. The rest is as for `render`; arguments are checked at the call,
    not at the first block.

    Raises
    ------
    InputError
        Naming the argument, what was found and what was expected.
    """
    whole("first", first, 0)
    renderer = _Renderer(seed, height, width, shares(class_mix, debris, doublets))
    return (renderer.cells(k * (BLOCK // _BATCH), BLOCK) for k in count(first))


class _Renderer:
    """The unending series of one seed, batch by batch; a batch depends on the seed and its number only."""

    def __init__(self, seed: int, height: int, width: int, parts: NDArray[np.float64]) -> None:
        whole("seed", seed, 0)
        whole("height", height, _SMALLEST, _LARGEST)
        whole("width", width, _SMALLEST, _LARGEST)
        self._seed, self._shape = seed, (height, width)
        edges = np.cumsum(parts)[:-1]
        # Rounding must not leave a sliver of probability to a last kind whose share is 0.
        self._edges = np.where(edges > 1 - 1e-12, np.inf, edges)
        self._optics = Optics(canvas(height), canvas(width))

    def cells(self, batch: int, n: int) -> Cells:
        """Return the first `n` cells from this batch on."""
        frames = np.empty((n, len(CHANNELS), *self._shape), dtype=np.uint16)
        labels = np.empty(n, dtype=np.int16)
        for start in range(0, n, _BATCH):
            some = slice(start, min(start + _BATCH, n))
            images, kinds = self._batch(batch + start // _BATCH)
            frames[some] = images[: some.stop - start]
            labels[some] = np.where(kinds < DEBRIS, kinds, -1)[: some.stop - start]
        return Cells(f"digital cells, seed {self._seed}", frames, CHANNELS, PHASES, labels)

    def _batch(self, number: int) -> tuple[NDArray[np.uint16], NDArray[np.intp]]:
        rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence((self._seed, number))))
        kinds = np.searchsorted(self._edges, rng.random(_BATCH), side="right")
        draws = draw(rng, kinds)
        scene = Scene(draws, canvas(self._shape[0]), canvas(self._shape[1]))
        return expose(rng, light(rng, draws, scene, self._optics, self._shape)), kinds
