"""The C++ example against the real streamer."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
import zmq

from engines.bundle import Bundle
from streamer.vocabulary import Account
from streamer.wire import decode_snapshot
from tests.support.cpp_programs import read, running
from tests.support.fake_streamer import PATIENCE_S

BUNDLE = Path(__file__).parents[2] / "engines" / "pretrained" / "digital"
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
