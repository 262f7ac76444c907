"""A recording as blocks of cells of a bundle's size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.bundle import Bundle, fingerprints
from engines.cells._recording import Cell, Frame, Recording, Span, plain_text
from engines.errors import InputError
from engines.fit import fit_frames, fit_into

BLOCK_BYTES = 2 << 20
"""Enough to read at once; of more, the memory goes back to the system each time and comes anew, filled with zeros."""
_MOST = 512

Fact = float | int | str | None


@dataclass(frozen=True)
class Block:
    """Cells in a row, ready for the engine.

    Attributes
    ----------
    frames
        `(n, C, H, W)` as the bundle takes them.
    index
        `(n,)` uint64 places in the recording, from 0.
    labels
        `(n,)` int16, as the recording has them.
    trigger_s
        `(n,)` float64, NaN where unknown.
    groups
        Name of each cell's group.
    facts
        What the file says of each cell, by name, None where it says nothing.
    seen
        `(n,)` whether the bundle was trained or tuned on the cell; None where not asked.
    start, end
        The places in the recording that the block spans, `end` not included.
    skipped
        Cells of that span that are not in the block, by reason.
    """

    frames: Frame
    index: NDArray[np.uint64]
    labels: NDArray[np.int16]
    trigger_s: NDArray[np.float64]
    groups: list[str]
    facts: dict[str, list[Fact]]
    seen: NDArray[np.bool_] | None
    start: int
    end: int
    skipped: Counter[str] = field(default_factory=Counter)

    def __len__(self) -> int:
        return len(self.index)


def channels_of(recording: Recording, bundle: Bundle, names: Mapping[str, str] | None = None) -> list[int]:
    """Return where each of the bundle's channels is in a frame of the recording.

    Parameters
    ----------
    names
        What the recording calls a channel, by the bundle's name for it; the same name where it is not given.

    Raises
    ------
    InputError
        A channel is not there, or the counts are of another dtype than the bundle takes.
    """
    wanted, named = bundle.manifest.input.channels, dict(names or {})
    if strange := [name for name in named if name not in wanted]:
        raise InputError("--channels-map", "channel", strange[0], f"one of the bundle's: {', '.join(wanted)}")
    if recording.dtype != bundle.dtype:
        raise InputError(recording.name, "dtype", recording.dtype.name, f"{bundle.dtype.name}, as the bundle takes")
    picked = []
    for name in wanted:
        called = named.get(name, name)
        if called not in recording.channels:
            raise InputError(recording.name, "channels", ", ".join(recording.channels), f"{called} among them")
        picked.append(recording.channels.index(called))
    return picked


def blocks_of(
    recording: Recording, bundle: Bundle, picked: list[int], *, start: int = 0, batch: int = 64
) -> Iterator[Block]:
    """Yield the recording from cell `start` on, in blocks of whole batches; only the last may hold fewer.

    Cells that the reader skips, and those whose frames are not what the recording says, are counted in `skipped`.
    """
    shape = bundle.frame_shape
    most = max(1, min(_MOST, BLOCK_BYTES // (prod(shape) * bundle.dtype.itemsize)) // batch) * batch
    known = _known(bundle) if recording.classes else None
    while start < len(recording):
        span = recording.span(start, min(start + most, len(recording)))
        if span is not None:
            yield _at_once(span, bundle, picked, known, start)
            start += len(span)
            continue
        for block in _one_by_one(recording, bundle, picked, most, known, start):
            yield block
            start = block.end
            if start < len(recording) and recording.span(start, start + 1) is not None:
                break  # only that much was damaged
        else:
            return


def _at_once(span: Span, bundle: Bundle, picked: list[int], known: NDArray[np.uint64] | None, start: int) -> Block:
    frames = span.frames
    if picked != list(range(frames.shape[1])):
        frames = np.ascontiguousarray(frames[:, picked])
    seen = None if known is None else _are_known(fingerprints(frames), known)
    return Block(
        frames=fit_frames(frames, *bundle.frame_shape[1:], bundle.manifest.input.fit),
        index=np.arange(start, start + len(span), dtype=np.uint64),
        labels=span.labels,
        trigger_s=span.trigger_s,
        groups=[plain_text(group) for group in span.groups],
        facts={name: [None if value is None else _plain(value) for value in row] for name, row in span.facts.items()},
        seen=seen,
        start=start,
        end=start + len(span),
    )


def _one_by_one(
    recording: Recording, bundle: Bundle, picked: list[int], most: int, known: NDArray[np.uint64] | None, start: int
) -> Iterator[Block]:
    shape = bundle.frame_shape
    block = _Growing(shape, bundle, most, known, start)
    before = recording.skipped.copy()
    index, every = start, picked == list(range(len(recording.channels)))
    for cell in recording.cells(start):
        if recording.skipped != before:
            missed = recording.skipped - before
            index += missed.total()
            block.skipped.update(missed)
            before = recording.skipped.copy()
        if (problem := _problem(cell.frame, recording)) is not None:
            recording.skipped[problem] += 1
            block.skipped[problem] += 1
            before = recording.skipped.copy()
        else:
            block.add(cell, cell.frame if every else cell.frame[picked], index)
        index += 1
        if len(block) == most:
            yield block.done(index)
            block = _Growing(shape, bundle, most, known, index)
    missed = recording.skipped - before
    block.skipped.update(missed)
    if len(block) or block.skipped:
        yield block.done(index + missed.total())


class _Growing:
    def __init__(
        self, shape: tuple[int, int, int], bundle: Bundle, most: int, known: NDArray[np.uint64] | None, start: int
    ) -> None:
        self._frames = np.empty((most, *shape), bundle.dtype)
        self._fit, self._known, self._start = bundle.manifest.input.fit, known, start
        self._labels: list[int] = []
        self._groups: list[str] = []
        self._times: list[float] = []
        self._index: list[int] = []
        self._seen: list[bool] = []
        self._facts: dict[str, list[Fact]] = {}
        self.skipped: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._index)

    def add(self, cell: Cell, frame: Frame, index: int) -> None:
        at = len(self._index)
        fit_into(frame[None], self._frames[at : at + 1], self._fit)
        if self._known is not None:
            self._seen += _are_known(fingerprints(frame[None]), self._known).tolist()
        for name, value in cell.facts.items():
            self._facts.setdefault(name, [None] * at).append(_plain(value))
        if len(cell.facts) < len(self._facts):
            for values in self._facts.values():
                values.extend([None] * (at + 1 - len(values)))
        self._index.append(index)
        self._labels.append(cell.label)
        self._groups.append(plain_text(cell.group))
        self._times.append(np.nan if cell.trigger_s is None else cell.trigger_s)

    def done(self, end: int) -> Block:
        return Block(
            frames=self._frames[: len(self)],
            index=np.array(self._index, np.uint64),
            labels=np.array(self._labels, np.int16),
            trigger_s=np.array(self._times, np.float64),
            groups=self._groups,
            facts=self._facts,
            seen=None if self._known is None else np.array(self._seen, np.bool_),
            start=self._start,
            end=end,
            skipped=self.skipped,
        )


def _known(bundle: Bundle) -> NDArray[np.uint64] | None:
    """Return the sorted fingerprints of the bundle's training cells, None where it carries none."""
    entry = bundle.manifest.seen
    return None if entry is None else np.sort(np.fromfile(bundle.path / entry.file, "<u8").astype(np.uint64))


def _are_known(marks: NDArray[np.uint64], known: NDArray[np.uint64]) -> NDArray[np.bool_]:
    if not len(known):
        return np.zeros(len(marks), np.bool_)
    found: NDArray[np.bool_] = known[np.minimum(np.searchsorted(known, marks), len(known) - 1)] == marks
    return found


def _problem(frame: Frame, recording: Recording) -> str | None:
    if frame.dtype != recording.dtype:
        return f"dtype: {frame.dtype}"
    if frame.ndim != 3 or len(frame) != len(recording.channels):
        return f"shape: {frame.shape}"
    if not frame.size:
        return "frame: without a pixel"
    if frame.dtype.kind == "f" and not np.isfinite(frame).all():
        return "frame: NaN or infinite counts"
    return None


def _plain(value: Any) -> Fact:
    """Return a fact as a plain number or text; whole numbers beyond 64 bits become text."""
    if isinstance(value, str):
        return plain_text(value)
    if isinstance(value, bool | int | np.integer | np.bool_):
        whole = int(value)
        return whole if -(2**63) <= whole < 2**63 else str(whole)
    return float(value) if isinstance(value, float | np.floating) else str(value)
