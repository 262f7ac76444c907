"""The committed test vectors, which were made without Cellgate's code, against Cellgate's code."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from streamer.vocabulary import Reason, Rejection
from streamer.wire import (
    DECISION,
    PROTOCOL_VERSION,
    CellsHeader,
    FrameLayout,
    Message,
    Schema,
    Start,
    Subscribe,
    WireError,
    decode_from_cytometer,
    decode_from_sorter,
    decode_to_cytometer,
    decode_to_sorter,
    encode,
    message_crc32,
    schema_hash,
)

DIRECTORY = Path(__file__).parents[2] / "vectors"
VECTORS: dict[str, Any] = json.loads((DIRECTORY / "v1.json").read_text(encoding="utf-8"))
SCHEMAS = {entry["name"]: msgspec.convert(entry["schema"], Schema) for entry in VECTORS["schemas"]}
DECODERS = {
    ("cytometer", "streamer"): decode_from_cytometer,
    ("sorter", "streamer"): decode_from_sorter,
    ("streamer", "cytometer"): decode_to_cytometer,
    ("streamer", "sorter"): decode_to_sorter,
}


def named(vectors: list[dict[str, Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", [pytest.param(vector, id=vector["name"]) for vector in vectors])


def decode(vector: dict[str, Any]) -> Message:
    return DECODERS[vector["from"], vector["to"]](bytes.fromhex(vector["header"]))


def parts_of(vector: dict[str, Any]) -> list[bytes]:
    return [bytes.fromhex(part) for part in vector["parts"]]


def as_fields(message: Message) -> dict[str, Any]:
    """Return a message as the vectors show it: what JSON has, bytes as hex."""
    builtins = msgspec.to_builtins(message, builtin_types=(bytes,))
    fields: dict[str, Any] = json.loads(json.dumps(builtins, default=lambda data: {"hex": data.hex()}))
    return fields


def test_the_file_is_what_the_script_makes() -> None:
    made = runpy.run_path(str(DIRECTORY / "make.py"))
    assert made["text"]() == (DIRECTORY / "v1.json").read_text(encoding="utf-8")


def test_the_vectors_are_of_this_protocol_and_cover_it() -> None:
    assert VECTORS["protocol"] == PROTOCOL_VERSION
    kinds = {vector["fields"]["type"] for vector in VECTORS["messages"]}
    assert kinds == {
        *("start", "cells", "heartbeat", "end", "subscribe", "unsubscribe"),
        *("accepted", "refused", "status", "totals", "legend", "decisions"),
    }
    # REFUSED is of start messages, which are answered: it depends on the bundle and on who else is connected.
    assert {vector["rejection"] for vector in VECTORS["bad"]} == set(Rejection) - {Rejection.REFUSED}


@named(VECTORS["schemas"])
def test_schema_hash(vector: dict[str, Any]) -> None:
    assert schema_hash(SCHEMAS[vector["name"]]) == vector["hash"]


@pytest.mark.parametrize("vector", VECTORS["crc32"])
def test_crc32(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["hex"])
    assert message_crc32(data, []) == vector["crc32"]
    assert message_crc32(data[:3], [data[3:4], b"", memoryview(data)[4:]]) == vector["crc32"]


@named(VECTORS["messages"])
def test_decode_gives_the_fields(vector: dict[str, Any]) -> None:
    fields = as_fields(decode(vector))
    schema = vector["fields"].get("schema")
    if isinstance(schema, dict):
        fields["schema"] = {key: fields["schema"][key] for key in schema}
    assert {key: fields[key] for key in vector["fields"]} == vector["fields"]


@named([vector for vector in VECTORS["messages"] if vector.get("reencodes", True)])
def test_encode_gives_the_bytes(vector: dict[str, Any]) -> None:
    assert encode(decode(vector)).hex() == vector["header"]


@named([vector for vector in VECTORS["messages"] if not vector.get("reencodes", True)])
def test_what_is_left_out_has_its_default(vector: dict[str, Any]) -> None:
    message = decode(vector)
    assert len(encode(message)) != len(vector["header"]) // 2
    assert decode(vector | {"header": encode(message).hex()}) == message


@named([vector for vector in VECTORS["messages"] if "frames" in vector])
def test_frames(vector: dict[str, Any]) -> None:
    header = decode(vector)
    assert isinstance(header, CellsHeader)
    schema = SCHEMAS[vector["schema"]]
    assert header.schema == schema_hash(schema)
    frames = FrameLayout(schema).view(header, bytes.fromhex(vector["header"]), parts_of(vector))
    assert len(frames) == header.n
    for frame, expected in zip(frames, vector["frames"], strict=True):
        if frame is None or expected is None:
            assert frame is expected
            continue
        assert frame.dtype == schema.dtype
        np.testing.assert_array_equal(frame, np.array(expected, schema.dtype), strict=True)


@named([vector for vector in VECTORS["messages"] if "records" in vector])
def test_records(vector: dict[str, Any]) -> None:
    records = np.frombuffer(parts_of(vector)[0], DECISION)
    header = decode(vector)
    assert len(records) == header.n  # type: ignore[union-attr]
    for record, expected in zip(records, vector["records"], strict=True):
        found = {(name.rstrip("_")): record[name].item() for name in DECISION.names or ()}
        assert found == expected


def test_the_legend_names_every_reason() -> None:
    legend = next(vector for vector in VECTORS["messages"] if vector["name"] == "legend")
    assert legend["fields"]["reasons"] == [reason.label for reason in Reason]


@named([vector for vector in VECTORS["bad"] if vector["stage"] == "header"])
def test_a_bad_header_is_rejected_under_its_reason(vector: dict[str, Any]) -> None:
    decoder = decode_from_cytometer if vector["socket"] == "cells" else decode_from_sorter
    with pytest.raises(WireError) as caught:
        decoder(bytes.fromhex(vector["header"]))
    assert caught.value.reason == vector["rejection"]
    assert len(str(caught.value)) < 600  # it goes to a log, whatever was sent


@named([vector for vector in VECTORS["bad"] if vector["stage"] == "parts"])
def test_bad_parts_are_rejected_under_their_reason(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["header"])
    header = decode_from_cytometer(data)
    assert isinstance(header, CellsHeader)
    with pytest.raises(WireError) as caught:
        FrameLayout(SCHEMAS[vector["schema"]]).view(header, data, parts_of(vector))
    assert caught.value.reason == vector["rejection"]


@named([vector for vector in VECTORS["bad"] if vector["stage"] == "series"])
def test_what_only_the_series_can_tell_is_well_formed(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["header"])
    header = (decode_from_cytometer if vector["socket"] == "cells" else decode_from_sorter)(data)
    if isinstance(header, CellsHeader):
        FrameLayout(SCHEMAS[vector["schema"]]).view(header, data, parts_of(vector))
    else:
        assert isinstance(header, Start | Subscribe)
        assert header.version != PROTOCOL_VERSION
