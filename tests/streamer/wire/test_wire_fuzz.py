"""Whatever bytes come, decoding ends in a message or in a `WireError`: anything else would end the loop."""

from __future__ import annotations

import json
import random
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.vocabulary import Rejection
from streamer.wire import (
    CellsHeader,
    FrameLayout,
    Schema,
    WireError,
    decode_from_cytometer,
    decode_from_sorter,
    decode_to_cytometer,
    decode_to_sorter,
)

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "v1.json").read_text(encoding="utf-8"))
HEADERS = [bytes.fromhex(vector["header"]) for vector in (*VECTORS["messages"], *VECTORS["bad"])]
HEADERS = [header for header in HEADERS if len(header) < 1000]
LAYOUTS = [FrameLayout(msgspec.convert(entry["schema"], Schema)) for entry in VECTORS["schemas"]]
DECODERS = (decode_from_cytometer, decode_from_sorter, decode_to_cytometer, decode_to_sorter)
MUTATIONS = 4000

# What MessagePack can say, extension types and keys that are no text among it.
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=8)
    | st.builds(msgspec.msgpack.Ext, st.integers(-128, 127), st.binary(max_size=12))
)
KEYS = st.sampled_from(["type", "version", "series", "schema", "seq", "n", "ticks", "name", "info"]) | st.text(
    max_size=4
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)
TYPES = st.sampled_from(["start", "cells", "heartbeat", "end", "subscribe", "unsubscribe", "x"]) | SCALARS


def try_all(header: bytes) -> None:
    for decode in DECODERS:
        try:
            message = decode(header)
        except WireError as error:
            assert isinstance(error.reason, Rejection)
            assert len(str(error)) < 600
            continue
        if isinstance(message, CellsHeader):
            try_frames(message, header)


def try_frames(message: CellsHeader, header: bytes) -> None:
    for layout in LAYOUTS:
        for parts in ([], [b""], [b"", b"\x00" * 4]):
            try:
                layout.view(message, header, parts)
            except WireError as error:
                assert isinstance(error.reason, Rejection)


@settings(max_examples=500)
@given(st.binary(max_size=80))
def test_random_bytes(data: bytes) -> None:
    try_all(data)


@settings(max_examples=500)
@given(TYPES, st.dictionaries(KEYS, VALUES, max_size=8), st.integers(0, 3))
def test_random_maps(kind: object, fields: dict[str, object], cut: int) -> None:
    data = msgspec.msgpack.encode({**fields, "type": kind})
    try_all(data[: len(data) - cut])


@settings(max_examples=300)
@given(st.sampled_from(HEADERS), st.binary(max_size=6), st.integers(0, 2**16), st.integers(0, 4))
def test_valid_headers_with_bytes_put_in(header: bytes, data: bytes, place: int, skip: int) -> None:
    at = place % (len(header) + 1)
    try_all(header[:at] + data + header[at + skip :])


@pytest.mark.parametrize("seed", range(4))
def test_mutated_headers(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(MUTATIONS // 4):
        try_all(mutate(rng))


def mutate(rng: random.Random) -> bytes:
    header = bytearray(rng.choice(HEADERS))
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(header) + 1)
        match rng.randrange(5):
            case 0:
                header[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                header[at:at] = bytes([rng.randrange(0x80, 256)])
            case 2:
                del header[at : at + rng.randint(1, 8)]
            case 3:
                other = rng.choice(HEADERS)
                start = rng.randrange(len(other) + 1)
                header[at : at + 4] = other[start : start + rng.randint(1, 30)]
            case _:
                if header:
                    header[at % len(header)] ^= 1 << rng.randrange(8)
    return bytes(header)


@pytest.mark.parametrize(
    "rest",
    [b"\xa7version\xc0\xa1\xff\x01", b"\x81\x01\x02\x03", b"\xa7version\xd7\xff" + b"\xff" * 8, b"\xa7version\xa1\xff"],
    ids=["not UTF-8 after a wrong field", "a map as key", "an impossible timestamp", "a version that is not UTF-8"],
)
def test_two_mistakes_at_once(rest: bytes) -> None:
    """Which of the two is told is open; that it is told is not."""
    for count in (2, 3):
        with pytest.raises(WireError):
            decode_from_cytometer(bytes([0x80 + count]) + b"\xa4type\xa5start" + rest)


def test_every_truncation_of_every_message() -> None:
    for header in HEADERS:
        for length in range(len(header)):
            try_all(header[:length])


def test_a_header_over_a_mebibyte_is_not_even_parsed() -> None:
    for decode in DECODERS:
        with pytest.raises(WireError) as caught:
            decode(bytes((1 << 20) + 1))
        assert caught.value.reason is Rejection.OVERSIZED


def test_a_large_header_of_nonsense_is_told_shortly() -> None:
    try_all(msgspec.msgpack.encode({"type": "start", "version": "v" * 900_000}))
    try_all(msgspec.msgpack.encode({"type": "x" * 900_000}))
    try_all(msgspec.msgpack.encode({"type": ["x" * 900_000]}))
    try_all(b"\xdd\x00\x0f\x00\x00" + b"\x80" * 0x0F0000)
    try_all(b"\x82\xa4type\xa5start\xa1x" + b"\x91" * 1_000_000)
