"""The messages of wire protocol version 1, as types. `docs/protocol.md` is the specification."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from streamer.vocabulary import Account

PROTOCOL_VERSION = 1
MAX_CHANNELS = 64
MAX_SIDE = 4096
MAX_CELLS_PER_MESSAGE = 65_536

UInt64 = Annotated[int, Meta(ge=0)]
"""Unsigned; that it is below 2^64 follows from MessagePack's encoding of it."""
Seq = Annotated[int, Meta(ge=0, le=2**63 - 1)]
SeriesId = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")]
Name = Annotated[str, Meta(min_length=1, max_length=64)]
Side = Annotated[int, Meta(ge=1, le=MAX_SIDE)]
Positive = Annotated[int, Meta(ge=1, le=2**63 - 1)]
Micros = Annotated[float, Meta(ge=0, le=60e6)]
Dtype = Literal["uint8", "uint16", "float32"]
Checksum = Literal["none", "crc32"]
State = Literal["armed", "disarmed", "stopping"]


class Schema(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What each cell of a series looks like.

    `shape` is `(height, width)`, or None where each cell has its own size (then `max_shape` bounds it).
    `timebase` is the length of one hardware tick in seconds as a fraction `(numerator, denominator)`.
    """

    channels: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=MAX_CHANNELS)]
    dtype: Dtype
    timebase: tuple[Positive, Positive]
    shape: tuple[Side, Side] | None = None
    max_shape: tuple[Side, Side] | None = None
    checksum: Checksum = "none"


class Start(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="start"):
    """Cytometer → streamer: a series begins. Answered with `Accepted` or `Refused`.

    `ticks` is the hardware counter at the moment of sending. `sort_delay_us` is the time from trigger to
    actuation, `actuation_lead_us` what the actuator needs before it; None leaves both to the streamer's config.
    """

    version: int
    series: SeriesId
    schema: Schema
    ticks: UInt64
    sort_delay_us: Micros | None = None
    actuation_lead_us: Micros | None = None
    info: Annotated[dict[Name, Annotated[str, Meta(max_length=1024)]], Meta(max_length=64)] = {}


class CellsHeader(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="cells"):
    """Cytometer → streamer: `n` cells of consecutive seq, followed by their frames.

    `ticks` holds n little-endian uint64 trigger times. `shapes`, present only in series of per-cell sizes, holds
    n pairs of little-endian uint16 `(height, width)`.
    """

    series: str
    seq: Seq
    n: Annotated[int, Meta(ge=1, le=MAX_CELLS_PER_MESSAGE)]
    schema: UInt64
    ticks: bytes
    shapes: bytes | None = None


class Heartbeat(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="heartbeat"):
    """Cytometer or sorter → streamer: still here. A cytometer gives its series and its counter now."""

    series: str = ""
    ticks: UInt64 | None = None


class End(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="end"):
    """Cytometer → streamer: the last cell of the series had this seq (-1: there was none)."""

    series: str
    last_seq: Annotated[int, Meta(ge=-1, le=2**63 - 1)]


class Subscribe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="subscribe"):
    """Sorter → streamer: send me decisions from now on, as long as my heartbeats come."""

    version: int
    name: Name


class Unsubscribe(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="unsubscribe"):
    """Sorter → streamer: no more, please."""


class Accepted(msgspec.Struct, frozen=True, tag="accepted"):
    """Streamer → cytometer: the series is open; repeat `schema` in every cells message."""

    version: int
    series: str
    schema: UInt64
    bundle: str
    bundle_sha256: str
    classes: tuple[str, ...]
    ways: tuple[str, ...]
    engine: str
    heartbeat_s: float


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """Streamer → cytometer or sorter: not possible, and why."""

    series: str
    field: str
    found: str
    expected: str


class Status(msgspec.Struct, frozen=True, tag="status"):
    """Streamer → cytometer or sorter, in answer to a heartbeat and once per interval.

    `number` is the number the next decisions message of the series will carry.
    """

    series: str
    state: State
    number: int
    account: Account


class Totals(msgspec.Struct, frozen=True, tag="totals"):
    """Streamer → cytometer and sorter: the series is closed and this is its account.

    `ended` tells by what: `end` (the end message), `lost` (the cytometer fell silent), `stopped` (the streamer
    was stopped) or `replaced` (another series was started in its place).
    """

    series: str
    ended: Literal["end", "lost", "stopped", "replaced"]
    account: Account
    missing: int
    journal: str


class Legend(msgspec.Struct, frozen=True, tag="legend"):
    """Streamer → sorter: what the codes in this series' decision records mean."""

    version: int
    series: str
    bundle: str
    bundle_sha256: str
    classes: tuple[str, ...]
    gates: tuple[str, ...]
    ways: tuple[str, ...]
    reasons: tuple[str, ...]
    timebase: tuple[int, int]
    sort_delay_us: float | None
    actuation_lead_us: float
    number: int
    """The number the next decisions message will carry: a receiver that joins late knows where it came in."""


class DecisionsHeader(msgspec.Struct, frozen=True, tag="decisions"):
    """Streamer → sorter: `n` decision records follow in one part. `number` counts these messages from 0."""

    series: str
    number: int
    n: int


FromCytometer = Start | CellsHeader | Heartbeat | End
FromSorter = Subscribe | Heartbeat | Unsubscribe
ToCytometer = Accepted | Refused | Status | Totals
ToSorter = Legend | DecisionsHeader | Status | Totals | Refused
Message = FromCytometer | FromSorter | ToCytometer | ToSorter
