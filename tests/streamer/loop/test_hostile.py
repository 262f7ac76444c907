"""Things a reviewer broke the loop with; none of them may do so again."""

import os
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest

from streamer.client import CellSender, Controller, RefusedError
from streamer.config import parse_config
from streamer.ingest import FACTS, TickClock
from streamer.journal import read_journal
from streamer.loop._rows import row_dtype
from streamer.loop._sorting import Sorting
from streamer.vocabulary import Reason
from tests.support.engines import inside
from tests.support.talk import TOY_SCHEMA, check_account, now_ticks, send_toy
from tests.support.toy import toy_frames, write_toy_bundle

MS = 1_000_000
PURITY = {
    "way": {"left": {"mode": "purity", "leading_us": 50_000, "trailing_us": 50_000}},
    "actuator": {"transport_us": 200_000},
}
ONLY_DIM = [{"name": "dim", "way": "up", "where": {"dim": {"min": 0.5}}}]


def send_at(sender, classes, ticks, **kwargs) -> None:
    """Send cells of these classes with these trigger times."""
    sender.send(toy_frames(np.atleast_1d(classes)), np.atleast_1d(np.array(ticks, np.uint64)), **kwargs)


def reasons_of(journal) -> list[int]:
    """Reasons in the order of the cells."""
    return np.sort(read_journal(journal).decisions, order="seq")["reason"].tolist()


def test_gates_changed_before_a_series_hold_in_it(toy_bundle):
    with inside(toy_bundle) as streamer, CellSender(streamer.cells) as sender:
        with Controller(streamer.control) as operator:
            operator.change({"gate": ONLY_DIM}, author="me", reason="first")
        for series in ("one", "two"):
            sender.start(series, TOY_SCHEMA)
            send_toy(sender, [0, 1, 0])
            totals = sender.end()
            assert totals.account.kept == 2
            check_account(totals, streamer.journal(series))
        report = msgspec.json.decode(streamer.journal("two").with_suffix(".report.json").read_bytes())
        up = next(way for way in report["sort"]["ways"] if way["name"] == "up")
        assert (up["in_gate"], up["sorted"]) == (2, 2)
        assert read_journal(streamer.journal("two")).header.gates == ("dim",)


def test_a_cell_from_the_future_closes_no_window(toy_bundle):
    with inside(toy_bundle, **PURITY) as streamer, CellSender(streamer.cells) as sender:
        sender.start("future", TOY_SCHEMA, sort_delay_us=5_000_000)
        send_at(sender, 1, time.monotonic_ns() + 3_000_000_000)
        at = time.monotonic_ns()
        send_at(sender, 1, at)
        time.sleep(0.02)
        send_at(sender, 0, at + 10 * MS)
        totals = sender.end()
        assert reasons_of(streamer.journal("future"))[1:] == [Reason.COINCIDENT, Reason.NOT_IN_GATE]
        check_account(totals, streamer.journal("future"))


def test_float_cells_from_the_future_are_waste(tmp_path):
    bundle = write_toy_bundle(tmp_path / "float", dtype="float32")
    schema = msgspec.structs.replace(TOY_SCHEMA, dtype="float32")
    with inside(bundle) as streamer, CellSender(streamer.cells) as sender:
        sender.start("float", schema, sort_delay_us=1_000_000)
        future = np.array([time.monotonic_ns() + 10**9] * 3, np.uint64)
        sender.send(toy_frames([1, 1, 1], dtype="float32"), future)
        sender.send(toy_frames([1], dtype="float32"), now_ticks(1))
        totals = sender.end()
    assert totals.account.not_kept == {"clock": 3}
    assert totals.account.kept == 1


@pytest.mark.parametrize("jump", [-(10**9), 2**62])
def test_windows_hold_after_the_counter_has_jumped(toy_bundle, jump):
    offset = 5 * 10**9

    def counter() -> int:
        return time.monotonic_ns() + offset

    with inside(toy_bundle, **PURITY) as streamer, CellSender(streamer.cells, counter=counter) as sender:
        sender.start("jump", TOY_SCHEMA, sort_delay_us=2_000_000)
        send_at(sender, 1, counter())
        offset += jump
        for _ in range(4):
            sender.beat(now=True)
            time.sleep(0.05)
        at = counter()
        send_at(sender, 1, at)
        time.sleep(0.02)
        send_at(sender, 0, at + 10 * MS)
        totals = sender.end()
        assert reasons_of(streamer.journal("jump"))[1:] == [Reason.COINCIDENT, Reason.NOT_IN_GATE]
        check_account(totals, streamer.journal("jump"))


@pytest.mark.parametrize(("sort_delay_us", "in_time"), [(8_000, False), (20_000, True)])
def test_a_deadline_goes_by_the_arrival_when_ticks_run_ahead(toy_bundle, sort_delay_us, in_time):
    """Ticks 3.5 ms ahead: windows close as much later, and of the two delays only the longer has room for that."""
    sections = {"way": {"left": {"mode": "purity", "trailing_us": 6_000}}, "actuator": {"transport_us": 1_000}}
    with inside(toy_bundle, **sections) as streamer, CellSender(streamer.cells) as sender:
        sender.start("ahead", TOY_SCHEMA, sort_delay_us=sort_delay_us)
        for _ in range(30):
            send_at(sender, 1, time.monotonic_ns() + 3_500_000)
            time.sleep(0.03)
        totals = sender.end()
        decisions = read_journal(streamer.journal("ahead")).decisions
    kept = decisions[decisions["reason"] == Reason.KEPT]
    # No trigger lies behind its cell's arrival, so no deadline lies further behind it than the sort delay.
    assert (kept["decided_ns"] - kept["arrival_ns"] < sort_delay_us * 1000).all()
    assert totals.account.decided == 30
    assert len(kept) > 0 or not in_time


def test_the_dead_time_goes_by_the_counter(toy_bundle):
    lag = 6 * MS

    def counter() -> int:
        return time.monotonic_ns() - lag

    with (
        inside(toy_bundle, actuator={"dead_time_us": 100}) as streamer,
        CellSender(streamer.cells, counter=counter) as sender,
    ):
        sender.start("dead", TOY_SCHEMA, sort_delay_us=2_000_000)
        at = counter() - 100 * MS
        send_at(sender, 1, at)
        lag = MS
        sender.beat(now=True)
        send_at(sender, 1, at + 10_000)
        totals = sender.end()
    assert totals.account.kept == 1
    assert totals.account.not_kept == {"hardware_abort": 1}


def test_a_path_that_cannot_be_is_refused_and_the_loop_lives(toy_bundle, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with inside(toy_bundle) as streamer, Controller(streamer.control) as operator:
        for path in ("/x\0y", str(pipe), "/dev/zero"):
            with pytest.raises(RefusedError, match="Gating-ML"):
                operator.change({"decision": {"gating_ml": path}}, author="me", reason="no")
        assert operator.ask().changes == 0


def test_a_sort_in_which_nothing_is_wanted_forgets_what_is_settled():
    tree = {"streamer": {"bundle": "-"}, "way": {"left": {"mode": "purity", "leading_us": 50, "trailing_us": 50}}}
    sorting = Sorting(parse_config(tree, "test", Path()), ("waste", "left"), TickClock((1, 10**9)), None, 0.0)
    rows = np.zeros(100, row_dtype(3))
    asked = 0
    for turn in range(1000):
        rows["seq"] = np.arange(turn * 100, turn * 100 + 100)
        rows["trigger_ns"] = rows["seq"].astype(np.int64) * MS
        rows["deadline_ns"] = 2**63 - 1
        facts = np.zeros(100, FACTS)
        for name in FACTS.names:
            facts[name] = rows[name]
        sorting.arrive(facts, facts["trigger_ns"])
        assert len(sorting.take(rows)) == 100
        if sorting.due:
            asked += 1
            assert len(sorting.release(int(rows["trigger_ns"][-1]), armed=True)) == 0
            assert not sorting.due
    assert sorting.pending == 0
    assert 50 < asked < 200


def test_a_stop_does_not_wait_for_an_engine_that_hangs(toy_bundle):
    with inside(toy_bundle, engine={"patience_s": 60}) as streamer, CellSender(streamer.cells) as sender:
        sender.start("stuck", TOY_SCHEMA)
        streamer.engine.hanging.set()
        send_toy(sender, [1])
        time.sleep(0.2)
        assert streamer.stop() is False
        assert reasons_of(streamer.journal("stuck")) == [Reason.STOPPED]
