"""Talk to a streamer as a cytometer and a sorter, and keep what comes back."""

import threading
import time

import numpy as np

from streamer.client import CellSender, DecisionReceiver, Decisions
from streamer.journal import read_journal
from streamer.vocabulary import Reason
from streamer.wire import DECISION, Legend, Schema, Totals
from tests.support.toy import CHANNELS, toy_frames

TOY_SCHEMA = Schema(channels=CHANNELS, dtype="uint16", timebase=(1, 1_000_000_000), shape=(8, 8))


def now_ticks(n: int) -> np.ndarray:
    """Trigger times of n cells that pass now."""
    return np.full(n, time.monotonic_ns(), np.uint64)


def send_toy(sender: CellSender, classes, **kwargs) -> None:
    """Send cells of these classes in one message."""
    classes = np.atleast_1d(classes)
    sender.send(toy_frames(classes), now_ticks(len(classes)), **kwargs)


def collect_until_totals(receiver: DecisionReceiver, timeout_s: float = 30.0):
    """Return all decision records of a series, and its totals."""
    records, totals = [np.zeros(0, DECISION)], None
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        message = receiver.receive(0.5)
        if isinstance(message, Decisions):
            records.append(message.records)
        elif isinstance(message, Totals):
            totals = message
            break
    assert totals is not None, "no totals came"
    return np.concatenate(records), totals


class Listening:
    """A sorter in a thread of its own, which reads all the time, from subscription to totals."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._subscribed = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.records = np.zeros(0, DECISION)
        self.missed = 0
        self._thread.start()
        assert self._subscribed.wait(10.0)

    def _run(self) -> None:
        with DecisionReceiver(self._endpoint) as receiver:
            subscribe(receiver)
            self._subscribed.set()
            self.records, self.totals = collect_until_totals(receiver, 60.0)
            self.missed = receiver.missed

    def until_totals(self):
        """Wait for the totals; return all decision records and the totals."""
        self._thread.join(60.0)
        return self.records, self.totals


def subscribe(receiver: DecisionReceiver) -> None:
    """Wait until the streamer has this receiver: it answers with a legend or a sign of life."""
    assert receiver.receive(10.0) is not None


def reasons(records) -> dict[str, int]:
    """Count records by the label of their reason."""
    codes, counts = np.unique(records["reason"], return_counts=True)
    return {Reason(code).label: int(count) for code, count in zip(codes, counts, strict=True)}


def check_account(totals: Totals, journal=None) -> None:
    """The account adds up, and the journal (a path) holds one record per decided cell."""
    account = totals.account
    assert account.balance() == []
    assert account.pending == 0
    assert account.sent == account.decided + totals.missing
    assert account.decided == account.kept + sum(account.not_kept.values())
    if journal is not None:
        read = read_journal(journal)
        assert read.intact
        assert read.complete
        assert len(read.decisions) == account.decided
        assert len(np.unique(read.decisions["seq"])) == account.decided
        assert int((read.decisions["reason"] == 0).sum()) == account.kept


def await_legend(receiver: DecisionReceiver) -> Legend:
    """Return the legend of the series."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        message = receiver.receive(0.5)
        if isinstance(message, Legend):
            return message
    raise AssertionError("no legend came")
