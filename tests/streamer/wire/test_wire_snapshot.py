"""The telemetry snapshot survives the way through MessagePack."""

from __future__ import annotations

import msgspec
import pytest

from streamer.vocabulary import Account
from streamer.wire import HistogramData, JournalHealth, Snapshot, decode_snapshot, encode_snapshot

SNAPSHOT = Snapshot(
    time_ns=2,
    started_ns=1,
    number=3,
    interval_s=0.25,
    state="armed",
    engine="openvino",
    bundle="digital",
    bundle_sha256="ab" * 32,
    series="",
    series_started_ns=0,
    sort_delay_us=None,
    actuation_lead_us=0,
    account=Account(sent=3, received=2, decided=2, kept=1, not_kept={"late": 1}),
    lifetime=Account(sent=30),
    class_mix={"G1": 2},
    classes={"G1": 20},
    ways={"waste": 19, "left": 1},
    waiting=0,
    in_flight=0,
    slots=4096,
    receivers=1,
    histograms={"engine_seconds": HistogramData((0.001, 0.01), (1, 2, 0), 0.0042)},
    journal=JournalHealth(handed=2, written=2),
)


def test_round_trip() -> None:
    assert decode_snapshot(encode_snapshot(SNAPSHOT)) == SNAPSHOT


def test_it_is_tagged_and_a_later_field_does_no_harm() -> None:
    raw = msgspec.msgpack.decode(encode_snapshot(SNAPSHOT))
    assert raw["type"] == "snapshot"
    assert decode_snapshot(msgspec.msgpack.encode({**raw, "later": 1})) == SNAPSHOT


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x80", msgspec.msgpack.encode({"type": "status"})])
def test_what_is_no_snapshot_is_refused(data: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_snapshot(data)
