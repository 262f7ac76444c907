"""One vector or more of every message there is."""

from __future__ import annotations

import struct
from typing import Any

from tests.vectors.bytes_by_hand import pack
from tests.vectors.messages import (
    ACCOUNT,
    BLOCK,
    BLOCK_CRC,
    BUNDLE,
    CLASSES,
    EACH,
    EACH_CRC,
    ONE_LOST,
    REASONS,
    RECORD,
    RECORD_FIELDS,
    RECORDS,
    TICKS,
    cells,
    described,
    message,
    start,
    totals,
    with_crc,
)
from tests.vectors.schemas import Vector, schema_hash


def good_messages() -> list[Vector]:
    """Return one vector or more of every message there is."""
    toward, back = ("cytometer", "streamer"), ("streamer", "cytometer")
    sorter, to_sorter = ("sorter", "streamer"), ("streamer", "sorter")
    crc = cells("block_crc", 2**40, TICKS)
    return [
        message("start", *toward, start("block")),
        message(
            "start_full",
            *toward,
            start(
                "each",
                series="A.b_c-9",
                ticks=2**64 - 1,
                sort_delay_us=2500.5,
                actuation_lead_us=120.0,
                info={"operator": "Ångström", "chip": "K7"},
            ),
        ),
        message("start_crc", *toward, start("block_crc", ticks=0)),
        _start_in_other_words(),
        message("cells_one", *toward, cells("byte", 0, [5]), [b"\x2a"], schema="byte", frames=[[[[42]]]]),
        message(
            "cells_block",
            *toward,
            cells("block", 7, TICKS),
            [BLOCK],
            schema="block",
            frames=_nested([17 * i + 250 for i in range(120)], (2, 3, 4, 5)),
        ),
        message(
            "cells_block_crc",
            *toward,
            crc,
            with_crc(crc, [BLOCK_CRC]),
            schema="block_crc",
            frames=_nested(list(range(24)), (2, 2, 2, 3)),
        ),
        message(
            "cells_each_one_lost",
            *toward,
            EACH,
            ONE_LOST,
            schema="each",
            frames=[
                [[[0.0, 1.0, -2.5], [3e4, 0.125, 65535.0]]],
                None,
                _nested([float(i) for i in range(48)], (1, 8, 6)),
            ],
        ),
        message(
            "cells_each_crc_all_lost",
            *toward,
            EACH_CRC,
            with_crc(EACH_CRC, [b"", b""]),
            schema="each_crc",
            frames=[None, None],
        ),
        message("heartbeat_cytometer", *toward, {"type": "heartbeat", "series": "run-1", "ticks": 2**63}),
        _end_by_hand(),
        message("end_of_nothing", *toward, {"type": "end", "series": "run-1", "last_seq": -1}),
        message("end_far", *toward, {"type": "end", "series": "run-1", "last_seq": 2**63 - 1}),
        message(
            "accepted",
            *back,
            {
                "type": "accepted",
                "version": 1,
                "series": "run-1",
                "schema": schema_hash("block"),
                **BUNDLE,
                "classes": CLASSES,
                "ways": ["waste", "left"],
                "engine": "openvino",
                "heartbeat_s": 1.0,
            },
        ),
        message(
            "refused",
            *back,
            {
                "type": "refused",
                "series": "run-2",
                "field": "series",
                "found": "run-1",
                "expected": "none open",
            },
        ),
        message(
            "status", *back, {"type": "status", "series": "run-1", "state": "armed", "number": 62, "account": ACCOUNT}
        ),
        message("totals", *back, totals()),
        message("subscribe", *sorter, {"type": "subscribe", "version": 1, "name": "valve"}),
        message("heartbeat_sorter", *sorter, {"type": "heartbeat", "series": "", "ticks": None}),
        described("heartbeat_short", *sorter, pack({"type": "heartbeat"}), {"type": "heartbeat"}, reencodes=False),
        message("unsubscribe", *sorter, {"type": "unsubscribe"}),
        message(
            "legend",
            *to_sorter,
            {
                "type": "legend",
                "version": 1,
                "series": "run-1",
                **BUNDLE,
                "classes": CLASSES,
                "gates": ["mitotic"],
                "ways": ["waste", "left"],
                "reasons": REASONS,
                "timebase": [1, 1_000_000_000],
                "sort_delay_us": 2000.0,
                "actuation_lead_us": 100.0,
                "number": 61,
            },
        ),
        message(
            "decisions",
            *to_sorter,
            {"type": "decisions", "series": "run-1", "number": 61, "n": len(RECORDS)},
            [b"".join(struct.pack(RECORD, *record) for record in RECORDS)],
            records=[dict(zip(RECORD_FIELDS, record, strict=True)) for record in RECORDS],
        ),
        message("totals_to_sorter", *to_sorter, totals()),
    ]


def _start_in_other_words() -> Vector:
    """Return a start message as another MessagePack library might write it: valid, but not in the shortest form.

    Its map is a map16, keys are in another order and in str8, integers in 64 bits, the float in 32; what has a
    default is left out.
    """

    def key(text: str) -> bytes:
        return b"\xd9" + bytes([len(text)]) + text.encode()

    schema = (
        b"\x84"
        + (key("timebase") + b"\x92\xcf" + (1).to_bytes(8, "big") + b"\xcf" + (10**6).to_bytes(8, "big"))
        + (key("dtype") + b"\xa5uint8")
        + (key("shape") + b"\xdc\x00\x02\xcd\x00\x01\xd1\x00\x01")
        + (key("channels") + b"\xdd\x00\x00\x00\x01\xd9\x01a")
    )
    header = (
        b"\xde\x00\x06"
        + (key("ticks") + b"\xcf" + (99).to_bytes(8, "big"))
        + (key("schema") + schema)
        + (key("series") + b"\xda\x00\x02s1")
        + (key("version") + b"\xd3" + (1).to_bytes(8, "big"))
        + (key("sort_delay_us") + b"\xca" + struct.pack(">f", 1500.5))
        + (key("type") + b"\xa5start")
    )
    fields = {
        "type": "start",
        "version": 1,
        "series": "s1",
        "schema": {"channels": ["a"], "dtype": "uint8", "timebase": [1, 10**6], "shape": [1, 1]},
        "ticks": 99,
        "sort_delay_us": 1500.5,
    }
    return described("start_in_other_words", "cytometer", "streamer", header, fields, reencodes=False)


def _end_by_hand() -> Vector:
    """Return the end message typed out, byte by byte, as docs/protocol.md explains it."""
    header = bytes.fromhex(
        "83"  # a map of three
        "a4 74797065 a3 656e64"  # "type": "end"
        "a6 736572696573 a5 72756e2d31"  # "series": "run-1"
        "a8 6c6173745f736571 cd 03e7"  # "last_seq": 999
    )
    return described("end", "cytometer", "streamer", header, {"type": "end", "series": "run-1", "last_seq": 999})


def _nested(values: list[Any], shape: tuple[int, ...]) -> list[Any]:
    if len(shape) == 1:
        return values
    step = len(values) // shape[0]
    return [_nested(values[i : i + step], shape[1:]) for i in range(0, len(values), step)]
