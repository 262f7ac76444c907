"""Sort windows, targets and dead time in a running streamer."""

import time

import numpy as np
import pytest

from streamer.client import CellSender, Controller, RefusedError
from streamer.journal import read_journal
from streamer.vocabulary import Reason
from tests.support.talk import TOY_SCHEMA, Listening, check_account, reasons, send_toy
from tests.support.toy import toy_frames

MS = 1_000_000
PURE_LEFT_SINGLE_RIGHT = """
[way.left]
mode = "purity"
leading_us = 300
trailing_us = 700

[way.right]
mode = "single"
leading_us = 500
trailing_us = 500
"""


def past_ticks(offsets_ns) -> np.ndarray:
    """Trigger times that are all over by now, so that none is clamped to its arrival."""
    offsets_ns = np.asarray(offsets_ns)
    return (time.monotonic_ns() - 100 * MS - int(offsets_ns.max()) + offsets_ns).astype(np.uint64)


def fates(classes, ticks) -> np.ndarray:
    """What becomes of each cell by the rules above, seeing all of them: way by class (0 waste, 1 left, 2 right)."""
    ticks = ticks.astype(np.int64)
    windows = {1: (300_000, 700_000), 2: (500_000, 500_000)}
    expected = np.zeros(len(classes), np.int64)
    for i, way in enumerate(classes):
        if way == 0:
            expected[i] = Reason.NOT_IN_GATE
            continue
        leading, trailing = windows[way]
        inside = (ticks >= ticks[i] - leading) & (ticks <= ticks[i] + trailing)
        inside[i] = False
        others = classes[inside]
        lost = len(others) if way == 2 else (others != 1).sum()
        expected[i] = Reason.COINCIDENT if lost else Reason.KEPT
    return expected


def test_a_random_stream_is_sorted_by_the_rules(start_streamer):
    # The cells are older than a transport takes: by the clock, windows would be closed before all in them have come.
    streamer = start_streamer(sections=PURE_LEFT_SINGLE_RIGHT + "\n[actuator]\ntransport_us = 10_000_000\n")
    rng = np.random.default_rng(8)
    classes = rng.choice(3, 1500, p=[0.3, 0.5, 0.2])
    ticks = past_ticks(np.cumsum(rng.exponential(0.8 * MS, 1500)).astype(np.int64))
    sorter = Listening(streamer.decisions)
    with CellSender(streamer.cells) as sender:
        sender.start("random", TOY_SCHEMA, sort_delay_us=30_000_000)
        for some in np.array_split(np.arange(1500), 300):
            sender.send(toy_frames(classes[some]), ticks[some])
        totals = sender.end()
    records, _ = sorter.until_totals()
    records = records[np.argsort(records["seq"])]
    expected = fates(classes, ticks)
    assert np.array_equal(records["reason"], expected)
    assert np.array_equal(records["way"], np.where(expected == Reason.KEPT, classes, 0))
    assert np.array_equal(records["gate"], classes - 1)
    assert totals.account.not_kept["coincident"] > 300
    check_account(totals, streamer.journal("random"))


def test_a_lost_frame_is_an_unwanted_neighbour(start_streamer):
    streamer = start_streamer(sections=PURE_LEFT_SINGLE_RIGHT)
    schema = TOY_SCHEMA.__class__(channels=TOY_SCHEMA.channels, dtype="uint16", timebase=(1, 1_000_000_000))
    left = toy_frames([1])[0]
    with CellSender(streamer.cells) as sender:
        sender.start("lost", schema, sort_delay_us=30_000_000)
        sender.send([left, None, left], past_ticks([0, MS // 2, 10 * MS]))
        totals = sender.end()
    decisions = np.sort(read_journal(streamer.journal("lost")).decisions, order="seq")
    assert decisions["reason"].tolist() == [Reason.COINCIDENT, Reason.INCOMPLETE, Reason.KEPT]
    check_account(totals, streamer.journal("lost"))


def test_a_window_closes_by_the_clock_when_no_cell_follows(start_streamer):
    streamer = start_streamer(sections=PURE_LEFT_SINGLE_RIGHT)
    with CellSender(streamer.cells) as sender:
        sender.start("alone", TOY_SCHEMA, sort_delay_us=30_000_000)
        send_toy(sender, [1])
        until = time.monotonic() + 20
        while time.monotonic() < until and (sender.status is None or sender.status.account.kept < 1):
            sender.beat(now=True)
            time.sleep(0.005)
        assert sender.status is not None
        assert sender.status.account.kept == 1
        sender.end()


def test_a_kept_cell_leaves_before_its_deadline_with_windows_too(start_streamer):
    streamer = start_streamer(sections=PURE_LEFT_SINGLE_RIGHT + "\n[actuator]\ntransport_us = 500\n")
    with CellSender(streamer.cells) as sender:
        sender.start("tight", TOY_SCHEMA, sort_delay_us=12_000)
        for _ in range(200):
            send_toy(sender, [1])
            time.sleep(0.002)
        totals = sender.end()
    decisions = read_journal(streamer.journal("tight")).decisions
    kept = decisions[decisions["reason"] == Reason.KEPT]
    assert len(kept) > 0
    assert (kept["slack_ns"] > 0).all()
    assert set(totals.account.not_kept) <= {"late", "coincident"}
    check_account(totals, streamer.journal("tight"))


def test_a_window_longer_than_the_sort_delay_is_refused(start_streamer):
    streamer = start_streamer(sections=PURE_LEFT_SINGLE_RIGHT)
    with CellSender(streamer.cells) as sender, pytest.raises(RefusedError, match="way left: trailing window"):
        sender.start("short", TOY_SCHEMA, sort_delay_us=1000)
    assert not streamer.journal("short").exists()


def test_a_target_stops_its_way_and_can_be_raised_in_mid_series(start_streamer):
    streamer = start_streamer(sections="[way.left]\ntarget = 10\n")
    with CellSender(streamer.cells) as sender, Controller(streamer.control) as operator:
        sender.start("ten", TOY_SCHEMA)
        send_toy(sender, [1, 2] * 15)
        until = time.monotonic() + 20
        while time.monotonic() < until and (sender.status is None or sender.status.account.decided < 30):
            sender.beat(now=True)
            time.sleep(0.01)
        operator.change({"way": {"left": {"target": 12}}}, author="me", reason="two more")
        with pytest.raises(RefusedError, match=r"way\.left"):
            operator.change({"way": {"left": {"mode": "single"}}}, author="me", reason="not now")
        send_toy(sender, [1, 2] * 5)
        totals = sender.end()
    assert totals.account.not_kept == {"target_reached": 5 + 3}
    decisions = read_journal(streamer.journal("ten")).decisions
    assert (decisions["way"] == 1).sum() == 12
    assert (decisions["way"] == 2).sum() == 20


def test_the_actuators_dead_time_aborts_what_comes_too_soon(start_streamer):
    streamer = start_streamer(sections="[way.left]\n[actuator]\ndead_time_us = 1000\n")
    sorter = Listening(streamer.decisions)
    with CellSender(streamer.cells) as sender:
        sender.start("dead", TOY_SCHEMA, sort_delay_us=30_000_000)
        sender.send(toy_frames([1, 2, 1, 1]), past_ticks([0, MS // 2, 2 * MS, 2 * MS + MS // 3]))
        sender.end()
    records, _ = sorter.until_totals()
    assert reasons(records) == {"kept": 2, "hardware_abort": 2}
    assert sorted(records["seq"][records["reason"] == Reason.KEPT].tolist()) == [0, 2]


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ("[way.up]\n", "no gate leads to"),
        ("[way.left]\nleading_drops = 0.5\n", "drop_frequency_hz"),
        ("[way.left]\nleading_drops = 0.5\ntrailing_us = 3\n", "in time and in drops"),
        ("[way.left]\nmode = 'best'\n", "way"),
        ("[way.left]\nrate_limit_per_s = 5000\n[actuator]\ndead_time_us = 1000\n", "per_second"),
    ],
)
def test_ways_that_cannot_be_are_told_in_one_line(start_streamer, sections, words):
    streamer = start_streamer(sections=sections, wait=False)
    assert streamer.process.wait(60) == 2
    assert words in streamer.text()
    # Beside what the log says of the engine that was chosen.
    assert len([line for line in streamer.text().strip().splitlines() if " INFO " not in line]) == 1


def test_distances_are_those_of_the_counter_though_its_mapping_moves(start_streamer):
    """A heartbeat quicker than all before moves the mapping by five milliseconds; the windows do not notice."""
    # Windows are closed by the cells that follow, not by the clock, so that every pair is seen together.
    streamer = start_streamer(sections=PURE_LEFT_SINGLE_RIGHT + "[actuator]\ntransport_us = 2_000_000\n")
    lag = 6 * MS

    def counter() -> int:
        # What start and the first heartbeat say is old by `lag`: as if they had been long under way.
        return time.monotonic_ns() - lag

    with CellSender(streamer.cells, counter=counter) as sender:
        sender.start("moves", TOY_SCHEMA, sort_delay_us=5_000_000)
        begin = time.monotonic_ns() - 500 * MS
        for pair in range(20):
            at = begin + pair * 20 * MS
            sender.send(toy_frames([1]), np.array([at], np.uint64))
            if pair == 10:
                lag = 1 * MS
                sender.beat(now=True)
            # An unwanted cell 0.65 ms later: inside of the window, and outside if the mapping were to show.
            sender.send(toy_frames([0]), np.array([at + 650_000], np.uint64))
        totals = sender.end()
    assert totals.account.not_kept == {"not_in_gate": 20, "coincident": 20}
