"""The C++ example against a stand-in streamer, which does what the real one seldom does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zmq.auth

from streamer.wire import End, Heartbeat, Start, Subscribe
from tests.support.cpp_programs import read, running
from tests.support.fake_streamer import CLASSES, PATIENCE_S, FakeStreamer


def test_every_cell_comes_back_decided(programs: dict[str, Path], tmp_path: Path) -> None:
    with FakeStreamer(tmp_path) as streamer, running(programs["receiver"], streamer.decisions) as receiver:
        assert streamer.subscribed.wait(PATIENCE_S)
        with running(programs["sender"], streamer.cells, "run-1", 300, 600, "a,b", 12, 10) as sender:
            status, (totals,), err = read(sender)
            assert (status, err) == (0, "")
        status, (*decisions, last), err = read(receiver)
    assert (status, err) == (0, "")
    assert totals == last
    assert (totals["type"], totals["series"], totals["ended"], totals["missing"]) == ("totals", "run-1", "end", 0)
    assert [decision["seq"] for decision in decisions] == list(range(300)) == streamer.seqs
    assert decisions[0] == {
        "seq": 0, "class": None, "way": "waste", "reason": "disarmed", "confidence": 0.75, "slack_us": None
    }  # fmt: skip
    assert decisions[1] == {
        "seq": 1, "class": CLASSES[1], "way": "left", "reason": "kept", "confidence": 0.75, "slack_us": -1500
    }  # fmt: skip
    assert {decision["class"] for decision in decisions} == {None, *CLASSES}
    assert streamer.count(Start) == 1
    assert streamer.count(End) == 1
    assert streamer.count(Subscribe) == 1


def test_the_frames_are_synthetic_cells(programs: dict[str, Path], tmp_path: Path) -> None:
    with FakeStreamer(tmp_path) as streamer, running(programs["sender"], streamer.cells, "s", 20, 1000) as sender:
        assert read(sender)[0] == 0
    start = next(message for message in streamer.heard if isinstance(message, Start))
    assert start.schema.channels == ("brightfield", "PI", "darkfield")
    assert (start.schema.dtype, start.schema.shape) == ("uint16", (64, 64))
    assert start.schema.timebase == (1, 1_000_000_000)
    frames = np.array(streamer.frames)
    assert frames.shape == (20, 3, 64, 64)
    assert (frames[:, :, 32, 32] > frames[:, :, 0, 0] + 900).all()
    assert streamer.ticks == sorted(streamer.ticks)
    assert start.ticks <= streamer.ticks[0]
    beats = [message for message in streamer.heard if isinstance(message, Heartbeat)]
    assert {beat.series for beat in beats} == {"s"}
    assert all(beat.ticks is not None and beat.ticks >= start.ticks for beat in beats)


def test_start_and_end_are_sent_again_until_answered(programs: dict[str, Path], tmp_path: Path) -> None:
    with (
        FakeStreamer(tmp_path, deaf_to={"start": 1, "end": 2}) as streamer,
        running(programs["sender"], streamer.cells, "s", 10, 1000, "a", 4, 4) as sender,
    ):
        status, (totals,), _ = read(sender)
    assert status == 0
    assert totals["missing"] == 0
    starts = [message for message in streamer.heard if isinstance(message, Start)]
    assert len(starts) == 2
    assert starts[0].schema == starts[1].schema
    assert starts[1].ticks > starts[0].ticks
    assert [message for message in streamer.heard if isinstance(message, End)] == [End("s", 9)] * 3


def test_a_series_of_no_cells(programs: dict[str, Path], tmp_path: Path) -> None:
    with FakeStreamer(tmp_path) as streamer, running(programs["sender"], streamer.cells, "s", 0, 1) as sender:
        assert read(sender)[0] == 0
    assert streamer.heard[-1] == End("s", -1)


def test_a_refusal_is_told_and_final(programs: dict[str, Path], tmp_path: Path) -> None:
    with FakeStreamer(tmp_path, refuse=True) as streamer:
        with running(programs["sender"], streamer.cells, "s", 5, 1) as sender:
            status, lines, err = read(sender)
            assert (status, lines) == (3, [])
            assert "schema.channels" in err
            assert "also b" in err
        with running(programs["receiver"], streamer.decisions) as receiver:
            status, lines, err = read(receiver)
            assert (status, lines) == (3, [])
            assert "version" in err


def test_a_gap_in_the_numbers_is_told(programs: dict[str, Path], tmp_path: Path) -> None:
    with (
        FakeStreamer(tmp_path, skip_numbers=(0, 2)) as streamer,
        running(programs["receiver"], streamer.decisions) as it,
    ):
        assert streamer.subscribed.wait(PATIENCE_S)
        with running(programs["sender"], streamer.cells, "s", 50, 100, "a", 4, 4) as sender:
            assert read(sender)[0] == 0
        status, lines, err = read(it)
    assert status == 4
    assert "gap: number 1 came where 0 was due" in err
    assert "gap: number 3 came where 2 was due" in err
    assert "2 decision messages were missed" in err
    assert lines[-1]["type"] == "totals"


def test_curve_keys_from_the_environment(programs: dict[str, Path], tmp_path: Path) -> None:
    server_public, server_secret = zmq.auth.create_certificates(tmp_path, "server")
    _, client_secret = zmq.auth.create_certificates(tmp_path, "client")
    keys = {"CELLGATE_SECRET_KEY_FILE": client_secret, "CELLGATE_SERVER_KEY_FILE": server_public}
    with (
        FakeStreamer(tmp_path, secret_key_file=Path(server_secret)) as streamer,
        running(programs["sender"], streamer.cells, "s", 5, 1000, "a", 4, 4, env=keys) as sender,
    ):
        status, (totals,), err = read(sender)
    assert (status, err) == (0, "")
    assert totals["missing"] == 0


@pytest.mark.parametrize("name", ["sender", "receiver"])
def test_wrong_arguments_print_the_usage(programs: dict[str, Path], name: str) -> None:
    with running(programs[name]) as program:
        status, lines, err = read(program)
    assert (status, lines) == (2, [])
    assert f"usage: cellgate-{name} ENDPOINT" in err


def test_a_malformed_endpoint_is_an_error_not_a_crash(programs: dict[str, Path]) -> None:
    with running(programs["receiver"], "nowhere") as program:
        status, _, err = read(program)
    assert status == 1
    assert "zmq_connect" in err


def test_the_receiver_stops_after_its_seconds(programs: dict[str, Path], tmp_path: Path) -> None:
    with running(programs["receiver"], f"ipc://{tmp_path}/nobody", 0.2) as program:
        assert read(program) == (0, [], "")
