"""The C++ example is compiled as its README says and run: against a stand-in streamer, and against the real one."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np
import pytest
import zmq
import zmq.auth

from engines.bundle import Bundle
from streamer.vocabulary import Account
from streamer.wire import (
    End,
    Heartbeat,
    Start,
    Subscribe,
    decode_snapshot,
)
from tests.support.fake_streamer import CLASSES, PATIENCE_S, FakeStreamer

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = REPOSITORY / "docs" / "examples" / "cpp"
BUNDLE = REPOSITORY / "engines" / "pretrained" / "digital"


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("the C++ example needs g++")
    headers = "#define MSGPACK_NO_BOOST\n#include <zmq.h>\n#include <msgpack.hpp>\n"
    probe = [compiler, "-std=c++17", "-fsyntax-only", "-x", "c++", "-"]
    if subprocess.run(probe, input=headers, text=True, capture_output=True, check=False).returncode:
        pytest.skip("the C++ example needs the headers of libzmq (zmq.h) and msgpack-cxx (msgpack.hpp)")
    out = tmp_path_factory.mktemp("cpp")
    flags = ["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror"]
    for name in ("sender", "receiver"):
        command = [compiler, *flags, str(EXAMPLE / f"{name}.cpp"), "-o", str(out / name), "-lzmq"]
        done = subprocess.run(command, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
    return {name: out / name for name in ("sender", "receiver")}


@contextmanager
def running(*command: object, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    words = [str(word) for word in command]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env) as process:
        try:
            yield process
        finally:
            process.kill()


def read(process: subprocess.Popen[str]) -> tuple[int, list[dict[str, object]], str]:
    """Return exit status, the lines of JSON and what went to stderr."""
    out, err = process.communicate(timeout=PATIENCE_S)
    return process.returncode, [json.loads(line) for line in out.splitlines()], err


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


CONFIG = """\
[streamer]
bundle = "{bundle}"
cells = "ipc://{directory}/cells"
decisions = "ipc://{directory}/decisions"
telemetry = "ipc://{directory}/telemetry"
control = "ipc://{directory}/control"
journal = "{directory}/journals"
[timing]
sort_delay_us = 2000000
actuation_lead_us = 1000
[[gate]]
name = "wanted"
way = "left"
where = {{ "{wanted}" = {{ min = 0.5 }} }}
"""
CELLS = 400


@pytest.mark.skipif(not (BUNDLE / "manifest.json").exists(), reason="there is no pretrained bundle")
def test_against_the_streamer_with_the_pretrained_bundle(programs: dict[str, Path], sockets: Path) -> None:
    with real_streamer(sockets, BUNDLE, wanted="Prophase+Metaphase+Anaphase+Telophase"):
        totals, decisions, last = send_and_receive(programs, sockets)
    check(totals, decisions, last)


def test_against_the_streamer_with_a_bundle_known_by_heart(
    programs: dict[str, Path], sockets: Path, toy_bundle: Bundle
) -> None:
    with real_streamer(sockets, toy_bundle.path, wanted="dim"):
        totals, decisions, last = send_and_receive(programs, sockets, "darkfield,brightfield", 8, 8)
        # The journal of this name is there already: the streamer must not write over it.
        with running(programs["sender"], f"ipc://{sockets}/cells", "cpp", 1, 1, "darkfield,brightfield", 8, 8) as again:
            status, lines, err = read(again)
    check(totals, decisions, last)
    assert "kept" in {decision["reason"] for decision in decisions}
    assert (status, lines) == (3, [])
    assert "refused" in err


def test_the_streamer_refuses_channels_its_bundle_does_not_know(
    programs: dict[str, Path], sockets: Path, toy_bundle: Bundle
) -> None:
    with (
        real_streamer(sockets, toy_bundle.path, wanted="dim"),
        running(programs["sender"], f"ipc://{sockets}/cells", "cpp", 1, 1, "a,b", 8, 8) as sender,
    ):
        status, lines, err = read(sender)
    assert (status, lines) == (3, [])
    assert "schema.channels" in err
    assert "also brightfield, darkfield" in err


@pytest.fixture
def sockets() -> Iterator[Path]:
    """Return a directory whose name is short: that of a local socket has 107 bytes at most."""
    with TemporaryDirectory(prefix="cellgate-") as directory:
        yield Path(directory)


@contextmanager
def real_streamer(directory: Path, bundle: Path, *, wanted: str) -> Iterator[None]:
    config, log_file = directory / "cellgate.toml", directory / "log"
    config.write_text(CONFIG.format(bundle=bundle, directory=directory, wanted=wanted))
    command = [sys.executable, "-m", "streamer.cli", "run", "--config", str(config)]
    with log_file.open("w") as log, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as process:
        try:
            assert process.stdout is not None
            said = next((line for line in process.stdout if line.startswith("ready")), None)
            assert said is not None, log_file.read_text()
            yield
        finally:
            process.terminate()


def send_and_receive(
    programs: dict[str, Path], directory: Path, *shape: object
) -> tuple[dict[str, object], list[dict[str, object]], dict[str, object]]:
    with running(programs["receiver"], f"ipc://{directory}/decisions", PATIENCE_S) as receiver:
        await_subscription(f"ipc://{directory}/telemetry")
        with running(programs["sender"], f"ipc://{directory}/cells", "cpp", CELLS, 200, *shape) as sender:
            status, (totals,), err = read(sender)
            assert (status, err) == (0, "")
        status, (*decisions, last), err = read(receiver)
        assert (status, err) == (0, "")
    return totals, decisions, last


def await_subscription(telemetry: str) -> None:
    """Nothing tells the cytometer that a sorter has subscribed, but telemetry does."""
    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.linger = 0
        socket.subscribe(b"")
        socket.connect(telemetry)
        receivers = 0
        while not receivers:
            assert socket.poll(PATIENCE_S * 1000), "the streamer publishes no telemetry"
            receivers = decode_snapshot(socket.recv_multipart()[-1]).receivers


def check(totals: dict[str, object], decisions: list[dict[str, object]], last: dict[str, object]) -> None:
    """Check that every cell was decided exactly once and that the counts agree with what came."""
    assert [decision["seq"] for decision in decisions] == list(range(CELLS))
    assert totals == last
    assert (totals["ended"], totals["missing"]) == ("end", 0)
    account = msgspec.convert(totals["account"], Account)
    assert account.balance() == []
    assert (account.sent, account.received, account.decided) == (CELLS, CELLS, CELLS)
    assert (account.pending, account.rejected, account.undelivered) == (0, {}, 0)
    reasons = Counter(str(decision["reason"]) for decision in decisions)
    assert reasons.pop("kept", 0) == account.kept
    assert dict(reasons) == {reason: count for reason, count in account.not_kept.items() if count}
    assert all((decision["way"] == "left") == (decision["reason"] == "kept") for decision in decisions)
