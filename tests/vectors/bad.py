"""What must be set aside, and under which reason."""

from __future__ import annotations

import struct
from typing import Any

from tests.vectors.bytes_by_hand import pack
from tests.vectors.messages import BLOCK, BLOCK_CRC, EACH, ONE_LOST, TICKS, cells, start, totals, with_crc
from tests.vectors.schemas import SCHEMAS, Vector


def bad(
    name: str, rejection: str, header: bytes | Vector | list[Any], parts: list[bytes] | None = None, **more: object
) -> Vector:
    """Return the vector of a message to the streamer that gets this rejection.

    `stage` tells what finds it: `header` (the header alone), `parts` (with the series' schema, given as `schema`)
    or `series` (what came before, given as `given`).
    """
    data = header if isinstance(header, bytes) else pack(header)
    hexed = [part.hex() for part in parts or []]
    rest = {"socket": "cells", "stage": "header"} | more
    return {"name": name, "rejection": rejection, **rest, "header": data.hex(), "parts": hexed}


def bad_messages() -> list[Vector]:
    """Return the messages that must be set aside."""
    return [
        *_bad_bytes(),
        *_bad_types(),
        *_bad_versions(),
        *_bad_fields(),
        *_bad_parts(),
        *_bad_each(),
        *_bad_in_series(),
    ]


def _bad_bytes() -> list[Vector]:
    end = pack({"type": "end", "series": "run-1", "last_seq": 999})
    head = b"\x82" + pack("type") + pack("start")
    deep = b"\x91" * 5000 + b"\x01"
    return [
        bad("empty_header", "malformed", b""),
        bad("not_messagepack", "malformed", b"\xc1"),
        bad("json", "malformed", b'{"type":"end","series":"run-1","last_seq":999}'),
        bad("array_for_map", "malformed", ["end", "run-1", 999]),
        bad("nil", "malformed", b"\xc0"),
        bad("cut_short", "malformed", end[:-1]),
        bad("trailing_byte", "malformed", end + b"\x00"),
        bad("array_of_4_billion", "malformed", b"\xdd\xff\xff\xff\xff"),
        bad("map_of_4_billion", "malformed", b"\xdf\xff\xff\xff\xff"),
        bad("not_utf8", "malformed", b"\x83" + pack("type") + pack("end") + pack("series") + b"\xa1\xff"),
        bad("wrong_field_then_cut_short", "malformed", b"\x83" + head[1:] + pack("version") + pack("1") + b"\xa3"),
        bad("unknown_field_then_cut_short", "malformed", head + pack("x") + b"\xd9"),
        bad("nested_5000_deep", "malformed", head + pack("x") + deep),
        bad("array_nested_5000_deep", "malformed", deep),
    ]


def _bad_types() -> list[Vector]:
    return [
        bad("no_type", "unknown_type", {"series": "run-1", "last_seq": 999}),
        bad("empty_map", "unknown_type", {}),
        bad("unknown_type", "unknown_type", {"type": "stop", "series": "run-1"}),
        bad("type_is_a_number", "unknown_type", {"type": 3}),
        bad("type_of_the_other_socket", "unknown_type", {"type": "subscribe", "version": 1, "name": "valve"}),
        bad("cells_to_decisions", "unknown_type", cells("byte", 0, [5]), [b"\x2a"], socket="decisions"),
        bad("type_of_the_streamer", "unknown_type", totals()),
    ]


def _bad_versions() -> list[Vector]:
    return [
        bad("start_of_version_2_as_it_was", "unknown_version", start("block", version=2), stage="series"),
        bad("start_of_version_2_with_more", "unknown_version", start("block", version=2, laser="488")),
        bad("start_of_version_2_with_less", "unknown_version", {"type": "start", "version": 2}),
        bad(
            "subscribe_of_version_0",
            "unknown_version",
            {"type": "subscribe", "version": 0, "name": "valve"},
            stage="series",
            socket="decisions",
        ),
        bad(
            "subscribe_of_version_2_with_more",
            "unknown_version",
            {"type": "subscribe", "version": 2, "name": "valve", "way": "left"},
            socket="decisions",
        ),
    ]


def _bad_fields() -> list[Vector]:
    def schema(**more: object) -> Vector:
        return start("block", schema=SCHEMAS["block"] | more)

    wrong: dict[str, Vector] = {
        "field_missing": {"type": "end", "series": "run-1"},
        "field_unknown": {"type": "end", "series": "run-1", "last_seq": 9, "why": "done"},
        "last_seq_below_minus_one": {"type": "end", "series": "run-1", "last_seq": -2},
        "series_not_text": {"type": "end", "series": 1, "last_seq": 9},
        "integer_as_float": {"type": "end", "series": "run-1", "last_seq": 9.0},
        "integer_as_bool": {"type": "end", "series": "run-1", "last_seq": True},
        "ticks_negative": start("block", ticks=-1),
        "series_empty": start("block", series=""),
        "series_a_path": start("block", series="../run"),
        "series_with_line_feed": start("block", series="run-1\n"),
        "series_too_long": start("block", series="r" * 65),
        "sort_delay_negative": start("block", sort_delay_us=-0.5),
        "sort_delay_over_a_minute": start("block", sort_delay_us=60_000_000.5),
        "sort_delay_nan": start("block", sort_delay_us=float("nan")),
        "sort_delay_infinite": start("block", sort_delay_us=float("inf")),
        "info_of_65": start("block", info={f"k{i}": "" for i in range(65)}),
        "info_text_too_long": start("block", info={"k": "x" * 1025}),
        "info_not_text": start("block", info={"k": 1}),
        "schema_unknown_field": schema(gain=2),
        "channels_none": schema(channels=[]),
        "channels_65": schema(channels=[f"c{i}" for i in range(65)]),
        "channel_unnamed": schema(channels=["a", ""]),
        "channel_name_too_long": schema(channels=["c" * 65]),
        "dtype_unknown": schema(dtype="int16"),
        "dtype_big_endian": schema(dtype=">u2"),
        "timebase_of_nothing": schema(timebase=[0, 1]),
        "timebase_over_nothing": schema(timebase=[1, 0]),
        "timebase_of_three": schema(timebase=[1, 2, 3]),
        "shape_empty": schema(shape=[0, 4]),
        "shape_too_large": schema(shape=[4, 4097]),
        "shape_of_three": schema(shape=[3, 4, 4]),
        "checksum_unknown": schema(checksum="crc64"),
        "n_zero": cells("byte", 0, [], n=0),
        "n_too_large": cells("byte", 0, [], n=65_537),
        "seq_negative": cells("byte", -1, [5]),
        "seq_too_large": cells("byte", 2**63, [5]),
        "schema_hash_as_text": cells("byte", 0, [5], schema="0"),
        "ticks_as_text": cells("byte", 0, [5], ticks="12345678"),
        "ticks_as_list": cells("byte", 0, [5], ticks=[5]),
    }
    vectors = [bad(name, "wrong_type", fields) for name, fields in wrong.items()]
    unnamed = {"type": "subscribe", "version": 1, "name": ""}
    return [*vectors, bad("subscriber_unnamed", "wrong_type", unnamed, socket="decisions")]


def _bad_parts() -> list[Vector]:
    def block(name: str, rejection: str, parts: list[bytes], **fields: object) -> Vector:
        return bad(name, rejection, cells("block", 7, TICKS) | fields, parts, stage="parts", schema="block")

    frames = BLOCK
    header = cells("block_crc", 2**40, TICKS)
    right = with_crc(header, [BLOCK_CRC])
    flipped = bytes([BLOCK_CRC[0] ^ 1]) + BLOCK_CRC[1:]
    vectors = [
        block("no_part", "wrong_parts", []),
        block("part_too_many", "wrong_parts", [frames, b""]),
        block("part_per_cell", "wrong_parts", [frames[:120], frames[120:]]),
        block("frames_cut_short", "truncated", [frames[:-1]]),
        block("frames_empty", "truncated", [b""]),
        block("frames_too_long", "oversized", [frames + b"\x00"]),
        block("frames_of_one_cell_more", "oversized", [frames + frames[:120]]),
        block("ticks_for_one_cell", "wrong_type", [frames], ticks=struct.pack("<Q", 5)),
        block("ticks_empty", "wrong_type", [frames], ticks=b""),
        block("shapes_where_all_are_alike", "wrong_shape", [frames], shapes=struct.pack("<4H", 4, 5, 4, 5)),
    ]
    for name, parts in {
        "checksum_absent": right[:1],
        "checksum_wrong": [right[0], b"\x00\x00\x00\x00"],
        "checksum_big_endian": [right[0], right[1][::-1]],
        "checksum_of_8_bytes": [right[0], right[1] + b"\x00" * 4],
        "checksum_first": right[::-1],
        "bit_flipped": [flipped, right[1]],
        "no_part_at_all": [],
    }.items():
        vectors.append(bad(name, "checksum", header, parts, stage="parts", schema="block_crc"))
    other = header | {"seq": 5}
    vectors.append(bad("header_altered", "checksum", other, right, stage="parts", schema="block_crc"))
    return vectors


def _bad_each() -> list[Vector]:
    def each(name: str, rejection: str, parts: list[bytes], **fields: object) -> Vector:
        return bad(name, rejection, EACH | fields, parts, stage="parts", schema="each")

    first, lost, last = ONE_LOST
    return [
        each("shapes_absent", "wrong_shape", [first, lost, last], shapes=None),
        each("shapes_for_two", "wrong_shape", [first, lost, last], shapes=struct.pack("<4H", 2, 3, 1, 1)),
        each("shape_of_no_height", "wrong_shape", [first, lost, last], shapes=struct.pack("<6H", 2, 3, 0, 1, 8, 6)),
        each("shape_over_max", "wrong_shape", [first, lost, last], shapes=struct.pack("<6H", 2, 3, 1, 1, 9, 6)),
        each("frame_absent", "wrong_parts", [first, last]),
        each("frames_in_one_part", "wrong_parts", [first + last]),
        each("frame_cut_short", "truncated", [first, lost, last[:-4]]),
        each("frame_too_long", "oversized", [first + b"\x00", lost, last]),
        bad(
            "shape_over_4096",
            "wrong_shape",
            cells("each_crc", 0, [10], shapes=struct.pack("<2H", 4097, 1)),
            with_crc(cells("each_crc", 0, [10], shapes=struct.pack("<2H", 4097, 1)), [b""]),
            stage="parts",
            schema="each_crc",
        ),
    ]


def _bad_in_series() -> list[Vector]:
    def late(name: str, rejection: str, given: str, fields: Vector) -> Vector:
        return bad(name, rejection, fields, [b"\x2a"], stage="series", schema="byte", given=given)

    return [
        late("cells_before_start", "out_of_series", "no series is open", cells("byte", 0, [5])),
        late("cells_of_another_series", "out_of_series", "series run-1 is open", cells("byte", 0, [5], series="run-2")),
        late("cells_after_end", "out_of_series", "run-1 was ended", cells("byte", 1, [5])),
        late("another_schema", "wrong_schema", "run-1 is open with 'byte'", cells("byte", 0, [5], schema=1)),
        late("too_far_ahead", "seq_range", "seq 0 came", cells("byte", 1 + 1_048_576 + 1, [5])),
        late("too_far_behind", "seq_range", "seq 0 to 65536 came", cells("byte", 0, [5])),
    ]
