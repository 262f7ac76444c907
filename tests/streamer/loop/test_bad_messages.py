"""Whatever comes in on the cells socket is counted under its own reason, and nothing else happens."""

import msgspec
import numpy as np
import pytest
import zmq

from streamer.client import CellSender
from streamer.wire import Schema
from tests.support.talk import TOY_SCHEMA, check_account, now_ticks, send_toy
from tests.support.toy import toy_frames


def _edit(parts, **changes):
    header = msgspec.msgpack.decode(parts[0])
    return [msgspec.msgpack.encode({**header, **changes}), *parts[1:]]


def _without(parts, key):
    header = msgspec.msgpack.decode(parts[0])
    del header[key]
    return [msgspec.msgpack.encode(header), *parts[1:]]


BAD = {
    "not MessagePack": ("malformed", lambda p: [b"\xc1\xc1", p[1]]),
    "a cut header": ("malformed", lambda p: [p[0][:10], p[1]]),
    "no header": ("malformed", lambda p: [b"", p[1]]),
    "a header that is a list": ("malformed", lambda p: [msgspec.msgpack.encode([1, 2]), p[1]]),
    "an unknown type": ("unknown_type", lambda p: _edit(p, type="frames")),
    "no type": ("unknown_type", lambda p: _without(p, "type")),
    "a field of the wrong type": ("wrong_type", lambda p: _edit(p, seq="first")),
    "a negative seq": ("wrong_type", lambda p: _edit(p, seq=-1)),
    "no cells": ("wrong_type", lambda p: _edit(p, n=0)),
    "a field too many": ("wrong_type", lambda p: _edit(p, colour="red")),
    "a field too few": ("wrong_type", lambda p: _without(p, "ticks")),
    "too few ticks": ("wrong_type", lambda p: _edit(p, ticks=b"1234")),
    "another series": ("out_of_series", lambda p: _edit(p, series="another")),
    "another schema": ("wrong_schema", lambda p: _edit(p, schema=1)),
    "no frames": ("wrong_parts", lambda p: [p[0]]),
    "a part too many": ("wrong_parts", lambda p: [*p, b"more"]),
    "truncated frames": ("truncated", lambda p: [p[0], p[1][:-1]]),
    "frames too long": ("oversized", lambda p: [p[0], bytes(p[1]) + b"x"]),
    "shapes where there are none": ("wrong_shape", lambda p: _edit(p, shapes=b"\x08\x00\x08\x00")),
    "a seq from another world": ("seq_range", lambda p: _edit(p, seq=2**40)),
    "a start of version 2": (
        "unknown_version",
        lambda _: [msgspec.msgpack.encode({"type": "start", "version": 2, "novelty": 1})],
    ),
    "an end before what was sent": (
        "seq_range",
        lambda _: [msgspec.msgpack.encode({"type": "end", "series": "s", "last_seq": 0})],
    ),
    "a heartbeat of another series": (
        "out_of_series",
        lambda _: [msgspec.msgpack.encode({"type": "heartbeat", "series": "x", "ticks": 1})],
    ),
    "an oversized header": ("oversized", lambda p: [b"\x00" * ((1 << 20) + 1), p[1]]),
}


def test_each_is_counted_under_its_reason_and_the_series_goes_on(streamer):
    with CellSender(streamer.cells) as sender:
        sender.start("s", TOY_SCHEMA)
        send_toy(sender, [1, 2])
        seq = 2
        for number, (_, spoil) in enumerate(BAD.values()):
            parts = sender.parts(toy_frames([1]), now_ticks(1), seq)
            sender.send_parts(spoil(parts))
            send_toy(sender, [number % 3])
            seq += 1
        totals = sender.end()
    expected = {}
    for reason, _ in BAD.values():
        expected[reason] = expected.get(reason, 0) + 1
    assert totals.account.rejected == expected
    assert totals.account.decided == 2 + len(BAD)
    assert totals.missing == 0
    check_account(totals, streamer.journal("s"))
    log = streamer.text()
    assert "found" in log
    assert "expected" in log
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("reason", "spoil"),
    [
        ("wrong_shape", lambda p: _without(p, "shapes")),
        ("wrong_shape", lambda p: _edit(p, shapes=b"\x00\x00\x08\x00")),
        ("wrong_shape", lambda p: _edit(p, shapes=b"\xff\xff\x08\x00")),
        ("wrong_parts", lambda p: [p[0]]),
        ("truncated", lambda p: [p[0], p[1][:-2]]),
    ],
)
def test_per_cell_sizes_are_checked_too(streamer, reason, spoil):
    schema = Schema(channels=TOY_SCHEMA.channels, dtype="uint16", timebase=(1, 1_000_000_000), max_shape=(64, 64))
    with CellSender(streamer.cells) as sender:
        sender.start("s", schema)
        parts = sender.parts([toy_frames([1])[0]], now_ticks(1), 0)
        sender.send_parts(spoil(parts))
        sender.send([toy_frames([1])[0]], now_ticks(1), seq=0)
        totals = sender.end()
    assert totals.account.rejected == {reason: 1}
    assert totals.account.kept == 1


def test_cells_without_a_series_and_noise_on_either_socket_harm_nothing(streamer):
    context = zmq.Context()
    rng = np.random.default_rng(5)
    try:
        for endpoint in (streamer.cells, streamer.decisions):
            socket = context.socket(zmq.DEALER)
            socket.setsockopt(zmq.LINGER, 1000)
            socket.connect(endpoint)
            for _ in range(300):
                socket.send_multipart([rng.bytes(int(rng.integers(0, 60))) for _ in range(int(rng.integers(1, 6)))])
            socket.close()
    finally:
        context.term()
    with CellSender(streamer.cells) as sender:
        sender.start("after", TOY_SCHEMA)
        send_toy(sender, [1])
        totals = sender.end()
    assert totals.account.kept == 1
    assert totals.account.rejected == {}
    assert "Traceback" not in streamer.text()
    # Bounded: 600 bad messages at most leave a handful of lines.
    assert len(streamer.text().splitlines()) < 60


def test_duplicates_and_disorder_are_told_apart(streamer):
    with CellSender(streamer.cells) as sender:
        sender.start("d", TOY_SCHEMA)
        for seq in (0, 1, 3, 2, 2, 5, 4, 0):
            send_toy(sender, [1], seq=seq)
        sender.send(toy_frames([1] * 6), now_ticks(6), seq=4)  # 4 and 5 are known, 6 to 9 are new
        totals = sender.end(last_seq=11)
    account = totals.account
    assert (account.received, account.duplicates, account.disordered) == (10, 4, 2)
    assert (account.sent, totals.missing) == (12, 2)
    check_account(totals, streamer.journal("d"))
