"""The decision record is 40 bytes with every field where docs/protocol.md puts it."""

from __future__ import annotations

import struct

import numpy as np

from streamer.vocabulary import WASTE, Reason
from streamer.wire import DECISION, NO_CLASS, NO_DEADLINE_SLACK, NO_GATE

OFFSETS = {
    "seq": 0,
    "ticks": 8,
    "actuate": 16,
    "class_": 24,
    "gate": 26,
    "way": 28,
    "reason": 29,
    "reserved": 30,
    "confidence": 32,
    "slack_us": 36,
}


def test_layout() -> None:
    assert DECISION.itemsize == 40
    assert {name: DECISION.fields[name][1] for name in DECISION.names or ()} == OFFSETS  # type: ignore[index]


def test_bytes() -> None:
    record = np.zeros(1, DECISION)
    record[0] = (1, 2**64 - 1, 3, -1, 7, 2, Reason.LATE, 0, 0.5, -9)
    assert record.tobytes() == struct.pack("<QQQhhBBHfi", 1, 2**64 - 1, 3, -1, 7, 2, 6, 0, 0.5, -9)


def test_the_sentinels_fit_their_fields() -> None:
    record = np.zeros(1, DECISION)
    record["class_"], record["gate"], record["slack_us"] = NO_CLASS, NO_GATE, NO_DEADLINE_SLACK
    assert record[0].item()[3:5] == (-1, -1)
    assert record["slack_us"][0] == np.iinfo(np.int32).max


def test_reason_codes_never_change() -> None:
    assert WASTE == "waste"
    assert [(reason.value, reason.label) for reason in Reason] == [
        (0, "kept"),
        (1, "not_in_gate"),
        (2, "uncertain"),
        (3, "unfamiliar"),
        (4, "coincident"),
        (5, "incomplete"),
        (6, "late"),
        (7, "overload"),
        (8, "engine_fault"),
        (9, "disarmed"),
        (10, "stopped"),
        (11, "waste_gate"),
        (12, "target_reached"),
        (13, "hardware_abort"),
        (14, "rate_limit"),
        (15, "clock"),
    ]
