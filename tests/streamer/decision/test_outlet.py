"""Decisions go to whoever subscribed, in order, and nobody who does not listen holds them up."""

import msgspec
import numpy as np
import pytest
import zmq

from streamer.decision import Outlet
from streamer.vocabulary import Rejection
from streamer.wire import (
    DECISION,
    DecisionsHeader,
    Heartbeat,
    Legend,
    Refused,
    Subscribe,
    Unsubscribe,
    decode_to_sorter,
    encode,
)

LEGEND = Legend(
    version=1,
    series="s",
    bundle="toy",
    bundle_sha256="0" * 64,
    classes=("A",),
    gates=("g",),
    ways=("waste", "left"),
    reasons=("kept",),
    timebase=(1, 10**9),
    sort_delay_us=None,
    actuation_lead_us=0.0,
    number=0,
)
SECOND = 10**9
HEARTBEAT_S = 2.0
WAIT_MS = 10_000


class House:
    """An outlet on a real ROUTER, and sorters on real DEALERs beside it."""

    def __init__(self):
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.socket.setsockopt(zmq.SNDHWM, 4)
        self.socket.bind("inproc://decisions")
        self.outlet = Outlet(self.socket, HEARTBEAT_S)
        self.sorters = []

    def sorter(self, *, rcvhwm=1000):
        socket = self.context.socket(zmq.DEALER)
        socket.setsockopt(zmq.RCVHWM, rcvhwm)
        socket.connect("inproc://decisions")
        self.sorters.append(socket)
        return socket

    def say(self, sorter, message, now_ns=0):
        """Let a sorter say something and the outlet hear it."""
        sorter.send_multipart(message if isinstance(message, list) else [encode(message)])
        assert self.socket.poll(WAIT_MS)
        return self.outlet.serve(now_ns)

    def subscribed(self, name="sorter", now_ns=0, **options):
        sorter = self.sorter(**options)
        assert self.say(sorter, Subscribe(1, name), now_ns) == []
        return sorter


@pytest.fixture
def house():
    made = House()
    yield made
    made.context.destroy(0)


def heard(sorter):
    """Return the next message of a sorter as `(header, records or None)`."""
    assert sorter.poll(WAIT_MS)
    header, *parts = sorter.recv_multipart()
    return decode_to_sorter(header), (np.frombuffer(parts[0], DECISION) if parts else None)


def everything(sorter):
    found = []
    while sorter.poll(50):
        found.append(heard(sorter))
    return found


def records(*seqs):
    made = np.zeros(len(seqs), DECISION)
    made["seq"] = seqs
    return made


def test_a_subscriber_gets_the_legend_and_then_every_decision(house):
    sorter = house.subscribed()
    house.outlet.open_series(LEGEND)
    house.outlet.publish("s", records(0, 1))
    house.outlet.publish("s", records(2))
    assert heard(sorter) == (LEGEND, None)
    for number, seqs in enumerate(([0, 1], [2])):
        header, body = heard(sorter)
        assert header == DecisionsHeader("s", number, len(seqs))
        assert body["seq"].tolist() == seqs
    assert house.outlet.number == 2
    assert house.outlet.undelivered == 0


def test_nobody_is_told_without_a_subscription(house):
    sorter = house.sorter()
    assert house.say(sorter, Heartbeat()) == []
    house.outlet.open_series(LEGEND)
    house.outlet.publish("s", records(0))
    assert everything(sorter) == []
    assert house.outlet.receivers == 0
    assert (house.outlet.number, house.outlet.undelivered) == (1, 0)


def test_who_joins_late_learns_where_it_came_in(house):
    house.outlet.open_series(LEGEND)
    for seq in range(3):
        house.outlet.publish("s", records(seq))
    sorter = house.subscribed()
    legend, _ = heard(sorter)
    assert legend == msgspec.structs.replace(LEGEND, number=3)
    house.outlet.publish("s", records(3))
    assert heard(sorter)[0].number == 3


def test_between_two_series_there_is_no_legend(house):
    house.outlet.open_series(LEGEND)
    house.outlet.close_series()
    sorter = house.subscribed()
    assert everything(sorter) == []
    house.outlet.open_series(msgspec.structs.replace(LEGEND, series="t"))
    assert heard(sorter)[0].series == "t"


def test_each_series_counts_its_messages_from_0(house):
    sorter = house.subscribed()
    for series in ("s", "t"):
        house.outlet.open_series(msgspec.structs.replace(LEGEND, series=series))
        house.outlet.publish(series, records(0))
        assert heard(sorter)[0].series == series
        assert heard(sorter)[0] == DecisionsHeader(series, 0, 1)


def test_who_unsubscribes_hears_no_more(house):
    leaving, staying = house.subscribed("a"), house.subscribed("b")
    assert house.say(leaving, Unsubscribe()) == []
    assert house.outlet.receivers == 1
    house.outlet.publish("s", records(0))
    assert heard(staying)[0].number == 0
    assert everything(leaving) == []
    assert house.say(leaving, Unsubscribe()) == []


def test_subscribing_twice_is_one_subscription(house):
    sorter = house.subscribed()
    house.say(sorter, Subscribe(1, "sorter"))
    assert house.outlet.receivers == 1
    house.outlet.publish("s", records(0))
    assert len(everything(sorter)) == 1


def test_another_version_is_refused_and_not_subscribed(house):
    sorter = house.sorter()
    (error,) = house.say(sorter, Subscribe(2, "future"))
    assert error.reason == Rejection.UNKNOWN_VERSION
    refusal, _ = heard(sorter)
    assert refusal == Refused("", "version", "2", "1")
    assert house.outlet.receivers == 0


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ([b"\xc1"], Rejection.MALFORMED),
        ([b""], Rejection.MALFORMED),
        ([encode(Heartbeat()), b"more"], Rejection.WRONG_PARTS),
        ([encode(DecisionsHeader("s", 0, 1))], Rejection.UNKNOWN_TYPE),
        ([msgspec.msgpack.encode({"type": "subscribe", "version": 1})], Rejection.WRONG_TYPE),
        ([msgspec.msgpack.encode({"type": "subscribe", "version": 1, "name": ""})], Rejection.WRONG_TYPE),
    ],
)
def test_what_breaks_the_protocol_is_returned_and_the_others_are_served(house, parts, reason):
    sorter = house.subscribed()
    (error,) = house.say(house.sorter(), parts)
    assert error.reason == reason
    house.outlet.publish("s", records(0))
    assert heard(sorter)[0].number == 0


def test_serving_with_nothing_to_serve_returns_at_once(house):
    assert house.outlet.serve(0) == []


def test_the_silent_are_dropped_after_five_heartbeats_and_only_they(house):
    house.subscribed("silent", now_ns=0)
    alive = house.subscribed("alive", now_ns=0)
    limit = int(5 * HEARTBEAT_S * SECOND)
    assert house.outlet.drop_silent(limit) == []
    house.say(alive, Heartbeat(), now_ns=limit)
    assert house.outlet.drop_silent(limit + 1) == ["silent"]
    assert house.outlet.receivers == 1
    assert house.outlet.drop_silent(2 * limit) == []
    assert house.outlet.drop_silent(2 * limit + 1) == ["alive"]
    house.outlet.publish("s", records(0))
    assert house.outlet.undelivered == 0


def test_a_heartbeat_does_not_bring_back_who_was_dropped(house):
    sorter = house.subscribed(now_ns=0)
    assert house.outlet.drop_silent(10**12) == ["sorter"]
    house.say(sorter, Heartbeat(), now_ns=10**12)
    assert house.outlet.receivers == 0
    house.say(sorter, Subscribe(1, "sorter"), now_ns=10**12)
    assert house.outlet.receivers == 1


def test_a_slow_receiver_misses_messages_and_holds_up_nobody(house):
    """Every message either reaches it or is counted as undelivered, and its numbers show the gap."""
    slow, quick = house.subscribed("slow", rcvhwm=1), house.subscribed("quick")
    numbers = []
    for seq in range(50):
        house.outlet.publish("s", records(seq))
        numbers.append(heard(quick)[0].number)
    assert numbers == list(range(50))
    got = [header.number for header, _ in everything(slow)]
    assert 0 < len(got) < 50
    assert len(got) + house.outlet.undelivered == 50
    house.outlet.publish("s", records(50))
    assert heard(slow)[0].number == 50


def test_undelivered_starts_again_with_each_series(house):
    house.subscribed("slow", rcvhwm=1)
    for seq in range(50):
        house.outlet.publish("s", records(seq))
    assert house.outlet.undelivered > 0
    house.outlet.close_series()
    house.outlet.drop_silent(10**12)
    house.outlet.open_series(LEGEND)
    assert house.outlet.undelivered == 0


def test_a_receiver_that_is_gone_counts_as_undelivered_until_it_is_dropped(house):
    gone = house.subscribed("gone")
    gone.close(0)
    for seq in range(10_000):
        house.outlet.publish("s", records(seq))
        if house.outlet.undelivered:
            break
    assert house.outlet.undelivered == 1
    assert house.outlet.receivers == 1
    assert house.outlet.drop_silent(10**12) == ["gone"]


def test_there_are_at_most_64_receivers(house):
    sorters = [house.subscribed(str(i)) for i in range(64)]
    one_more = house.sorter()
    (error,) = house.say(one_more, Subscribe(1, "one more"))
    assert error.reason == Rejection.REFUSED
    assert isinstance(heard(one_more)[0], Refused)
    assert house.say(sorters[0], Subscribe(1, "again")) == []
    house.say(sorters[1], Unsubscribe())
    assert house.say(one_more, Subscribe(1, "one more")) == []
    assert house.outlet.receivers == 64


def test_a_message_to_all_reaches_all(house):
    sorters = [house.subscribed(name) for name in "abc"]
    house.outlet.tell(LEGEND)
    assert [heard(sorter) for sorter in sorters] == [(LEGEND, None)] * 3
