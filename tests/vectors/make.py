"""Write v1.json, the test vectors of wire protocol version 1.

    python tests/vectors/make.py

Nothing of Cellgate is imported: MessagePack, CRC-32 and the schema hash are written out below from their
specifications, so that the vectors test Cellgate's own code instead of repeating it. Whoever implements the
protocol in another language needs v1.json alone; docs/protocol.md tells what stands in it.
"""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).with_name("v1.json")
Vector = dict[str, Any]

# --- MessagePack, as its specification says: every value in its shortest form, every float in 64 bits.


def pack(value: object) -> bytes:
    """Return the MessagePack bytes of a header value."""
    match value:
        case None:
            return b"\xc0"
        case bool():
            return b"\xc3" if value else b"\xc2"
        case int():
            return _pack_int(value)
        case float():
            return b"\xcb" + struct.pack(">d", value)
        case str():
            data = value.encode()
            return _head(len(data), (0xA0, 32), (0xD9, 0xDA, 0xDB)) + data
        case bytes():
            return _head(len(value), (0, 0), (0xC4, 0xC5, 0xC6)) + value
        case list():
            return _head(len(value), (0x90, 16), (None, 0xDC, 0xDD)) + b"".join(map(pack, value))
        case dict():
            pairs = b"".join(pack(key) + pack(item) for key, item in value.items())
            return _head(len(value), (0x80, 16), (None, 0xDE, 0xDF)) + pairs
    raise TypeError(type(value))


def _pack_int(value: int) -> bytes:
    if value < 0:
        if value < -32:
            raise ValueError(value)  # the protocol has -1 alone
        return struct.pack(">b", value)
    if value < 128:
        return bytes([value])
    for code, form, bits in ((0xCC, ">B", 8), (0xCD, ">H", 16), (0xCE, ">I", 32), (0xCF, ">Q", 64)):
        if value < 1 << bits:
            return bytes([code]) + struct.pack(form, value)
    raise ValueError(value)


def _head(length: int, fix: tuple[int, int], codes: tuple[int | None, int, int]) -> bytes:
    """Return the bytes that announce a string, bytes, array or map of this length."""
    base, limit = fix
    if length < limit:
        return bytes([base + length])
    for code, form, size in zip(codes, (">B", ">H", ">I"), (1 << 8, 1 << 16, 1 << 32), strict=True):
        if code is not None and length < size:
            return bytes([code]) + struct.pack(form, length)
    raise ValueError(length)


# --- CRC-32 (IEEE 802.3), bit by bit: polynomial 0xEDB88320 reflected, start and end inverted.


def crc32(data: bytes) -> int:
    """Return the CRC-32 of these bytes."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xEDB88320 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


# --- Schemas and their hashes.

SCHEMAS: dict[str, Vector] = {
    "block": {
        "channels": ["brightfield", "PI", "darkfield"],
        "dtype": "uint16",
        "timebase": [1, 1_000_000_000],
        "shape": [4, 5],
        "max_shape": None,
        "checksum": "none",
    },
    "block_crc": {
        "channels": ["Kanal µ", "b"],
        "dtype": "uint8",
        "timebase": [1, 10_000_000],
        "shape": [2, 3],
        "max_shape": None,
        "checksum": "crc32",
    },
    "each": {
        "channels": ["a"],
        "dtype": "float32",
        "timebase": [1001, 30_000_000],
        "shape": None,
        "max_shape": [8, 6],
        "checksum": "none",
    },
    "each_crc": {
        "channels": ["a"],
        "dtype": "uint8",
        "timebase": [1, 1],
        "shape": None,
        "max_shape": None,
        "checksum": "crc32",
    },
    "byte": {
        "channels": ["a"],
        "dtype": "uint8",
        "timebase": [1, 1_000_000_000],
        "shape": [1, 1],
        "max_shape": None,
        "checksum": "none",
    },
}


def schema_text(schema: Vector) -> str:
    """Return the text whose SHA-256 gives the schema hash."""

    def size(shape: list[int] | None) -> str:
        return "x".join(map(str, shape)) if shape else "-"

    lines = [
        "channels=" + "".join(f"{len(name.encode())}:{name}" for name in schema["channels"]),
        "dtype=" + schema["dtype"],
        "timebase=" + "/".join(map(str, schema["timebase"])),
        "shape=" + size(schema["shape"]),
        "max_shape=" + size(schema["max_shape"]),
        "checksum=" + schema["checksum"],
    ]
    return "".join(line + "\n" for line in lines)


def schema_hash(name: str) -> int:
    """Return the hash of a schema of `SCHEMAS`."""
    digest = hashlib.sha256(schema_text(SCHEMAS[name]).encode()).digest()
    hash_: int = struct.unpack("<Q", digest[:8])[0]
    return hash_


# --- Messages. A vector's `fields` are what the header says; bytes stand as {"hex": ...}.


def message(
    name: str, sender: str, to: str, fields: Vector, parts: list[bytes] | None = None, **more: object
) -> Vector:
    """Return the vector of one message whose header is packed from `fields`, in their order."""
    return described(name, sender, to, pack(fields), fields, parts, **more)


def described(
    name: str, sender: str, to: str, header: bytes, fields: Vector, parts: list[bytes] | None = None, **more: object
) -> Vector:
    """Return the vector of one message whose header is given as bytes."""
    shown = {key: {"hex": value.hex()} if isinstance(value, bytes) else value for key, value in fields.items()}
    hexed = [part.hex() for part in parts or []]
    return {"name": name, "from": sender, "to": to, "header": header.hex(), "parts": hexed, "fields": shown, **more}


def start(of: str, /, **more: object) -> Vector:
    """Return the fields of a start message with a schema of `SCHEMAS`."""
    fields = {
        "type": "start",
        "version": 1,
        "series": "run-1",
        "schema": SCHEMAS[of],
        "ticks": 123_456_789_000,
        "sort_delay_us": None,
        "actuation_lead_us": None,
        "info": {},
    }
    return fields | more


def cells(of: str, seq: int, ticks: list[int], /, **more: object) -> Vector:
    """Return the fields of a cells message of this schema."""
    fields = {
        "type": "cells",
        "series": "run-1",
        "seq": seq,
        "n": len(ticks),
        "schema": schema_hash(of),
        "ticks": struct.pack(f"<{len(ticks)}Q", *ticks),
        "shapes": None,
    }
    return fields | more


def with_crc(fields: Vector, parts: list[bytes]) -> list[bytes]:
    """Add the checksum part that belongs to this header and these parts."""
    return [*parts, struct.pack("<I", crc32(pack(fields) + b"".join(parts)))]


ACCOUNT = {
    "sent": 1000,
    "received": 998,
    "pending": 3,
    "decided": 995,
    "kept": 40,
    "not_kept": {"not_in_gate": 950, "late": 5},
    "duplicates": 1,
    "disordered": 2,
    "messages": 70,
    "rejected": {"checksum": 1},
    "undelivered": 0,
}
BUNDLE = {"bundle": "digital", "bundle_sha256": "ab" * 32}
CLASSES = ["G1", "G2", "Prophase"]
REASONS = [
    "kept",
    "not_in_gate",
    "uncertain",
    "unfamiliar",
    "coincident",
    "incomplete",
    "late",
    "overload",
    "engine_fault",
    "disarmed",
    "stopped",
    "waste_gate",
    "target_reached",
    "hardware_abort",
    "rate_limit",
    "clock",
]

# Record after record: 40 bytes, little-endian.
RECORD = "<QQQhhBBHfi"
RECORD_FIELDS = (
    "seq",
    "ticks",
    "actuate",
    "class",
    "gate",
    "way",
    "reason",
    "reserved",
    "confidence",
    "slack_us",
)
RECORDS = [
    (7, 1_000_000, 3_000_000, 2, 0, 1, 0, 0, 0.75, 1250),
    (8, 1_000_500, 3_000_500, 0, -1, 0, 1, 0, 0.5, 1200),
    (9, 2**64 - 1, 0, -1, -1, 0, 5, 0, 0.0, 2**31 - 1),
    (2**63 - 1, 5, 6, 2, 0, 0, 6, 0, 0.984375, -(2**31)),
]

BLOCK = struct.pack("<120H", *(17 * i + 250 for i in range(120)))
BLOCK_CRC = bytes(range(24))
ONE_LOST = [struct.pack("<6f", 0, 1, -2.5, 3e4, 0.125, 65535), b"", struct.pack("<48f", *range(48))]
TICKS = [1_000_000, 1_000_500]
EACH = cells("each", 3, [10, 20, 30], shapes=struct.pack("<6H", 2, 3, 1, 1, 8, 6))
EACH_CRC = cells("each_crc", 0, [10, 20], shapes=struct.pack("<4H", 1, 2, 1, 1))


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
        message("totals", *back, _totals()),
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
        message("totals_to_sorter", *to_sorter, _totals()),
    ]


def _totals() -> Vector:
    account = ACCOUNT | {"pending": 0, "decided": 998, "not_kept": {"not_in_gate": 953, "late": 5}}
    fields = {"type": "totals", "series": "run-1", "ended": "end", "account": account, "missing": 2}
    return fields | {"journal": "run-1.journal"}


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


# --- What must be set aside, and under which reason.


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
        bad("type_of_the_streamer", "unknown_type", _totals()),
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


def document() -> Vector:
    """Return all vectors."""
    schemas = [
        {"name": name, "schema": schema, "text": schema_text(schema), "hash": schema_hash(name)}
        for name, schema in SCHEMAS.items()
    ]
    checks = [{"hex": text.encode().hex(), "crc32": crc32(text.encode())} for text in ("", "123456789", "cellgate")]
    return {
        "protocol": 1,
        "schemas": schemas,
        "crc32": checks,
        "messages": good_messages(),
        "bad": bad_messages(),
    }


def text() -> str:
    """Return the text of v1.json: one line per vector, so that changes can be read."""
    sections = []
    for key, value in document().items():
        if isinstance(value, list):
            lines = ",\n  ".join(json.dumps(item, ensure_ascii=False) for item in value)
            sections.append(f'"{key}": [\n  {lines}\n ]')
        else:
            sections.append(f'"{key}": {json.dumps(value)}')
    return "{\n " + ",\n ".join(sections) + "\n}\n"


if __name__ == "__main__":
    VECTORS.write_text(text(), encoding="utf-8")
