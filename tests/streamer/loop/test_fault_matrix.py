"""What can go wrong around the loop: no cell is kept against the rules, every abort has its reason, all adds up."""

import time

import numpy as np
import pytest

from streamer.client import CellSender
from streamer.journal import read_journal
from streamer.vocabulary import Reason
from tests.support.engines import inside
from tests.support.talk import TOY_SCHEMA, check_account, send_toy
from tests.support.toy import toy_frames

PURITY = {"way": {"left": {"mode": "purity", "leading_us": 200, "trailing_us": 200}}}


def pass_by(sender: CellSender, seconds: float, pause_s: float = 0.002, classes=(1,)) -> None:
    """Send cells as they come for so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        send_toy(sender, np.array(classes))
        time.sleep(pause_s)


def check_kept(journal, totals):
    """No kept cell is late, and the account is that of the journal."""
    check_account(totals, journal)
    decisions = read_journal(journal).decisions
    kept = decisions[decisions["reason"] == Reason.KEPT]
    assert (kept["slack_ns"] > 0).all()
    return decisions


@pytest.mark.parametrize("sections", [{}, PURITY], ids=["plain", "purity"])
def test_a_late_engine_keeps_nothing_late(toy_bundle, sections):
    with inside(toy_bundle, **sections) as streamer, CellSender(streamer.cells) as sender:
        sender.start("late", TOY_SCHEMA, sort_delay_us=30_000)
        pass_by(sender, 0.3)
        streamer.engine.delay_s = 0.06
        pass_by(sender, 0.6)
        streamer.engine.delay_s = 0.0
        pass_by(sender, 0.6)
        totals = sender.end()
        decisions = check_kept(streamer.journal("late"), totals)
    assert totals.account.kept > 50
    assert totals.account.not_kept["late"] > 50
    assert set(totals.account.not_kept) <= {"late", "coincident"}
    # It recovers: the last cells are in time again.
    assert (np.sort(decisions, order="seq")["reason"][-20:] == Reason.KEPT).sum() >= 15


def test_twenty_faults_of_the_engine_cost_twenty_batches(toy_bundle):
    with inside(toy_bundle) as streamer, CellSender(streamer.cells) as sender:
        sender.start("faults", TOY_SCHEMA, sort_delay_us=2_000_000)
        for fault in range(20):
            pass_by(sender, 0.02)
            if fault % 2:
                streamer.engine.fail_submit += 1
            else:
                streamer.engine.fail_collect += 1
        pass_by(sender, 0.2)
        totals = sender.end()
        check_kept(streamer.journal("faults"), totals)
        assert streamer.engine.fail_submit == streamer.engine.fail_collect == 0
    assert set(totals.account.not_kept) == {"engine_fault"}
    assert 20 <= totals.account.not_kept["engine_fault"] <= 160
    assert totals.account.kept > 20


@pytest.mark.parametrize("sections", [{}, PURITY], ids=["plain", "purity"])
def test_an_engine_that_hangs_is_given_up_and_taken_back(toy_bundle, sections):
    sections = {"engine": {"patience_s": 0.3}, **sections}
    with inside(toy_bundle, **sections) as streamer, CellSender(streamer.cells) as sender:
        sender.start("hangs", TOY_SCHEMA, sort_delay_us=1_500_000)
        pass_by(sender, 0.2)
        streamer.engine.hanging.set()
        pass_by(sender, 1.0)
        streamer.engine.hanging.clear()
        pass_by(sender, 0.5)
        totals = sender.end()
        decisions = np.sort(check_kept(streamer.journal("hangs"), totals), order="seq")
    assert totals.account.not_kept["engine_fault"] > 50
    assert (decisions["reason"][:20] == Reason.KEPT).sum() >= 15
    assert (decisions["reason"][-20:] == Reason.KEPT).sum() >= 15


def test_a_dead_engine_keeps_nothing_and_the_series_still_ends(toy_bundle):
    with inside(toy_bundle, engine={"patience_s": 0.3}) as streamer, CellSender(streamer.cells) as sender:
        sender.start("dead", TOY_SCHEMA, sort_delay_us=1_000_000)
        streamer.engine.hanging.set()
        pass_by(sender, 0.5)
        totals = sender.end()
        check_kept(streamer.journal("dead"), totals)
        assert totals.account.kept == 0
        assert streamer.stop() is False


@pytest.mark.parametrize("jump_s", [1, -1])
def test_a_counter_that_jumps_costs_cells_and_sorts_none_wrongly(toy_bundle, jump_s):
    offset = 0

    def counter() -> int:
        return time.monotonic_ns() + offset + 10_000_000_000

    def go(seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            sender.send(toy_frames([1]), np.array([counter()], np.uint64))
            time.sleep(0.002)

    with inside(toy_bundle) as streamer, CellSender(streamer.cells, counter=counter) as sender:
        sender.start("jump", TOY_SCHEMA, sort_delay_us=50_000)
        go(0.5)
        offset = jump_s * 1_000_000_000
        before = sender.next_seq
        go(2.0)  # some heartbeats of 0.3 s: the jump is made out
        after = sender.next_seq
        go(0.5)
        totals = sender.end()
        decisions = np.sort(check_kept(streamer.journal("jump"), totals), order="seq")
    reason = "clock" if jump_s > 0 else "late"
    assert totals.account.not_kept[reason] > 50
    assert (decisions["reason"][before + 5 : before + 50] != Reason.KEPT).all()
    assert (decisions["reason"][after:] == Reason.KEPT).mean() > 0.9


def test_lost_and_doubled_messages_in_purity_mode(toy_bundle):
    with inside(toy_bundle, **PURITY) as streamer, CellSender(streamer.cells) as sender:
        sender.start("lost", TOY_SCHEMA, sort_delay_us=500_000)
        for seq in range(300):
            if seq % 7:  # every seventh is lost
                for _ in range(1 + (seq % 5 == 0)):  # every fifth comes twice
                    send_toy(sender, [1 + seq % 2], seq=seq)
            time.sleep(0.001)
        totals = sender.end(last_seq=299)
        check_kept(streamer.journal("lost"), totals)
    assert totals.missing == 43
    assert totals.account.duplicates == sum(1 for seq in range(300) if seq % 7 and seq % 5 == 0)
