"""A running streamer is sent every bad header of the vectors: it counts each under its reason and goes on."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import zmq

from engines.bundle import Bundle
from streamer.wire import (
    Accepted,
    CellsHeader,
    End,
    Heartbeat,
    Refused,
    Schema,
    Start,
    Status,
    Totals,
    decode_to_cytometer,
    decode_to_sorter,
    encode,
    schema_hash,
)
from tests.support.running import Running

PATIENCE = 300  # turns of 100 ms: bounds a hang; nothing is measured against it
BAD = json.loads((Path(__file__).parents[2] / "vectors" / "v1.json").read_text(encoding="utf-8"))["bad"]
SCHEMA = Schema(channels=("brightfield", "darkfield"), dtype="uint16", timebase=(1, 10**9), shape=(8, 8))


@pytest.fixture
def streamer(toy_bundle: Bundle) -> Iterator[Running]:
    with TemporaryDirectory(prefix="cellgate-") as directory, Running(Path(directory), toy_bundle.path) as running:
        yield running


@pytest.fixture
def dealer() -> Iterator[zmq.Socket[bytes]]:
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        yield socket


def receive(socket: zmq.Socket[bytes], streamer: Running) -> bytes:
    for _ in range(PATIENCE):
        if socket.poll(100):
            return socket.recv()
        assert streamer.process.poll() is None, streamer.text()
    raise AssertionError("the streamer does not answer")


def cells(seq: int, **fields: object) -> list[bytes]:
    """Return a message of one cell."""
    known: dict[str, object] = {"series": "s", "seq": seq, "n": 1, "schema": schema_hash(SCHEMA), "ticks": bytes(8)}
    return [encode(CellsHeader(**(known | fields))), bytes(256)]  # type: ignore[arg-type]


def test_the_cells_socket(streamer: Running, dealer: zmq.Socket[bytes]) -> None:
    dealer.connect(streamer.cells)
    dealer.send(encode(Start(1, "s", SCHEMA, 0)))
    assert isinstance(decode_to_cytometer(receive(dealer, streamer)), Accepted)
    expected: Counter[str] = Counter()
    for vector in BAD:
        if vector["socket"] == "cells" and vector["stage"] == "header":
            expected[vector["rejection"]] += 1
            dealer.send_multipart([bytes.fromhex(part) for part in (vector["header"], *vector["parts"])])
    # What only a series can tell.
    for reason, message in (
        ("out_of_series", cells(0, series="t")),
        ("wrong_schema", cells(0, schema=schema_hash(SCHEMA) ^ 1)),
        ("truncated", [cells(0)[0], bytes(255)]),
        ("wrong_parts", [cells(0)[0]]),
        ("wrong_parts", [encode(Heartbeat("s", 0)), b""]),
        ("seq_range", cells(1_048_577)),
        ("out_of_series", [encode(Heartbeat("t", 0))]),
        ("out_of_series", [encode(End("t", 0))]),
    ):
        expected[reason] += 1
        dealer.send_multipart(message)
    dealer.send_multipart(cells(0))
    dealer.send(encode(Heartbeat("s", 1)))
    status = decode_to_cytometer(receive(dealer, streamer))
    while isinstance(status, Refused):  # what is of another version is told so
        assert (status.field, status.expected) == ("version", "1")
        status = decode_to_cytometer(receive(dealer, streamer))
    assert isinstance(status, Status)
    assert status.account.rejected == expected
    assert status.account.messages == sum(expected.values()) + 2  # one of cells, one heartbeat; start came before
    dealer.send(encode(End("s", 0)))
    totals = decode_to_cytometer(receive(dealer, streamer))
    assert isinstance(totals, Totals)
    assert (totals.account.received, totals.account.decided, totals.missing) == (1, 1, 0)


def test_another_version_is_refused(streamer: Running, dealer: zmq.Socket[bytes]) -> None:
    dealer.connect(streamer.cells)
    dealer.send(encode(Start(2, "s", SCHEMA, 0)))
    assert decode_to_cytometer(receive(dealer, streamer)) == Refused("", "version", "2", "1")


def test_the_decisions_socket(streamer: Running, dealer: zmq.Socket[bytes]) -> None:
    dealer.connect(streamer.decisions)
    for vector in BAD:
        if vector["socket"] == "decisions" and vector["stage"] == "header":
            dealer.send_multipart([bytes.fromhex(part) for part in (vector["header"], *vector["parts"])])
    version_0 = next(vector for vector in BAD if vector["name"] == "subscribe_of_version_0")
    dealer.send(bytes.fromhex(version_0["header"]))
    answers = [decode_to_sorter(receive(dealer, streamer))]
    while answers[-1] != Refused("", "version", "0", "1"):
        answers.append(decode_to_sorter(receive(dealer, streamer)))
    assert all(isinstance(answer, Refused) for answer in answers)
    assert streamer.process.poll() is None


@pytest.mark.parametrize("ticks", [0, 2**63 - 1, 2**63, 2**64 - 1])
@pytest.mark.parametrize("timebase", [(1, 10**9), (1, 2**63 - 1), (2**63 - 1, 1)], ids=["1 ns", "tiny", "huge"])
def test_no_counter_and_no_timebase_ends_the_loop(
    streamer: Running, dealer: zmq.Socket[bytes], ticks: int, timebase: tuple[int, int]
) -> None:
    dealer.connect(streamer.cells)
    schema = Schema(channels=SCHEMA.channels, dtype="uint16", timebase=timebase, shape=(8, 8))
    dealer.send(encode(Start(1, "s", schema, ticks, 60e6, 0.0)))
    if isinstance(decode_to_cytometer(receive(dealer, streamer)), Refused):
        return
    for seq, trigger in enumerate((ticks, 0, 2**64 - 1)):
        dealer.send_multipart(cells(seq, schema=schema_hash(schema), ticks=trigger.to_bytes(8, "little")))
    dealer.send(encode(End("s", 2)))
    totals = decode_to_cytometer(receive(dealer, streamer))
    assert isinstance(totals, Totals)
    assert totals.account.balance() == []
    assert totals.account.decided == 3
