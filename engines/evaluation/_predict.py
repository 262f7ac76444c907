"""Run a bundle over recorded cells, offline, by the project's own engines."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from engines.backends import Engine, Predictions, keep_busy, open_engine
from engines.bundle import Bundle, Precision
from engines.cells import Cells
from engines.errors import InputError
from engines.fit import fit_frames

Frames = NDArray[np.generic]
Rows = NDArray[np.integer]
Progressed = Callable[[int], None]

BATCH = 32
_PATIENCE_S = 120.0


def predict(
    bundle: Bundle,
    cells: Cells,
    *,
    engine: str = "auto",
    precision: Precision = "fp32",
    threads: int = 0,
    progressed: Progressed | None = None,
) -> Predictions:
    """Return what a bundle says of cells, in their order; `seconds` is the device's time over all batches.

    Channels are matched by name and cells brought to the bundle's size as its manifest says. `progressed` is told
    after each batch how many cells it held. For what may not fit into memory (a million embeddings of 1024 are 4 GB)
    use `predict_batches`.

    Raises
    ------
    InputError
        A channel is missing, or the counts cannot be the bundle's without loss.
    BundleError, EngineError
        The bundle has no such graph, or the engine fails.
    """
    opened = open_engine(bundle, engine, precision=precision, threads=threads, ladder=(BATCH,), mode="throughput")
    try:
        parts = [part for _, part in predict_batches(opened, cells, progressed=progressed)]
    finally:
        opened.close()
    parts = parts or [_nothing(bundle)]
    return Predictions(
        np.concatenate([part.probabilities for part in parts]),
        np.concatenate([part.embedding for part in parts]),
        np.concatenate([part.measurements for part in parts]),
        sum(part.seconds for part in parts),
    )


def predict_batches(
    engine: Engine, cells: Cells, rows: Rows | None = None, *, progressed: Progressed | None = None
) -> Iterator[tuple[Rows, Predictions]]:
    """Yield the rows of each batch and what the engine says of them, all cells or those at `rows`, in that order.

    As many batches as the engine takes are under way. Raises as `predict` does.
    """
    rows = np.arange(len(cells)) if rows is None else rows
    channels = check_frames(engine.bundle, cells)
    for part, found in keep_busy(engine, _batches(engine, cells, rows, channels), _PATIENCE_S):
        yield part, found
        if progressed is not None:
            progressed(len(part))


def check_frames(bundle: Bundle, cells: Cells) -> list[int]:
    """Return where the bundle's channels are among the cells'; `InputError` where its graph cannot take the cells."""
    names = bundle.manifest.input.channels
    for name in names:
        if name not in cells.channels:
            raise InputError(cells.name, "channels", ", ".join(cells.channels), f"{name} among them, for the bundle")
    if not np.can_cast(cells.frames.dtype, bundle.dtype, "safe"):
        expected = f"{bundle.dtype.name}, as the bundle takes, or narrower"
        raise InputError(cells.name, "frames", f"counts of {cells.frames.dtype.name}", expected)
    return [cells.channels.index(name) for name in names]


def _batches(engine: Engine, cells: Cells, rows: Rows, channels: list[int]) -> Iterator[tuple[Rows, Frames]]:
    start = 0
    while start < len(rows):
        part = rows[start : start + engine.take(len(rows) - start)]
        yield part, _prepare(engine.bundle, cells, part, channels)
        start += len(part)


def _prepare(bundle: Bundle, cells: Cells, rows: Rows, channels: list[int]) -> Frames:
    frames = cells.frames[rows][:, channels].astype(bundle.dtype, copy=False)
    _, height, width = bundle.frame_shape
    return fit_frames(frames, height, width, bundle.manifest.input.fit)


def _nothing(bundle: Bundle) -> Predictions:
    outputs = bundle.manifest.outputs
    probabilities, embedding, measurements = (
        np.empty((0, width), np.float32)
        for width in (len(bundle.classes), outputs.embedding, len(outputs.measurements))
    )
    return Predictions(probabilities, embedding, measurements, 0.0)
