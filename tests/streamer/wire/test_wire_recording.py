"""Messages between streamer and recorder survive the wire, and what is none of them is refused."""

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamer.wire import (
    Frames,
    Handed,
    Heartbeat,
    Record,
    Recording,
    Schema,
    SeriesEnd,
    Taken,
    Unsubscribe,
    WireError,
    decode_from_recorder,
    decode_to_recorder,
    encode,
)

ACCOUNT = Handed("s", 9, 6, {"behind": 3})
TO_RECORDER = (
    Recording(1, "s", "sample", 0.25, 7, 1.0, 1 << 20, ACCOUNT, schema=Schema(("a",), "uint8", (1, 3)), gates=("g",)),
    Recording(1, "", "all", 1.0, 0, 1.0, 1 << 20),
    Frames(3, 2, ACCOUNT),
    ACCOUNT,
    SeriesEnd("stopped", ACCOUNT),
)
FROM_RECORDER = (Record(1, "r", "t", "s"), Taken(5, "s", 1, 2, 3, {"disk": 4}), Heartbeat(), Unsubscribe())


@pytest.mark.parametrize("message", TO_RECORDER, ids=lambda message: type(message).__name__)
def test_what_the_streamer_says_comes_as_it_was(message):
    assert decode_to_recorder(encode(message)) == message


@pytest.mark.parametrize("message", FROM_RECORDER, ids=lambda message: type(message).__name__)
def test_what_the_recorder_says_comes_as_it_was(message):
    assert decode_from_recorder(encode(message)) == message


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.binary(max_size=60))
@example(msgspec.msgpack.encode({"type": "taken", "bytes": -1}))
@example(msgspec.msgpack.encode({"type": "taken", "dropped": {str(i): 1 for i in range(9)}}))
@example(msgspec.msgpack.encode({"type": "taken", "unknown": 1}))
@example(msgspec.msgpack.encode({"type": "record", "version": 1, "name": "", "token": "t"}))
def test_anything_else_is_refused_with_a_reason(data):
    with pytest.raises(WireError):
        decode_from_recorder(data)
