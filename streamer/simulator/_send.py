"""Play recorded cells to a streamer as a cytometer would: open-loop, on time, and honest about when it was not."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from engines.cells import Cells, Recording
from streamer.client import CellSender
from streamer.simulator._faults import FaultLine, Faults
from streamer.simulator._plan import Plan
from streamer.simulator._source import CellSource, make_source
from streamer.wire import Checksum, Schema, Totals

LEAD_S = 0.05
"""From the start of the series to its first cell."""


class SendReport(msgspec.Struct):
    """What was sent, how punctually, and the streamer's totals. Lateness is sending minus plan, in microseconds.

    `lost` counts cells of the recording by the reason for which they went without a frame, or not at all.
    """

    series: str
    cells: int
    messages: int
    seconds: float
    cells_per_s: float
    bytes: int
    lateness_us: dict[str, float]
    faults: dict[str, int]
    expected_rejections: dict[str, int]
    totals: Totals
    lost: dict[str, int] = {}


@dataclass(frozen=True)
class Acquisition:
    """What to send and how.

    `channels` sends only these of the cells' channels; `on_progress` is called with the number of cells sent, at most
    ten times a second; `stop` is asked before every message.
    """

    series: str
    per_message: int = 1
    sort_delay_us: float | None = None
    actuation_lead_us: float | None = None
    checksum: Checksum = "none"
    channels: tuple[str, ...] | None = None
    faults: Faults = field(default_factory=Faults)
    seed: int = 0
    info: dict[str, str] = field(default_factory=dict)
    on_progress: Callable[[int], None] | None = None
    stop: Callable[[], bool] | None = None


def acquire(sender: CellSender, cells: Cells | Recording | CellSource, plan: Plan, how: Acquisition) -> SendReport:
    """Start a series, send every cell of the plan when its message is due, and end it.

    A message is due when its last cell passes the camera. Trigger times are planned times, so a sender that is late
    (its lateness is reported) makes the latency from trigger longer, never shorter. Cells of a recording whose sizes
    differ are sent at their own sizes. A `CellSource` is sent as it is: its channels were chosen when it was made.
    """
    source = make_source(cells, how.channels) if isinstance(cells, Cells | Recording) else cells
    schema = Schema(
        channels=source.channels,
        dtype=source.dtype.name,  # type: ignore[arg-type]
        timebase=(1, 1_000_000_000),
        shape=source.shape,
        checksum=how.checksum,
    )
    sender.start(
        how.series,
        schema,
        sort_delay_us=how.sort_delay_us,
        actuation_lead_us=how.actuation_lead_us,
        info={"cells": source.name.rpartition("/")[2], **how.info},
    )
    line = FaultLine(how.faults, how.seed, checksummed=how.checksum == "crc32")
    begin = time.monotonic_ns() + int(LEAD_S * 1e9)
    lateness, played = _play(sender, source, plan, how, line, begin)
    sent = len(lateness)
    seconds = (time.monotonic_ns() - begin) * 1e-9
    totals = sender.end(last_seq=sent - 1)
    return SendReport(
        series=how.series,
        cells=sent,
        messages=played.messages,
        seconds=round(seconds, 3),
        cells_per_s=round(sent / seconds, 1) if seconds > 0 else 0.0,
        bytes=played.bytes,
        lateness_us=percentiles(lateness / 1e3),
        faults=dict(line.cells),
        expected_rejections=dict(line.rejections),
        totals=totals,
        lost=dict(source.lost),
    )


def percentiles(values: NDArray[np.floating]) -> dict[str, float]:
    """Return p50, p90, p99, p999 and max of these values, rounded to a tenth; empty where there are none."""
    if not len(values):
        return {}
    names = ("p50", "p90", "p99", "p999")
    found = dict(zip(names, np.percentile(values, [50, 90, 99, 99.9]).tolist(), strict=True))
    return {name: round(value, 1) for name, value in {**found, "max": float(values.max())}.items()}


@dataclass
class _Played:
    messages: int = 0
    bytes: int = 0


def _play(
    sender: CellSender, source: CellSource, plan: Plan, how: Acquisition, line: FaultLine, begin: int
) -> tuple[NDArray[np.int64], _Played]:
    """Send the plan; return the lateness of every cell that was sent."""
    lateness = np.zeros(len(plan), np.int64)
    played = _Played()
    sent = shown_at = 0
    stalled_at = begin
    for first in range(0, len(plan), how.per_message):
        if how.stop is not None and how.stop():
            break
        last = min(first + how.per_message, len(plan))
        due = begin + int(plan.trigger_ns[last - 1])
        frames = source.frames(plan.cell[first:last])
        played.bytes += _nbytes(frames)
        parts = sender.parts(frames, (plan.trigger_ns[first:last] + begin).astype(np.uint64), first)
        if how.faults.stall_every_s and due - stalled_at > how.faults.stall_every_s * 1e9:
            time.sleep(how.faults.stall_s)
            stalled_at = due
        _wait_until(due, sender)
        for arriving in line.pass_on(parts, last - first):
            sender.send_parts(arriving)
            played.messages += 1
        now = time.monotonic_ns()
        lateness[first:last] = now - due
        sent = last
        if how.on_progress is not None and now - shown_at > 100_000_000:
            shown_at = now
            how.on_progress(sent)
    for arriving in line.flush():
        sender.send_parts(arriving)
        played.messages += 1
    if how.on_progress is not None:
        how.on_progress(sent)
    return lateness[:sent], played


def _nbytes(frames: NDArray[np.generic] | Sequence[NDArray[np.generic] | None]) -> int:
    if isinstance(frames, np.ndarray):
        return frames.nbytes
    return sum(frame.nbytes for frame in frames if frame is not None)


def _wait_until(due: int, sender: CellSender) -> None:
    while (left := due - time.monotonic_ns()) > 0:
        sender.beat()
        time.sleep(min(left * 1e-9, 0.2))
