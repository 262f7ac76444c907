"""The recording messages: what the streamer and a recorder say to each other. `docs/recording.md` lists them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from streamer.wire._messages import Dtype, Heartbeat, Name, Refused, Schema, Unsubscribe

What = Literal["all", "kept", "wanted", "sample"]
"""Which of the classified cells: `all`; `kept`; `wanted`, the kept ones and those that the sort stage or a disarmed
sorter turned away; `sample`, a fraction drawn by seq."""
Count = Annotated[int, Meta(ge=0)]
Ended = Literal["end", "lost", "stopped", "replaced"]


class Handed(msgspec.Struct, tag="handed"):
    """Streamer → recorder, in answer to a heartbeat: what has become of the cells of a series on the streamer's side.

    `offered = handed + Σ skipped`, at every moment.
    """

    series: str = ""
    offered: Count = 0
    """Classified cells that the configuration asks to be recorded."""
    handed: Count = 0
    """Given to a recorder."""
    skipped: dict[str, int] = {}
    """Given to none, by reason: `no_recorder`; `behind`, the recorder's buffer was full."""


class Taken(msgspec.Struct, forbid_unknown_fields=True, tag="taken"):
    """Recorder → streamer: how far it is, and what has become of the cells handed to it.

    `bytes` counts what the recorder has taken since it was welcomed; what was sent beyond it fills the buffer.
    """

    bytes: Count = 0
    series: str = ""
    recorded: Count = 0
    """Written to the file."""
    not_asked: Count = 0
    """Handed over before their fate was known, and not asked for by it; or not asked for by this recorder."""
    lost: Count = 0
    """Handed over, and never came."""
    dropped: Annotated[dict[str, Count], Meta(max_length=8)] = {}
    """Came and were not recorded, by reason: `undecided`, `damaged`, `disk`."""


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="record"):
    """Recorder → streamer: hand me the frames. Answered with `Recording` or `Refused`.

    `token` is the recorder's own, the same each time it asks. `series` is the one it has a file open for.
    """

    version: int
    name: Name
    token: Name
    series: str = ""


class Recording(msgspec.Struct, frozen=True, tag="recording"):
    """Streamer → recorder: what is handed over from now on. `series` is empty between two series.

    `shape` is `(channels, height, width)` of every frame, the engine's input. Codes only gain meanings within a
    series: the message comes again when `gates` or `ways` have grown.
    """

    version: int
    series: str
    what: What
    fraction: float
    seed: int
    heartbeat_s: float
    buffer_bytes: int
    account: Handed = msgspec.field(default_factory=Handed)
    """Of the series so far, whoever recorded."""
    started_unix_ns: int = 0
    started_monotonic_ns: int = 0
    """The same moment in the clock of the records' times."""
    start_ticks: int = 0
    """The hardware counter when the series began."""
    schema: Schema | None = None
    """As the cytometer gave it."""
    info: dict[str, str] = {}
    bundle: str = ""
    bundle_sha256: str = ""
    engine: str = ""
    software: str = ""
    channels: tuple[str, ...] = ()
    dtype: Dtype = "uint16"
    shape: tuple[int, int, int] = (1, 1, 1)
    fit: str = ""
    classes: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    ways: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    sort_delay_us: float | None = None
    actuation_lead_us: float = 0.0


class Frames(msgspec.Struct, frozen=True, tag="frames"):
    """Streamer → recorder: three parts follow.

    `decisions` journal records, of cells in this message or an earlier one; `n` uint64 seqs; and `n` frames.
    """

    n: int
    decisions: int
    account: Handed


class SeriesEnd(msgspec.Struct, frozen=True, tag="series_end"):
    """Streamer → recorder: the series is closed, and this is what was handed over of it."""

    ended: Ended
    account: Handed


FromRecorder = Record | Taken | Heartbeat | Unsubscribe
ToRecorder = Recording | Frames | Handed | SeriesEnd | Refused
