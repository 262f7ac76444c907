"""Changes while it runs: as a whole or not at all, between two batches, and in the journal."""

import subprocess
import sys
import time

import msgspec
import pytest
import zmq

from streamer.client import CellSender, Controller, DecisionReceiver, RefusedError
from streamer.journal import read_journal
from streamer.wire import PROTOCOL_VERSION, Legend, Subscribe, encode
from tests.support.talk import TOY_SCHEMA, Listening, check_account, send_toy

ONLY_DIM = [{"name": "dim", "way": "up", "where": {"dim": {"min": 0.5}}}]


def settled(sender: CellSender, cells: int) -> None:
    """Wait until so many cells are decided."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        sender.beat(now=True)
        if sender.status is not None and sender.status.account.decided >= cells:
            return
        time.sleep(0.01)
    raise AssertionError("the cells were not decided")


def test_asking_tells_how_it_is_set(streamer):
    with Controller(streamer.control) as operator:
        settings = operator.ask()
    assert settings.state == "armed"
    assert settings.ways == ("waste", "left", "right")
    assert [gate["name"] for gate in settings.gate] == ["bright", "blinding"]
    assert settings.decision["min_confidence"] == 0.0
    assert settings.changes == 0


def test_gates_and_thresholds_change_in_mid_series(streamer):
    sorter = Listening(streamer.decisions)
    with CellSender(streamer.cells) as sender, Controller(streamer.control) as operator:
        sender.start("changing", TOY_SCHEMA)
        send_toy(sender, [0, 1, 2] * 5)
        settled(sender, 15)
        done = operator.change({"gate": ONLY_DIM}, author="me", reason="only dim ones")
        assert (done.number, done.state) == (1, "armed")
        send_toy(sender, [0, 1, 2] * 5)
        settled(sender, 30)
        operator.change({"decision": {"armed": False}}, author="me", reason="lunch")
        send_toy(sender, [0] * 5)
        totals = sender.end()
    records, _ = sorter.until_totals()
    records = records[records["seq"].argsort()]
    # The ways keep their codes: the new one comes behind those of the gates that went.
    assert records["way"][:15].tolist() == [0, 1, 2] * 5
    assert records["way"][15:30].tolist() == [3, 0, 0] * 5
    assert totals.account.not_kept == {"not_in_gate": 15, "disarmed": 5}
    check_account(totals, streamer.journal("changing"))
    events = read_journal(streamer.journal("changing")).events
    assert [(event["event"], event.get("author"), event.get("reason")) for event in events] == [
        ("change", "me", "only dim ones"),
        ("change", "me", "lunch"),
        ("totals", None, None),
    ]
    assert events[0]["changes"] == {"gate": ONLY_DIM}
    # Gates keep their codes as well.
    assert records["gate"][:15].tolist() == [-1, 0, 1] * 5
    assert records["gate"][15:30].tolist() == [2, -1, -1] * 5
    assert events[0]["ways"] == ["waste", "left", "right", "up"]
    report = msgspec.json.decode(streamer.journal("changing").with_suffix(".report.json").read_bytes())
    assert report["ways"] == {"waste": 20, "left": 5, "right": 5, "up": 5}


def test_receivers_get_the_new_legend(streamer):
    with (
        CellSender(streamer.cells) as sender,
        Controller(streamer.control) as operator,
        DecisionReceiver(streamer.decisions) as receiver,
    ):
        receiver.receive(5)
        sender.start("legend", TOY_SCHEMA)
        operator.change({"gate": ONLY_DIM}, author="me", reason="why not")
        legends: list[Legend] = []
        until = time.monotonic() + 20
        while len(legends) < 2:
            assert time.monotonic() < until, f"{len(legends)} legends came"
            message = receiver.receive(5)
            assert message is not None
            if isinstance(message, Legend):
                legends.append(message)
        sender.end()
    assert legends[1].gates == ("bright", "blinding", "dim")
    assert legends[1].ways == ("waste", "left", "right", "up")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "changes"),
        ({"streamer": {"slots": 100}}, "cannot change"),
        ({"decision": {"min_confidence": 2}}, r"decision\.min_confidence: found 2"),
        ({"decision": {"colour": "red"}}, r"decision\.colour"),
        ({"decision": 3}, "decision"),
        ({"gate": [{"name": "x", "way": "left", "where": {"nonsense": {"min": 0.5}}}]}, "nonsense"),
        ({"gate": [*ONLY_DIM, *ONLY_DIM]}, "dim"),
        ({"gate": ONLY_DIM, "decision": {"min_confidence": -1}}, "min_confidence"),
        ({"decision": {"gating_ml": "/nowhere.xml"}}, "nowhere"),
        ({"gate": [{"name": f"g{i}", "way": f"w{i}", "where": {"dim": {"min": 0.1}}} for i in range(5)]}, "6 ways"),
    ],
)
def test_a_change_that_cannot_be_is_refused_whole_and_nothing_changes(streamer, changes, words):
    with Controller(streamer.control) as operator:
        before = operator.ask()
        with pytest.raises(RefusedError, match=words):
            operator.change(changes, author="me", reason="a mistake")
        assert operator.ask() == before
    assert "Traceback" not in streamer.text()


def test_the_last_sorter_to_fall_silent_disarms(streamer):
    context = zmq.Context()
    sorter = context.socket(zmq.DEALER)
    sorter.connect(streamer.decisions)
    sorter.send(encode(Subscribe(PROTOCOL_VERSION, "valve")))
    try:
        with CellSender(streamer.cells) as sender, Controller(streamer.control) as operator:
            sender.start("alone", TOY_SCHEMA)
            until = time.monotonic() + 20  # five heartbeats of 0.3 s, and some
            while operator.ask().state == "armed" and time.monotonic() < until:
                sender.beat()
                time.sleep(0.05)
            send_toy(sender, [1, 2])
            totals = sender.end()
    finally:
        sorter.close(0)
        context.term()
    assert totals.account.not_kept == {"disarmed": 2}
    event = read_journal(streamer.journal("alone")).events[0]
    assert (event["author"], event["changes"]) == ("streamer", {"decision": {"armed": False}})
    assert "valve" in event["reason"]


def _ctl(streamer, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "streamer.cli", "ctl", *arguments, "--to", streamer.control],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_line_does_it_all(streamer, tmp_path):
    assert "disarmed" in _ctl(streamer, "disarm", "--reason", "test").stdout
    assert "armed" in _ctl(streamer, "arm", "--reason", "test").stdout
    assert _ctl(streamer, "set", "min_confidence=0.75", "--reason", "test").returncode == 0
    gates = tmp_path / "gates.toml"
    gates.write_text('[[gate]]\nname = "dim"\nway = "left"\nwhere = { dim = { min = 0.5 } }\n')
    assert _ctl(streamer, "load", str(gates), "--reason", "test").returncode == 0
    settings = msgspec.json.decode(_ctl(streamer, "show").stdout)
    assert settings["decision"]["min_confidence"] == 0.75
    assert [gate["name"] for gate in settings["gate"]] == ["dim"]
    assert settings["changes"] == 4
    bad = _ctl(streamer, "set", "min_confidence=", "--reason", "test")
    assert bad.returncode == 2
    assert len(bad.stderr.strip().splitlines()) == 1
    refused = _ctl(streamer, "set", "min_confidence=7", "--reason", "test")
    assert refused.returncode == 2
    assert "min_confidence" in refused.stderr
