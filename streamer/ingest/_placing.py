"""Put the frames of a message into slots: channels by name, size by the bundle's rule."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engines.bundle import Bundle
from engines.errors import InputError
from engines.fit import fit_into
from streamer.ingest._slots import Frames, Slots
from streamer.wire import Schema


class Placement:
    """How the frames of one series become the engine's input; made once per series.

    Raises
    ------
    InputError
        The series lacks a channel the bundle needs, or has another dtype; the text names both.
    """

    def __init__(self, schema: Schema, bundle: Bundle) -> None:
        spec = bundle.manifest.input
        lacking = [name for name in spec.channels if name not in schema.channels]
        if lacking:
            raise InputError(
                f"series for bundle {bundle.manifest.name}",
                "schema.channels",
                ", ".join(schema.channels),
                f"also {', '.join(lacking)}",
            )
        if len(set(schema.channels)) != len(schema.channels):
            raise InputError("series", "schema.channels", ", ".join(schema.channels), "distinct names")
        if schema.dtype != spec.dtype:
            # Counts of another dtype have another scale: the network would answer, and be wrong.
            raise InputError(f"series for bundle {bundle.manifest.name}", "schema.dtype", schema.dtype, spec.dtype)
        self._channels = [schema.channels.index(name) for name in spec.channels]
        self._all = self._channels == list(range(len(schema.channels)))
        self._how = spec.fit
        self._size = (spec.height, spec.width)

    def place(self, frames: Frames, pool: Frames, slots: Slots) -> None:
        """Write `frames` `(n, C, h, w)` into `pool[slots]`, run by run of consecutive slots."""
        start = 0
        for run in _runs(slots):
            stop = start + run.stop - run.start
            self._place_run(frames[start:stop], pool[run])
            start = stop

    def place_one(self, frame: Frames, out: Frames) -> None:
        """Write one frame `(C, h, w)` into `out`, a slot."""
        self._place_run(frame[None], out[None])

    def _place_run(self, frames: Frames, out: Frames) -> None:
        if frames.shape[2:] == self._size:
            if self._all:
                out[...] = frames
            else:
                for to, channel in enumerate(self._channels):
                    out[:, to] = frames[:, channel]
        else:
            fit_into(frames if self._all else frames[:, self._channels], out, self._how)


def finite(frames: Frames) -> NDArray[np.bool_]:
    """Tell for each of `(n, C, H, W)` frames whether all its counts are finite; integers always are."""
    if frames.dtype.kind != "f":
        return np.ones(len(frames), np.bool_)
    return np.asarray(np.isfinite(frames).all(axis=(1, 2, 3)), np.bool_)


def _runs(slots: Slots) -> list[slice]:
    """Split slot numbers into slices of consecutive ones."""
    if len(slots) == 1:
        first = int(slots[0])
        return [slice(first, first + 1)]
    breaks = np.flatnonzero(np.diff(slots) != 1) + 1
    edges = [0, *breaks.tolist(), len(slots)]
    return [slice(int(slots[a]), int(slots[a]) + b - a) for a, b in pairwise(edges)]
