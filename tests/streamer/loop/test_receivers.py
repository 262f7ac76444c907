"""Sorters that are slow, gone or many never stall the loop."""

import time

import zmq

from streamer.client import CellSender, DecisionReceiver
from streamer.wire import PROTOCOL_VERSION, Subscribe, encode
from tests.support.talk import TOY_SCHEMA, check_account, collect_until_totals, send_toy, subscribe


def test_every_receiver_gets_every_decision(streamer):
    with (
        CellSender(streamer.cells) as sender,
        DecisionReceiver(streamer.decisions, "a") as a,
        DecisionReceiver(streamer.decisions, "b") as b,
    ):
        subscribe(a)
        subscribe(b)
        sender.start("two", TOY_SCHEMA)
        for _ in range(50):
            send_toy(sender, [0, 1, 2])
        sender.end()
        for receiver in (a, b):
            records, _ = collect_until_totals(receiver)
            assert sorted(records["seq"].tolist()) == list(range(150))
            assert receiver.missed == 0


def test_a_receiver_that_does_not_read_is_counted_and_stalls_nothing(streamer):
    context = zmq.Context()
    deaf = context.socket(zmq.DEALER)
    deaf.setsockopt(zmq.RCVHWM, 1)
    deaf.setsockopt(zmq.LINGER, 0)
    deaf.connect(streamer.decisions)
    deaf.send(encode(Subscribe(PROTOCOL_VERSION, "deaf")))
    try:
        with CellSender(streamer.cells) as sender, DecisionReceiver(streamer.decisions, "well") as well:
            subscribe(well)
            sender.start("deaf", TOY_SCHEMA)
            sent = 0
            until = time.monotonic() + 60
            # Send until the deaf one's queues are full, keeping its subscription alive and the other one reading.
            while time.monotonic() < until:
                for _ in range(200):
                    send_toy(sender, [1] * 30)
                    sent += 30
                deaf.send(encode(Subscribe(PROTOCOL_VERSION, "deaf")))
                while well.receive(0.01) is not None:
                    pass
                sender.beat(now=True)
                if sender.status is not None and sender.status.account.undelivered > 10:
                    break
            totals = sender.end()
    finally:
        deaf.close()
        context.term()
    assert totals.account.undelivered > 10
    assert totals.account.decided == sent
    check_account(totals, streamer.journal("deaf"))


def test_a_receiver_that_left_is_forgotten(streamer):
    with CellSender(streamer.cells) as sender:
        with DecisionReceiver(streamer.decisions) as receiver:
            subscribe(receiver)
            sender.start("left", TOY_SCHEMA)
            send_toy(sender, [1])
        for _ in range(20):
            send_toy(sender, [1])
            time.sleep(0.02)
        totals = sender.end()
    assert totals.account.kept == 21
    assert totals.account.undelivered <= 1


def test_a_receiver_that_comes_late_knows_where_it_came_in(streamer):
    with CellSender(streamer.cells) as sender:
        sender.start("late", TOY_SCHEMA)
        for _ in range(10):
            send_toy(sender, [1])
            time.sleep(0.02)
        with DecisionReceiver(streamer.decisions) as receiver:
            subscribe(receiver)
            assert receiver.legend is not None
            assert receiver.legend.number > 0
            send_toy(sender, [2])
            sender.end()
            records, _ = collect_until_totals(receiver)
            assert records["seq"].tolist() == [10]
            assert receiver.missed == 0
