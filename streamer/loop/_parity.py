"""Whether a new engine answers as the FP32 reference does, on cells that were seen here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engines.backends import Engine, Frames
from engines.cells import open_cells
from engines.errors import InputError
from engines.verify import LIMITS, MIN_CELLS, Limits, Verdict, compare_engine, material
from streamer.decision import ConfiguredGates, needs_measurements, without_gating_file

if TYPE_CHECKING:
    from streamer.loop._swap import Situation

MOST_CELLS, MOST_RECORDED = 256, 1024
"""More would say more, and keep the processor from the engine that decides."""
LEAST_SEEN = 50
"""From so many cells on, mirrored they are enough."""


def require_parity(engine: Engine, situation: Situation, max_changed: float | None, cells: str | None) -> Verdict:
    """Compare an engine with the reference; raise `EngineError` with the figures where it answers otherwise.

    Parameters
    ----------
    max_changed
        The largest share of cells whose class, or some gate decision, is another one; by default that of the precision.
    cells
        Recorded cells to compare on; by default those in the slots.
    """
    config = situation.config
    limits = LIMITS[config.engine.precision]
    if max_changed is not None:
        limits = Limits(max_changed, max_changed, limits.accuracy_loss, limits.mean_probability_error)
    frames = _recorded(engine, cells) if cells is not None else _seen(situation.frames, config.engine.precision)
    judge = ConfiguredGates(without_gating_file(config), engine.bundle.manifest)
    # One thread for the reference: whatever else there is belongs to the engine that decides.
    measured = needs_measurements(without_gating_file(config), engine.bundle.manifest)
    verdict = compare_engine(engine, frames, limits=limits, threads=1, judge=judge, measured=measured)
    verdict.require()
    return verdict


def _recorded(engine: Engine, cells: str) -> Frames:
    return material(engine.bundle, open_cells(cells, limit=MOST_RECORDED)).frames[:MOST_RECORDED]


def _seen(slots: Frames, precision: str) -> Frames:
    """Return cells that lie in the slots, mirrored if they are few; made ones where the precision allows it."""
    # A slot may be written to while it is copied. A frame of two halves is a frame as well: both engines get it.
    used = np.flatnonzero(slots.reshape(len(slots), -1).any(axis=1))
    if len(used) < LEAST_SEEN:
        if precision != "fp32":
            # Rounding is made for real cells, and wrong in its own way on others.
            raise InputError("swap", "cells seen", len(used), f"{LEAST_SEEN} or more, or recorded ones (--cells FILE)")
        return _made(slots.shape[1:], slots.dtype)
    seen: Frames = slots[used[-MOST_CELLS:]]
    mirrored = [seen, seen[..., ::-1], seen[..., ::-1, :], seen[..., ::-1, ::-1]]
    return np.concatenate(mirrored[: -(-MIN_CELLS // len(seen))])


def _made(shape: tuple[int, ...], dtype: np.dtype[np.generic]) -> Frames:
    """Return bright spots of many sizes and heights, on a noisy background."""
    rng = np.random.default_rng(0)
    top = 255.0 if dtype == np.uint8 else 4095.0
    y, x = np.mgrid[-1 : 1 : shape[1] * 1j, -1 : 1 : shape[2] * 1j]
    widths = rng.uniform(0.05, 0.8, (MIN_CELLS, 1, 1, 1))
    heights = top * rng.uniform(0.01, 1.0, (MIN_CELLS, shape[0], 1, 1))
    frames = heights * np.exp(-(x**2 + y**2) / widths) + rng.normal(0.02 * top, 0.005 * top, (MIN_CELLS, *shape))
    made: Frames = np.clip(np.rint(frames), 0, top).astype(dtype)
    return made
