"""Late cells, full slots, and senders that have to wait."""

import time

import numpy as np

from streamer.client import CellSender, DecisionReceiver
from streamer.journal import read_journal
from tests.support.talk import TOY_SCHEMA, check_account, collect_until_totals, reasons, send_toy, subscribe
from tests.support.toy import toy_frames


def test_no_cell_is_kept_when_the_deadline_is_past_on_arrival(streamer):
    with CellSender(streamer.cells) as sender, DecisionReceiver(streamer.decisions) as receiver:
        subscribe(receiver)
        sender.start("late", TOY_SCHEMA, sort_delay_us=20_000)
        long_ago = np.full(30, time.monotonic_ns() - 1_000_000_000, np.uint64)
        sender.send(toy_frames([1] * 30), long_ago)
        send_toy(sender, [1])
        totals = sender.end()
        records, _ = collect_until_totals(receiver)
    assert totals.account.not_kept["late"] >= 30
    assert (records["slack_us"][records["seq"] < 30] < 0).all()
    assert (records["way"][records["reason"] != 0] == 0).all()
    check_account(totals, streamer.journal("late"))


def test_no_kept_cell_was_decided_after_its_deadline(streamer):
    # A deadline of a few decisions' length: on a busy machine some do not make it, and none is kept that did not.
    with CellSender(streamer.cells) as sender:
        sender.start("tight", TOY_SCHEMA, sort_delay_us=10_000)
        for _ in range(300):
            send_toy(sender, [1])
            time.sleep(0.001)
        totals = sender.end()
    decisions = read_journal(streamer.journal("tight")).decisions
    kept = decisions[decisions["reason"] == 0]
    # The default publish margin: 100 µs before the deadline or not at all.
    assert len(kept) > 0
    assert (kept["slack_ns"] >= 100_000).all()
    assert set(totals.account.not_kept) <= {"late"}
    check_account(totals, streamer.journal("tight"))


def test_full_slots_shed_the_cells_that_can_least_be_saved(start_streamer):
    streamer = start_streamer(slots=64)
    with CellSender(streamer.cells) as sender, DecisionReceiver(streamer.decisions) as receiver:
        subscribe(receiver)
        sender.start("full", TOY_SCHEMA, sort_delay_us=30_000_000)
        now = time.monotonic_ns()
        # The later half of the message was triggered first: those have the earliest deadlines.
        ticks = np.concatenate([np.full(500, now), np.full(500, now - 5_000_000_000)]).astype(np.uint64)
        sender.send(toy_frames([1] * 1000), ticks)
        totals = sender.end()
        records, _ = collect_until_totals(receiver)
    assert reasons(records) == {"kept": 64, "overload": 936}
    assert (records["seq"][records["reason"] == 0] < 500).all()
    check_account(totals, streamer.journal("full"))


def test_without_a_sort_delay_the_sender_waits_and_nothing_is_shed(start_streamer):
    streamer = start_streamer(slots=64)
    with CellSender(streamer.cells) as sender:
        sender.start("patient", TOY_SCHEMA)
        for _ in range(20):
            send_toy(sender, np.arange(500) % 3)
        totals = sender.end()
    assert totals.account.decided == 10_000
    assert set(totals.account.not_kept) == {"not_in_gate"}
    decisions = read_journal(streamer.journal("patient")).decisions
    assert np.array_equal(decisions["seq"], np.arange(10_000))
    assert np.array_equal(decisions["class_"], decisions["seq"] % 500 % 3)


def test_without_a_sort_delay_cells_of_mixed_sizes_wait_too(start_streamer):
    streamer = start_streamer(slots=64)
    schema = TOY_SCHEMA.__class__(channels=TOY_SCHEMA.channels, dtype="uint16", timebase=(1, 1_000_000_000))
    frames = [toy_frames([i % 3], height=6 + i % 5)[0] for i in range(300)]
    frames[7] = None
    with CellSender(streamer.cells) as sender:
        sender.start("mixed", schema)
        sender.send(frames, np.full(300, time.monotonic_ns(), np.uint64))
        totals = sender.end()
    check_account(totals, streamer.journal("mixed"))
    assert totals.account.decided == 300
    assert totals.account.not_kept["incomplete"] == 1
    decisions = np.sort(read_journal(streamer.journal("mixed")).decisions, order="seq")
    expected = np.arange(300) % 3
    expected[7] = -1
    assert np.array_equal(decisions["class_"], expected)
