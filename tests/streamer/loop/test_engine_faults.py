"""An engine that is out of order is replaced while the series goes on; what comes meanwhile is accounted for."""

import threading
import time

import numpy as np
import pytest

from streamer.client import CellSender
from streamer.journal import read_journal
from streamer.vocabulary import Reason
from tests.support.engines import Shop, inside
from tests.support.talk import TOY_SCHEMA, check_account, send_toy
from tests.support.toy import write_toy_bundle


def pass_by(sender, seconds=0.05, until=None):
    """Send cells as they come for so long, or until something holds."""
    end = time.monotonic() + (seconds if until is None else 20)
    while time.monotonic() < end:
        send_toy(sender, [1])
        time.sleep(0.002)
        if until is not None and until():
            return
    assert until is None, "it did not come about"


def check(streamer, series, totals):
    """All adds up, only faults cost cells, and nothing was kept late; return decisions and what the events tell."""
    check_account(totals, streamer.journal(series))
    assert set(totals.account.not_kept) <= {"engine_fault"}
    journal = read_journal(streamer.journal(series))
    decisions = np.sort(journal.decisions, order="seq")
    assert (decisions["slack_ns"][decisions["reason"] == Reason.KEPT] > 0).all()
    assert (decisions["reason"][-10:] == Reason.KEPT).all()
    return decisions, [event["what"] for event in journal.events if event["event"] == "engine"]


def test_twenty_engines_break_and_twenty_are_built(toy_bundle):
    shop = Shop(takes_s=0.02)
    with inside(toy_bundle, build=shop, engine={"faults_in_a_row": 1}) as streamer:
        with CellSender(streamer.cells) as sender:
            sender.start("breaks", TOY_SCHEMA, sort_delay_us=5_000_000)
            for fault in range(20):
                engine = shop.built[-1] if shop.built else streamer.engine
                pass_by(sender, until=lambda engine=engine: engine.batches > 2)
                if fault % 2:
                    engine.fail_submit += 1
                else:
                    engine.fail_collect += 1
                pass_by(sender, until=lambda fault=fault: len(shop.built) > fault)
            last = shop.built[-1]
            pass_by(sender, until=lambda: last.batches > 20)
            totals = sender.end()
        decisions, told = check(streamer, "breaks", totals)
        assert len(shop.built) == 20
        assert told.count("rebuilding") == told.count("rebuilt") == 20
        # The same engine as before, so the same code.
        assert set(decisions["bundle"].tolist()) == {0}
        assert streamer.engine.closed
        assert all(engine.closed for engine in shop.built[:-1])
    assert shop.built[-1].closed


def test_batches_that_fail_one_by_one_do_not_cost_the_engine(toy_bundle):
    shop = Shop()
    with inside(toy_bundle, build=shop) as streamer, CellSender(streamer.cells) as sender:
        sender.start("single", TOY_SCHEMA, sort_delay_us=5_000_000)
        for _ in range(5):
            streamer.engine.fail_collect += 2  # three in a row are too many
            pass_by(sender, until=lambda: not streamer.engine.fail_collect)
            pass_by(sender)
        totals = sender.end()
        check(streamer, "single", totals)
    assert not shop.built


@pytest.mark.parametrize("capacity", [1, 2])
def test_the_next_in_the_list_takes_over_from_one_that_hangs(toy_bundle, capacity):
    shop = Shop(capacity=capacity, takes_s=0.1)
    names = ("scripted", "spare")
    with inside(toy_bundle, capacity, shop, names, engine={"patience_s": 0.2}) as streamer:
        with CellSender(streamer.cells) as sender:
            sender.start("hangs", TOY_SCHEMA, sort_delay_us=5_000_000)
            pass_by(sender, 0.1)
            streamer.engine.hanging.set()
            pass_by(sender, until=lambda: shop.built and shop.built[0].batches > 20)
            totals = sender.end()
        decisions, told = check(streamer, "hangs", totals)
        assert shop.asked == [("spare", "scripted")]
        assert told[:3] == ["hangs", "rebuilding", "rebuilt"]
        # The journal tells which engine decided what.
        assert decisions["bundle"][0] == 0
        assert decisions["bundle"][-1] == 1
        event = [event for event in read_journal(streamer.journal("hangs")).events if event["event"] == "engine"][2]
        assert (event["engine"], event["code"]) == ("spare", 1)
        # It still holds its batch: whoever stops the streamer is told that an engine hangs.
        assert not streamer.engine.closed
        assert streamer.stop() is False


def test_one_that_answers_before_another_is_built_is_used_again(toy_bundle):
    shop = Shop(takes_s=1.0)
    with inside(toy_bundle, build=shop, engine={"patience_s": 0.2}) as streamer, CellSender(streamer.cells) as sender:
        sender.start("back", TOY_SCHEMA, sort_delay_us=5_000_000)
        streamer.engine.hanging.set()
        pass_by(sender, until=lambda: shop.asked)
        streamer.engine.hanging.clear()
        before = streamer.engine.batches
        pass_by(sender, until=lambda: shop.built and shop.built[0].closed)
        pass_by(sender, 0.1)
        assert streamer.engine.batches > before
        totals = sender.end()
        _, told = check(streamer, "back", totals)
    assert told == ["hangs", "rebuilding", "answers again"]
    assert shop.built[0].batches == 0


def test_it_is_tried_again_until_one_can_be_built(toy_bundle):
    shop = Shop()
    shop.broken = {"scripted"}
    with inside(toy_bundle, build=shop, engine={"faults_in_a_row": 1}) as streamer:
        with CellSender(streamer.cells) as sender:
            sender.start("again", TOY_SCHEMA, sort_delay_us=5_000_000)
            pass_by(sender)
            streamer.engine.fail_submit += 1
            pass_by(sender, until=lambda: shop.refused)
            shop.broken = set()
            pass_by(sender, until=lambda: shop.built and shop.built[0].batches > 20)
            totals = sender.end()
        _, told = check(streamer, "again", totals)
    assert told == ["fault", "rebuilding", "not rebuilt", "rebuilding", "rebuilt"]
    assert len(shop.asked) == 2


def test_an_engine_that_breaks_again_at_once_is_passed_over(toy_bundle):
    shop = Shop()
    with inside(toy_bundle, 1, shop, ("scripted", "spare"), engine={"faults_in_a_row": 1}) as streamer:
        with CellSender(streamer.cells) as sender:
            sender.start("relapse", TOY_SCHEMA, sort_delay_us=5_000_000)
            pass_by(sender)
            streamer.engine.fail_submit += 1
            pass_by(sender, until=lambda: shop.built and shop.built[0].batches > 2)
            shop.built[0].fail_submit += 1
            pass_by(sender, until=lambda: len(shop.built) > 1 and shop.built[1].batches > 20)
            totals = sender.end()
        check(streamer, "relapse", totals)
    assert [engine.name for engine in shop.built] == ["scripted", "spare"]


def test_a_bundle_altered_in_the_meantime_is_not_built(toy_bundle, tmp_path):
    bundle = write_toy_bundle(tmp_path / "mine")
    shop = Shop()
    with inside(bundle, build=shop, engine={"faults_in_a_row": 1}) as streamer, CellSender(streamer.cells) as sender:
        (bundle.path / "fp32.onnx").write_bytes(b"other")
        sender.start("altered", TOY_SCHEMA)
        streamer.engine.fail_submit += 1
        pass_by(sender, 0.3)
        totals = sender.end()
        check_account(totals, streamer.journal("altered"))
        told = [event for event in read_journal(streamer.journal("altered")).events if event["event"] == "engine"]
    assert told[-1]["what"] == "not rebuilt"
    assert "sha256" in told[-1]["why"]
    assert not shop.asked


def test_the_loop_goes_on_while_an_engine_is_built_and_stops_without_it(toy_bundle):
    at_work, may_go_on = threading.Event(), threading.Event()

    def build(bundle, names):
        at_work.set()
        may_go_on.wait(20)
        return Shop()(bundle, names)

    with inside(toy_bundle, build=build, engine={"faults_in_a_row": 1}) as streamer:
        with CellSender(streamer.cells) as sender:
            sender.start("builds", TOY_SCHEMA)
            streamer.engine.fail_submit += 1
            pass_by(sender, until=at_work.is_set)
            pass_by(sender, 0.3)
            totals = sender.end()  # answered while nothing is built yet
        check_account(totals, streamer.journal("builds"))
        assert totals.account.kept == 0
        may_go_on.set()
        assert streamer.stop() is True
