"""The loop's end of recording, with real sockets: it never waits, and what it says adds up."""

import time

import numpy as np
import pytest
import zmq

from streamer.ingest import SlotPool
from streamer.journal import record_dtype
from streamer.recorder import Handover
from streamer.recorder._joiner import Joiner
from streamer.vocabulary import Reason
from streamer.wire import (
    Frames,
    Handed,
    Heartbeat,
    Record,
    Recording,
    Refused,
    Schema,
    SeriesEnd,
    Taken,
    Unsubscribe,
    decode_to_recorder,
    encode,
)

SHAPE = (2, 4, 4)
BYTES = 2 * 2 * 4 * 4 + record_dtype(3).itemsize + 1024
"""What one cell alone takes of the buffer."""


class Loop:
    """A hand-over on a socket of its own, and a pool whose frames tell their seq."""

    def __init__(self, what="all", buffer_bytes=1 << 20, heartbeat_s=0.2):
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.port = self.socket.bind_to_random_port("tcp://127.0.0.1")
        idle = Recording(1, "", what, 0.5, 3, heartbeat_s, buffer_bytes)
        self.handover = Handover(self.socket, idle)
        self.recording = Recording(
            1, "s", what, 0.5, 3, heartbeat_s, buffer_bytes, schema=Schema(("a", "b"), "uint16", (1, 1)), shape=SHAPE
        )
        self.pool = SlotPool(64, SHAPE, np.dtype(np.uint16))
        self.seq = 0
        self.peers = []

    def batch(self, n, *, reasons=None, decided=None):
        """Classify n cells; those in `decided` (by place) are decided with their batch. Returns their seqs."""
        slots = self.pool.acquire(n)
        seqs = np.arange(self.seq, self.seq + n, dtype=np.uint64)
        self.seq += n
        self.pool.facts["seq"][slots] = seqs
        self.pool.frames[slots] = (seqs % 1000).astype(np.uint16)[:, None, None, None]
        at = np.arange(n) if decided is None else np.array(decided, np.intp)
        for some in np.array_split(at, 2):
            self.fates(seqs[some], np.zeros(len(some)) if reasons is None else np.asarray(reasons)[some])
        self.handover.hand_over(self.pool, slots)
        self.pool.release(slots)
        return seqs

    def fates(self, seqs, reasons):
        records = np.zeros(len(seqs), record_dtype(3))
        records["seq"], records["reason"] = seqs, reasons
        self.handover.decided(records)

    def serve(self):
        """Handle what recorders have said."""
        self.socket.poll(2000)
        errors = self.handover.serve(time.monotonic_ns())
        while self.socket.poll(20):
            errors += self.handover.serve(time.monotonic_ns())
        return errors


class Peer:
    def __init__(self, loop, token="t"):
        loop.peers.append(self)  # so that its socket lives until the context ends
        self.socket = loop.context.socket(zmq.DEALER)
        self.socket.connect(f"tcp://127.0.0.1:{loop.port}")
        self.token, self.taken = token, 0
        self.joiner, self.cells = Joiner(), {}

    def send(self, message):
        self.socket.send(encode(message))

    def read(self):
        """Return the messages that are there; frames and decisions go to `cells`."""
        heard = []
        while self.socket.poll(300 if not heard else 50):
            header, *parts = self.socket.recv_multipart()
            message = decode_to_recorder(header)
            heard.append(message)
            if isinstance(message, Frames):
                records, seqs = np.frombuffer(parts[0], record_dtype(3)), np.frombuffer(parts[1], "<u8")
                assert (len(records), len(seqs)) == (message.decisions, message.n)
                frames = np.frombuffer(parts[2], np.uint16).reshape(-1, *SHAPE)
                if message.n:
                    self.taken += len(parts[0]) + len(parts[2]) + 1024
                for part in self.joiner.join(records, seqs, frames):
                    assert (part.frames == (part.records["seq"] % 1000)[:, None, None, None]).all()
                    for record in part.records:
                        assert int(record["seq"]) not in self.cells
                        self.cells[int(record["seq"])] = int(record["reason"])
        return heard


@pytest.fixture
def make():
    loops = []

    def make(**settings):
        loops.append(Loop(**settings))
        return loops[-1]

    yield make
    for loop in loops:
        loop.context.destroy(0)


def joined(loop, **settings):
    peer = Peer(loop, **settings)
    peer.send(Record(1, "r", peer.token))
    loop.serve()
    return peer


def health(loop):
    found = loop.handover.health()
    assert found.offered == found.handed + sum(found.skipped.values())
    return found


def test_without_a_recorder_everything_is_skipped_and_a_late_one_learns_how_much(make):
    loop = make()
    loop.handover.open_series(loop.recording)
    loop.batch(5)
    assert health(loop).skipped == {"no_recorder": 5}
    peer = joined(loop)
    (welcome,) = peer.read()
    assert (welcome.series, welcome.account) == ("s", Handed("s", 5, 0, {"no_recorder": 5}))
    loop.batch(3)
    peer.read()
    assert sorted(peer.cells) == [5, 6, 7]
    assert (health(loop).handed, health(loop).recorder) == (3, "r")


def test_what_is_not_taken_is_bounded_and_the_rest_skipped(make):
    loop = make(buffer_bytes=5 * BYTES)
    loop.handover.open_series(loop.recording)
    peer = joined(loop)
    for _ in range(30):
        loop.batch(1)
    assert (health(loop).handed, health(loop).skipped) == (5, {"behind": 25})
    peer.read()
    peer.send(Taken(peer.taken, "s", 5))
    loop.serve()
    loop.batch(1)
    assert (health(loop).handed, health(loop).recorded) == (6, 5)
    # A message larger than all of the buffer goes when the buffer is empty, or never.
    peer.read()
    peer.send(Taken(peer.taken, "s", 6))
    loop.serve()
    loop.batch(60)
    loop.batch(1)
    assert (health(loop).handed, health(loop).skipped) == (66, {"behind": 26})
    # Who claims to have taken more than was sent gains nothing.
    peer.send(Taken(10**12, "s", 6))
    loop.serve()
    for _ in range(30):
        loop.batch(1)
    assert health(loop).handed == 71


@pytest.mark.parametrize("what", ["all", "kept", "wanted", "sample"])
def test_cells_that_wait_for_their_windows_are_joined_with_their_fates(make, what):
    rng = np.random.default_rng(5)
    loop = make(what=what, buffer_bytes=5 * BYTES)
    loop.handover.open_series(loop.recording)
    peer = joined(loop)
    waiting, fate = [], {}
    for turn in range(120):
        n = int(rng.integers(1, 9))
        wanted = rng.random(n) < 0.4
        reasons = np.where(wanted, 0, rng.choice([Reason.NOT_IN_GATE, Reason.UNCERTAIN, Reason.DISARMED], n))
        seqs = loop.batch(n, reasons=reasons, decided=rng.permutation(np.flatnonzero(~wanted)))
        fate |= dict(zip(seqs[~wanted].tolist(), reasons[~wanted].tolist(), strict=True))
        waiting += seqs[wanted].tolist()
        while waiting and rng.random() < 0.6:
            some, waiting = waiting[:3], waiting[3:]
            ends = rng.choice([0, 0, Reason.COINCIDENT, Reason.LATE], len(some))
            fate |= dict(zip(some, ends.tolist(), strict=True))
            loop.fates(np.array(some, np.uint64), ends)
        if turn % 7 == 0:
            peer.read()
            peer.send(Taken(peer.taken, "s"))
            loop.serve()
    loop.fates(np.array(waiting, np.uint64), np.zeros(len(waiting)))
    fate |= dict.fromkeys(waiting, 0)
    loop.handover.close_series("end")
    end = peer.read()[-1]
    assert isinstance(end, SeriesEnd)
    found = health(loop)
    assert (end.account.offered, end.account.handed, end.account.skipped) == (
        found.offered,
        found.handed,
        found.skipped,
    )
    assert found.skipped["behind"] > 0
    assert len(peer.cells) == found.handed
    assert len(peer.joiner) == 0
    assert peer.cells.items() <= fate.items()
    if what == "all":
        assert found.offered == len(fate)
    if what == "kept":
        assert not {Reason.NOT_IN_GATE, Reason.UNCERTAIN, Reason.DISARMED} & set(peer.cells.values())
    if what == "wanted":
        assert Reason.DISARMED in peer.cells.values()
        assert Reason.NOT_IN_GATE not in peer.cells.values()


def test_there_is_one_recorder_until_it_leaves_or_goes_or_falls_silent(make):
    loop = make(heartbeat_s=0.05)
    loop.handover.open_series(loop.recording)
    first, second = joined(loop, token="1"), Peer(loop, "2")
    second.send(Record(1, "r2", "2"))
    assert len(loop.serve()) == 1
    (refused,) = second.read()
    assert isinstance(refused, Refused)
    assert refused.field == "recorder"
    # The same one may ask again: it has heard nothing for a while.
    first.send(Record(1, "r", "1"))
    assert loop.serve() == []
    time.sleep(0.3)
    second.send(Record(1, "r2", "2"))
    assert loop.serve() == []
    assert health(loop).recorder == "r2"
    first.send(Taken(0, "s", 99))
    loop.serve()
    assert health(loop).recorded == 0
    second.send(Unsubscribe())
    loop.serve()
    assert health(loop).recorder == ""
    third = joined(loop, token="3")
    third.socket.close(0)
    time.sleep(0.2)
    loop.batch(2)
    assert (health(loop).recorder, health(loop).skipped) == ("", {"no_recorder": 2})


def test_counts_of_series_and_recorders_add_up_since_the_start(make):
    loop = make()
    for number in range(3):
        name = f"s{number}"
        loop.handover.open_series(Recording(1, name, "all", 1, 0, 1, 1 << 20))
        peer = joined(loop, token=name)
        loop.batch(4)
        peer.send(Taken(0, name, 2))
        peer.send(Taken(0, name, 3, 0, 0, {"disk": 1}))
        loop.serve()
        of_series = loop.handover.close_series("end")
        assert (of_series.offered, of_series.recorded, of_series.dropped) == (4, 3, {"disk": 1})
        peer.send(Unsubscribe())
        loop.serve()
    found = health(loop)
    assert (found.offered, found.handed, found.recorded, found.dropped) == (12, 12, 9, {"disk": 3})


def test_a_recorder_that_was_away_when_a_series_ended_hears_of_it(make):
    loop = make()
    loop.handover.open_series(loop.recording)
    loop.batch(2)
    loop.handover.close_series("lost")
    peer = Peer(loop)
    peer.send(Record(1, "r", "t", "s"))
    loop.serve()
    end, idle = peer.read()
    assert (end.ended, end.account.skipped) == ("lost", {"no_recorder": 2})
    assert idle.series == ""


def test_a_heartbeat_is_answered_and_nonsense_is_not_fatal(make):
    loop = make()
    peer = joined(loop)
    peer.read()
    peer.send(Heartbeat())
    loop.serve()
    (answer,) = peer.read()
    assert answer == Handed()
    for junk in ([b""], [b"\x81"], [b"a", b"b"], [encode(Heartbeat()), b""], [encode(Taken(0, "", -1))]):
        peer.socket.send_multipart(junk)
    assert len(loop.serve()) == 5
    peer.send(Record(2, "r", "t"))
    assert len(loop.serve()) == 1
    assert peer.read()[-1].field == "version"
    assert health(loop).recorder == "r"
