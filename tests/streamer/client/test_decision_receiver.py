"""The sorter's side: decisions come in with every gap counted, and a lost streamer is found again."""

import subprocess
import sys
import time

import numpy as np
import pytest

from engines.errors import InputError
from streamer.client import DecisionReceiver, Decisions, RefusedError
from streamer.vocabulary import Account
from streamer.wire import (
    DECISION,
    DecisionsHeader,
    Heartbeat,
    Legend,
    Refused,
    Status,
    Subscribe,
    Totals,
    Unsubscribe,
    decode_from_sorter,
)

WAIT_S = 20.0


def legend(series="s", number=0):
    return Legend(
        1, series, "toy", "0" * 64, ("A",), ("g",), ("waste", "left"), ("kept",), (1, 10**9), None, 0.0, number
    )


def records(*seqs):
    made = np.zeros(len(seqs), DECISION)
    made["seq"] = seqs
    return made


def hear(streamer):
    parts = streamer.hear()
    assert parts is not None
    assert len(parts) == 1
    return decode_from_sorter(parts[0])


@pytest.fixture
def pair(streamer):
    """A receiver that has just subscribed, and its streamer."""
    with DecisionReceiver(streamer.endpoint, "left valve") as receiver:
        assert receiver.receive(0.01) is None
        assert hear(streamer) == Subscribe(1, "left valve")
        yield receiver, streamer


def decisions(streamer, number, *seqs, series="s"):
    streamer.say(DecisionsHeader(series, number, len(seqs)), records(*seqs).tobytes())


def test_decisions_are_received_as_records(pair):
    receiver, streamer = pair
    assert receiver.legend is None
    streamer.say(legend())
    decisions(streamer, 0, 4, 5)
    assert receiver.receive(WAIT_S) == legend()
    assert receiver.legend == legend()
    found = receiver.receive(WAIT_S)
    assert isinstance(found, Decisions)
    assert (found.series, found.number) == ("s", 0)
    assert found.records.dtype == DECISION
    assert found.records["seq"].tolist() == [4, 5]
    assert receiver.missed == 0


def test_status_and_totals_are_passed_on(pair):
    receiver, streamer = pair
    for message in (Status("s", "armed", 0, Account(sent=3)), Totals("s", "end", Account(), 0, "j")):
        streamer.say(message)
        assert receiver.receive(WAIT_S) == message


def test_nothing_within_the_time_is_none(pair):
    receiver, _ = pair
    assert receiver.receive(0.01) is None


def take(receiver, n):
    return [receiver.receive(WAIT_S) for _ in range(n)]


def test_every_gap_in_the_numbers_counts_what_never_came(pair):
    receiver, streamer = pair
    streamer.say(legend())
    seen = []
    take(receiver, 1)
    for number in (0, 1, 4, 5, 9):
        decisions(streamer, number, number)
        take(receiver, 1)
        seen.append(receiver.missed)
    assert seen == [0, 0, 2, 2, 5]


def test_missing_the_first_messages_counts_as_well(pair):
    receiver, streamer = pair
    streamer.say(legend())
    decisions(streamer, 3, 0)
    take(receiver, 2)
    assert receiver.missed == 3


def test_who_joins_late_has_missed_nothing_it_was_not_there_for(pair):
    receiver, streamer = pair
    streamer.say(legend(number=70))
    decisions(streamer, 70, 0)
    decisions(streamer, 72, 1)
    take(receiver, 3)
    assert receiver.missed == 1


def test_a_new_series_counts_anew(pair):
    receiver, streamer = pair
    streamer.say(legend())
    decisions(streamer, 5, 0)
    streamer.say(legend("t"))
    decisions(streamer, 1, 0, series="t")
    take(receiver, 2)
    assert receiver.missed == 5
    take(receiver, 2)
    assert receiver.missed == 1


def test_the_same_legend_again_does_not_forget_what_was_missed(pair):
    """A subscription that was renewed in the middle of a series: what went by meanwhile was missed."""
    receiver, streamer = pair
    streamer.say(legend())
    decisions(streamer, 2, 0)
    streamer.say(legend(number=6))
    decisions(streamer, 6, 1)
    take(receiver, 4)
    assert receiver.missed == 2 + 3


def test_a_refusal_is_raised_with_its_text(pair):
    receiver, streamer = pair
    streamer.say(Refused("", "version", "1", "2"))
    with pytest.raises(RefusedError, match="refused 'left valve': version: found 1, expected 2"):
        receiver.receive(WAIT_S)


def test_closing_unsubscribes(streamer):
    receiver = DecisionReceiver(streamer.endpoint)
    receiver.receive(0.01)
    assert isinstance(hear(streamer), Subscribe)
    receiver.close()
    assert hear(streamer) == Unsubscribe()
    receiver.close()


def test_heartbeats_while_the_streamer_speaks_and_a_new_subscription_when_it_falls_silent(streamer):
    with DecisionReceiver(streamer.endpoint, heartbeat_s=0.05) as receiver:

        def until(kind, *, answering):
            end = time.monotonic() + WAIT_S
            while time.monotonic() < end:
                receiver.receive(0.01)
                parts = streamer.hear(0)
                if parts is None:
                    continue
                if answering:
                    streamer.say(Status("s", "armed", 0, Account()))
                if isinstance(decode_from_sorter(parts[0]), kind):
                    return True
            return False

        assert until(Subscribe, answering=True)
        assert until(Heartbeat, answering=True)
        assert until(Subscribe, answering=False)
        assert until(Subscribe, answering=False), "and goes on asking"
        assert until(Heartbeat, answering=True)


def test_a_streamer_that_is_never_there_does_not_block_the_sorter(tmp_path):
    """Heartbeats pile up in the socket's queue (1000 of them): the sorter's own loop must go on all the same."""
    code = (
        "import os\n"
        "from streamer.client import DecisionReceiver\n"
        "receiver = DecisionReceiver('ipc://nobody', heartbeat_s=1e-6)\n"
        "for _ in range(1300):\n"
        "    assert receiver.receive(0) is None\n"
        "os._exit(0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("endpoint", ["tcp://192.168.0.7:5702", "nonsense", ""])
def test_an_endpoint_that_cannot_be_is_refused(endpoint):
    with pytest.raises(InputError, match="decisions endpoint"):
        DecisionReceiver(endpoint)
