"""Several batches under way: decided in the order of submission, and all accounted for, whatever goes wrong."""

import time

import numpy as np
import pytest

from engines.backends import Choice, MultiEngine
from streamer.client import CellSender
from streamer.journal import read_journal
from streamer.vocabulary import Reason
from tests.support.engines import ScriptedEngine, inside
from tests.support.talk import TOY_SCHEMA, Listening, check_account, send_toy


def pass_by(sender, messages, cells=8):
    for _ in range(messages):
        send_toy(sender, np.full(cells, 1))
        time.sleep(0.001)


def test_two_batches_are_under_way_and_decided_in_order(toy_bundle):
    with inside(toy_bundle, capacity=2) as streamer, CellSender(streamer.cells) as sender:
        sorter = Listening(streamer.decisions)
        streamer.engine.delay_s = 0.005  # odd ones take three times as long as even ones
        sender.start("two", TOY_SCHEMA)
        pass_by(sender, 100)
        totals = sender.end()
        records, _ = sorter.until_totals()
        check_account(totals, streamer.journal("two"))
        assert streamer.engine.most == 2
    assert totals.account.kept == 800
    assert (np.diff(records["seq"].astype(np.int64)) == 1).all()


def test_a_failed_batch_costs_itself_and_not_the_other(toy_bundle):
    with inside(toy_bundle, capacity=2) as streamer, CellSender(streamer.cells) as sender:
        streamer.engine.delay_s = 0.005
        sender.start("faults", TOY_SCHEMA)
        for _ in range(10):
            pass_by(sender, 5)
            streamer.engine.fail_collect += 1
            until = time.monotonic() + 20  # three in a row would be too many
            while streamer.engine.fail_collect and time.monotonic() < until:
                pass_by(sender, 1)
        pass_by(sender, 10)
        totals = sender.end()
        check_account(totals, streamer.journal("faults"))
    assert set(totals.account.not_kept) == {"engine_fault"}
    assert 10 <= totals.account.not_kept["engine_fault"] <= 80


@pytest.mark.parametrize("capacity", [2, 3])
def test_deadlines_hold_behind_batches_under_way(toy_bundle, capacity):
    with inside(toy_bundle, capacity=capacity) as streamer, CellSender(streamer.cells) as sender:
        streamer.engine.delay_s = 0.005
        sender.start("deadlines", TOY_SCHEMA, sort_delay_us=60_000)
        pass_by(sender, 300)
        totals = sender.end()
        check_account(totals, streamer.journal("deadlines"))
        decisions = read_journal(streamer.journal("deadlines")).decisions
    kept = decisions[decisions["reason"] == Reason.KEPT]
    assert len(kept) > 50
    assert (kept["slack_ns"] > 0).all()
    assert set(totals.account.not_kept) <= {"late", "overload"}


def test_an_engine_in_throughput_mode_decides_a_series(start_streamer):
    streamer = start_streamer(sections='[engine]\nmode = "throughput"\nthreads = 2\n')
    with CellSender(streamer.cells) as sender:
        sender.start("throughput", TOY_SCHEMA)
        for _ in range(200):
            send_toy(sender, np.arange(64) % 3)
        totals = sender.end()
    check_account(totals, streamer.journal("throughput"))
    assert totals.account.decided == 12_800
    assert totals.account.kept == 12_800 - 200 * 22
    seqs = read_journal(streamer.journal("throughput")).decisions["seq"].astype(np.int64)
    assert (np.diff(seqs) == 1).all()


def test_a_loop_whose_slots_are_full_sleeps_until_the_engine_answers(toy_bundle):
    with inside(toy_bundle, slots=64) as streamer, CellSender(streamer.cells) as sender:
        streamer.engine.delay_s = 0.02
        sender.start("full", TOY_SCHEMA)
        for _ in range(50):  # 400 cells at once, into 64 slots
            send_toy(sender, np.full(8, 1))
        totals = sender.end()
        check_account(totals, streamer.journal("full"))
        assert totals.account.kept == 400
        # Turning at full speed it would look some thousand times per batch.
        assert streamer.engine.looks < 20 * streamer.engine.batches


class TwoScripted(MultiEngine):
    """Two scripted engines as one."""

    def __init__(self, bundle):
        self.members = ScriptedEngine(bundle, name="first"), ScriptedEngine(bundle, name="second")
        super().__init__(self.members)


def test_two_devices_share_the_work_and_one_that_breaks_leaves_it_to_the_other(toy_bundle):
    engine = TwoScripted(toy_bundle)
    first, second = engine.members
    first.delay_s, second.delay_s = 0.004, 0.008
    with inside(toy_bundle, given=engine) as streamer, CellSender(streamer.cells) as sender:
        sender.start("devices", TOY_SCHEMA)
        pass_by(sender, 100)
        assert min(first.batches, second.batches) > 10
        first.fail_collect = 1000
        pass_by(sender, 100)
        totals = sender.end()
        check_account(totals, streamer.journal("devices"))
        decisions = read_journal(streamer.journal("devices")).decisions
    assert (np.diff(decisions["seq"].astype(np.int64)) == 1).all()
    assert totals.account.not_kept.keys() == {"engine_fault"}
    assert totals.account.not_kept["engine_fault"] <= 3 * 8
    assert first.fail_collect == 997


def test_when_all_devices_are_out_all_are_built_anew(toy_bundle):
    engine, built = TwoScripted(toy_bundle), []

    def build(bundle, names):
        built.append(TwoScripted(bundle))
        return Choice(built[-1], "anew", names=names)

    with inside(toy_bundle, given=engine, build=build) as streamer, CellSender(streamer.cells) as sender:
        sender.start("anew", TOY_SCHEMA)
        for member in engine.members:
            member.fail_submit = 1000
        pass_by(sender, 100)
        totals = sender.end()
        check_account(totals, streamer.journal("anew"))
    assert len(built) == 1
    assert totals.account.kept > 0
