"""Frames packed by an independent hand and viewed by `FrameLayout`, for all kinds of series."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from streamer.vocabulary import Rejection
from streamer.wire import CellsHeader, FrameLayout, Schema, WireError, encode

DTYPES = st.sampled_from(["uint8", "uint16", "float32"])
SMALL = st.integers(1, 6)
CHECKSUMS = st.sampled_from(["none", "crc32"])


def random_frames(seed: int, shape: tuple[int, ...], dtype: str) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(seed)
    if dtype == "float32":
        return rng.normal(size=shape).astype(np.float32)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def schema_of(channels: int, dtype: Any, shape: tuple[int, int] | None, checksum: Any, **more: Any) -> Schema:
    names = tuple(f"c{i}" for i in range(channels))
    return Schema(channels=names, dtype=dtype, timebase=(1, 1000), shape=shape, checksum=checksum, **more)


def header_of(n: int, shapes: bytes | None = None) -> CellsHeader:
    return CellsHeader("s", 0, n, 0, np.arange(n, dtype="<u8").tobytes(), shapes)


def sealed(schema: Schema, header: CellsHeader, parts: list[bytes]) -> list[bytes]:
    """Add the checksum part, where the schema has one."""
    if schema.checksum == "none":
        return parts
    return [*parts, zlib.crc32(encode(header) + b"".join(parts)).to_bytes(4, "little")]


def reason_of(schema: Schema, header: CellsHeader, parts: list[bytes]) -> Rejection:
    with pytest.raises(WireError) as caught:
        FrameLayout(schema).view(header, encode(header), parts)
    return caught.value.reason


@given(DTYPES, SMALL, SMALL, SMALL, SMALL, CHECKSUMS, st.booleans(), st.integers(0, 2**32))
def test_block_round_trip(
    dtype: str, n: int, channels: int, height: int, width: int, checksum: str, views: bool, seed: int
) -> None:
    schema = schema_of(channels, dtype, (height, width), checksum)
    frames = random_frames(seed, (n, channels, height, width), dtype)
    header = header_of(n)
    parts: list[Any] = sealed(schema, header, [frames.astype(frames.dtype.newbyteorder("<")).tobytes()])
    found = FrameLayout(schema).view(header, encode(header), [memoryview(part) for part in parts] if views else parts)
    assert isinstance(found, np.ndarray)
    np.testing.assert_array_equal(found, frames, strict=True)
    assert np.shares_memory(found, np.frombuffer(parts[0], np.uint8))


@given(DTYPES, SMALL, CHECKSUMS, st.data(), st.integers(0, 2**32))
def test_per_cell_round_trip(dtype: str, channels: int, checksum: str, data: st.DataObject, seed: int) -> None:
    sizes = data.draw(st.lists(st.tuples(SMALL, SMALL, st.booleans()), min_size=1, max_size=8))
    schema = schema_of(channels, dtype, None, checksum, max_shape=(6, 6))
    frames = [
        None if lost else random_frames(seed + i, (channels, height, width), dtype)
        for i, (height, width, lost) in enumerate(sizes)
    ]
    header = header_of(len(sizes), np.array([size[:2] for size in sizes], "<u2").tobytes())
    parts = sealed(schema, header, [b"" if frame is None else frame.tobytes() for frame in frames])
    found = FrameLayout(schema).view(header, encode(header), parts)
    assert isinstance(found, list)
    for seen, sent in zip(found, frames, strict=True):
        if seen is None or sent is None:
            assert seen is sent
        else:
            np.testing.assert_array_equal(seen, sent, strict=True)


@given(DTYPES, SMALL, SMALL, CHECKSUMS, st.integers(-200, 200))
def test_a_block_of_another_length_is_rejected(dtype: str, n: int, channels: int, checksum: str, by: int) -> None:
    schema, header = schema_of(channels, dtype, (2, 3), checksum), header_of(n)
    want = n * channels * 6 * np.dtype(dtype).itemsize
    assume(by != 0 and want + by >= 0)
    reason = reason_of(schema, header, sealed(schema, header, [bytes(want + by)]))
    assert reason is (Rejection.TRUNCATED if by < 0 else Rejection.OVERSIZED)


@given(SMALL, CHECKSUMS, st.integers(0, 9), st.booleans())
def test_another_number_of_parts_is_rejected(n: int, checksum: str, count: int, each: bool) -> None:
    if each:
        schema = schema_of(1, "uint8", None, checksum)
        header, want, part = header_of(n, b"\x01\x00\x01\x00" * n), n, b"\x07"
    else:
        schema = schema_of(1, "uint8", (1, 1), checksum)
        header, want, part = header_of(n), 1, b"\x07" * n
    assume(count != want)
    assert reason_of(schema, header, sealed(schema, header, [part] * count)) is Rejection.WRONG_PARTS


@given(st.binary(min_size=1, max_size=60), st.data())
def test_one_flipped_bit_anywhere_is_found(frames: bytes, data: st.DataObject) -> None:
    schema, header = schema_of(1, "uint8", (1, len(frames)), "crc32"), header_of(1)
    head = encode(header)
    parts = sealed(schema, header, [frames])
    which = data.draw(st.integers(0, 2))
    place = data.draw(st.integers(0, 8 * len([head, *parts][which]) - 1))
    flipped = [bytearray(data) for data in (head, *parts)]
    flipped[which][place // 8] ^= 1 << place % 8
    with pytest.raises(WireError) as caught:
        FrameLayout(schema).view(header, bytes(flipped[0]), [bytes(part) for part in flipped[1:]])
    assert caught.value.reason is Rejection.CHECKSUM


@settings(max_examples=300)
@given(
    st.lists(st.binary(max_size=40), max_size=4),
    st.integers(1, 5),
    st.binary(max_size=40),
    st.none() | st.binary(max_size=20),
    st.none() | st.just((1, 2)),
    CHECKSUMS,
)
def test_nothing_but_a_wire_error_comes_of_random_parts(
    parts: list[bytes], n: int, ticks: bytes, shapes: bytes | None, shape: tuple[int, int] | None, checksum: str
) -> None:
    schema = schema_of(2, "uint16", shape, checksum)
    header = CellsHeader("s", 0, n, 0, ticks, shapes)
    try:
        frames = FrameLayout(schema).view(header, encode(header), parts)
    except WireError:
        return
    assert len(frames) == n


def test_views_are_read_only_where_the_bytes_are() -> None:
    schema, header = schema_of(1, "uint8", (2, 2), "none"), header_of(1)
    frames = FrameLayout(schema).view(header, encode(header), [b"abcd"])
    assert isinstance(frames, np.ndarray)
    assert not frames.flags.writeable


def test_the_largest_shapes_are_within_the_limits() -> None:
    schema = schema_of(1, "uint8", None, "none")
    header = header_of(1, np.array([[4096, 4096]], "<u2").tobytes())
    frames = FrameLayout(schema).view(header, encode(header), [bytes(4096 * 4096)])
    assert frames[0] is not None
    assert frames[0].shape == (1, 4096, 4096)
