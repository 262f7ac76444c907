"""The telemetry snapshot: what the loop publishes about itself, a few times a second."""

from __future__ import annotations

import msgspec

from streamer.vocabulary import Account
from streamer.wire._messages import State


class HistogramData(msgspec.Struct, frozen=True):
    """A cumulative-since-start histogram.

    `edges` are the ascending upper bounds (inclusive) of the first `len(edges)` buckets, in the unit of the
    histogram's name; `counts` has one more entry, for what lies above the last edge. `sum` is the sum of all values.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float


class JournalHealth(msgspec.Struct, frozen=True):
    """How far the journal is: records handed over, written and synced to disk, dropped; `fault` is empty when well."""

    handed: int = 0
    written: int = 0
    synced: int = 0
    dropped: int = 0
    fault: str = ""


class RecordingHealth(msgspec.Struct, frozen=True):
    """What has become of the frames to be recorded, in cells; see `wire.Handed` and `wire.Taken`.

    `offered = handed + Σ skipped`; of the `handed`, what is not `recorded`, `not_asked`, `lost` or `dropped` is on its
    way or has not been reported yet.
    """

    what: str
    recorder: str
    """Its name; empty while there is none."""
    offered: int = 0
    handed: int = 0
    skipped: dict[str, int] = {}
    recorded: int = 0
    not_asked: int = 0
    lost: int = 0
    dropped: dict[str, int] = {}


class BundleCount(msgspec.Struct, frozen=True):
    """How many cells a bundle has decided; also those that went to waste, while it was in use, without its answer."""

    bundle: str
    bundle_sha256: str
    cells: int


class Snapshot(msgspec.Struct, frozen=True, tag="snapshot"):
    """The state of a streamer at one moment.

    `account` is of the current (or, between series, the last) series and restarts with each; `lifetime` adds all
    series since start, and is what monotonic counters are made of. Latencies are in seconds. `classes` and `ways`
    count decided cells by name since start; `class_mix` the same of the current series.
    """

    time_ns: int
    """Wall clock (Unix) of the snapshot."""
    started_ns: int
    number: int
    """Counts snapshots from 0: a subscriber sees gaps."""
    interval_s: float
    state: State
    engine: str
    bundle: str
    bundle_sha256: str
    series: str
    """Empty between series."""
    series_started_ns: int
    sort_delay_us: float | None
    actuation_lead_us: float
    account: Account
    lifetime: Account
    class_mix: dict[str, int]
    classes: dict[str, int]
    ways: dict[str, int]
    waiting: int
    """Cells in slots that wait for the engine."""
    in_flight: int
    """Cells on the engine."""
    slots: int
    receivers: int
    """Subscribed decision receivers."""
    histograms: dict[str, HistogramData]
    """`latency_from_arrival_seconds`, `latency_from_trigger_seconds`, `deadline_slack_seconds`, `batch_size_cells`,
    `queue_depth_cells`, `engine_seconds`."""
    journal: JournalHealth
    recording: RecordingHealth | None = None
    """Since start; None where nothing is to be recorded."""
    bundles: tuple[BundleCount, ...] = ()
    """By bundle, the cells decided since the start."""
    engine_out: str = ""
    """Why no engine is in use and cells go to waste; empty while one is."""
    engine_faults: int = 0
    """Batches that failed."""
    engine_rebuilds: int = 0
    """Engines that took over from one that was out of order."""
    swaps: int = 0
    """Bundles that took over from another."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Snapshot)


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """Return the snapshot as MessagePack."""
    return _encoder.encode(snapshot)


def decode_snapshot(data: bytes) -> Snapshot:
    """Return the snapshot in these bytes; `msgspec.DecodeError` where there is none."""
    return _decoder.decode(data)
