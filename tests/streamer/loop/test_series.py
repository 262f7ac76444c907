"""A series from start to totals, as a cytometer and a sorter see it."""

import signal
import time

import msgspec
import numpy as np
import pytest

from streamer.client import CellSender, DecisionReceiver, RefusedError, SilentError
from streamer.journal import read_journal
from streamer.wire import Schema
from tests.support.talk import (
    TOY_SCHEMA,
    await_legend,
    check_account,
    collect_until_totals,
    now_ticks,
    reasons,
    send_toy,
    subscribe,
)
from tests.support.toy import LEVELS, toy_frames, write_toy_bundle


def test_every_cell_comes_back_with_its_class_gate_way_and_reason(streamer):
    classes = np.random.default_rng(1).integers(0, 3, 500)
    with CellSender(streamer.cells) as sender, DecisionReceiver(streamer.decisions) as receiver:
        subscribe(receiver)
        accepted = sender.start("a", TOY_SCHEMA, sort_delay_us=10_000_000)
        assert accepted.classes == ("dim", "bright", "blinding")
        assert accepted.ways == ("waste", "left", "right")
        legend = await_legend(receiver)
        assert legend.gates == ("bright", "blinding")
        sent_ticks = []
        for some in np.array_split(classes, 100):
            ticks = now_ticks(len(some))
            sent_ticks.append(ticks)
            sender.send(toy_frames(some), ticks)
        totals = sender.end()
        records, told = collect_until_totals(receiver)
    assert told == totals
    assert np.array_equal(np.sort(records["seq"]), np.arange(500))
    records = records[np.argsort(records["seq"])]
    assert np.array_equal(records["class_"], classes)
    assert np.array_equal(records["gate"], classes - 1)
    assert np.array_equal(records["way"], classes)
    assert np.array_equal(records["reason"], np.where(classes == 0, 1, 0))
    assert np.array_equal(records["ticks"], np.concatenate(sent_ticks))
    assert np.array_equal(records["actuate"], records["ticks"] + 10_000_000_000)
    assert (records["slack_us"] > 0).all()
    check_account(totals, streamer.journal("a"))
    assert receiver.missed == 0


def test_journal_and_report_say_what_was_decided(streamer):
    with CellSender(streamer.cells) as sender:
        sender.start("b", TOY_SCHEMA, info={"operator": "me"})
        send_toy(sender, [0, 1, 2, 1])
        totals = sender.end()
    journal = read_journal(streamer.journal("b"))
    assert journal.header.info == {"operator": "me"}
    assert journal.header.schema == TOY_SCHEMA
    assert journal.decisions["class_"].tolist() == [0, 1, 2, 1]
    assert journal.decisions["probabilities"].argmax(1).tolist() == [0, 1, 2, 1]
    assert (journal.decisions["decided_ns"] > journal.decisions["arrival_ns"]).all()
    report = msgspec.json.decode(streamer.journal("b").with_suffix(".report.json").read_bytes())
    assert report["account"] == msgspec.to_builtins(totals.account)
    assert report["classes"] == {"dim": 1, "bright": 2, "blinding": 1}
    assert report["ways"] == {"waste": 1, "left": 2, "right": 1}


def test_a_series_of_no_cells_has_totals(streamer):
    with CellSender(streamer.cells) as sender:
        sender.start("empty", TOY_SCHEMA)
        totals = sender.end()
    assert totals.account.sent == totals.account.decided == 0
    check_account(totals, streamer.journal("empty"))


def test_series_follow_each_other_and_a_name_is_used_once(streamer):
    with CellSender(streamer.cells) as sender:
        for name in ("one", "two"):
            sender.start(name, TOY_SCHEMA)
            send_toy(sender, [1, 1])
            check_account(sender.end(), streamer.journal(name))
        with pytest.raises(RefusedError, match="one"):
            sender.start("one", TOY_SCHEMA)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"channels": ("brightfield", "PI")}, "darkfield"),
        ({"dtype": "uint8"}, "uint8.*uint16"),
        ({"channels": ("brightfield", "darkfield", "darkfield")}, "distinct"),
    ],
)
def test_a_series_the_bundle_does_not_suit_is_refused_clearly(streamer, change, words):
    schema = msgspec.structs.replace(TOY_SCHEMA, **change)
    with CellSender(streamer.cells) as sender, pytest.raises(RefusedError, match=words):
        sender.start("bad", schema)
    assert not streamer.journal("bad").exists()


def test_an_actuation_lead_beyond_the_sort_delay_is_refused(streamer):
    with CellSender(streamer.cells) as sender, pytest.raises(RefusedError, match="actuation_lead_us"):
        sender.start("bad", TOY_SCHEMA, sort_delay_us=100, actuation_lead_us=100)


def test_a_second_camera_is_refused_while_a_series_is_open(streamer):
    with CellSender(streamer.cells) as first, CellSender(streamer.cells) as second:
        first.start("first", TOY_SCHEMA)
        with pytest.raises(RefusedError, match="first is open"):
            second.start("second", TOY_SCHEMA)
        send_toy(first, [1])
        check_account(first.end())
        second.start("second", TOY_SCHEMA)
        check_account(second.end())


def test_the_same_start_again_is_accepted_again(streamer):
    with CellSender(streamer.cells) as sender:
        first = sender.start("again", TOY_SCHEMA)
        send_toy(sender, [1, 2])
        assert sender.start("again", TOY_SCHEMA) == first
        assert sender.end(last_seq=1).account.decided == 2


def test_a_new_series_replaces_the_open_one_of_the_same_camera(streamer):
    with CellSender(streamer.cells) as sender, DecisionReceiver(streamer.decisions) as receiver:
        subscribe(receiver)
        sender.start("old", TOY_SCHEMA)
        send_toy(sender, [1] * 50)
        sender.start("new", TOY_SCHEMA)
        _, totals = collect_until_totals(receiver)
        assert (totals.series, totals.ended) == ("old", "replaced")
        assert totals.account.decided == 50
        send_toy(sender, [2])
        check_account(sender.end(), streamer.journal("new"))
    check_account(totals, streamer.journal("old"))


def test_a_camera_that_falls_silent_loses_its_series(streamer):
    with DecisionReceiver(streamer.decisions) as receiver:
        subscribe(receiver)
        with CellSender(streamer.cells) as sender:
            sender.start("lost", TOY_SCHEMA)
            send_toy(sender, [1, 2])
            _, totals = collect_until_totals(receiver)
        assert (totals.series, totals.ended) == ("lost", "lost")
    check_account(totals, streamer.journal("lost"))


def test_heartbeats_keep_a_quiet_series_open_and_tell_the_account(streamer):
    with CellSender(streamer.cells) as sender:
        sender.start("quiet", TOY_SCHEMA)
        send_toy(sender, [1])
        until = time.monotonic() + 2.5  # more than five heartbeats of 0.3 s
        while time.monotonic() < until:
            sender.beat()
            time.sleep(0.05)
        assert sender.status is not None
        assert sender.status.state == "armed"
        assert sender.status.account.decided == 1
        send_toy(sender, [2])
        totals = sender.end()
    assert totals.ended == "end"
    assert totals.account.decided == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_decides_what_came_and_exits_with_0(streamer, number):
    with CellSender(streamer.cells) as sender, DecisionReceiver(streamer.decisions) as receiver:
        subscribe(receiver)
        sender.start("stopped", TOY_SCHEMA)
        for _ in range(50):
            send_toy(sender, [1] * 20)
        time.sleep(0.2)
        assert streamer.stop(number) == 0
        records, totals = collect_until_totals(receiver)
    assert totals.ended == "stopped"
    assert totals.account.received == 1000
    assert len(records) == 1000
    check_account(totals, streamer.journal("stopped"))
    assert streamer.journal("stopped").with_suffix(".report.json").exists()


def test_a_disarmed_streamer_keeps_nothing_but_says_what_it_would_have(start_streamer):
    streamer = start_streamer(sections="[decision]\narmed = false")
    with CellSender(streamer.cells) as sender, DecisionReceiver(streamer.decisions) as receiver:
        subscribe(receiver)
        sender.start("safe", TOY_SCHEMA)
        send_toy(sender, [0, 1, 2])
        totals = sender.end()
        records, _ = collect_until_totals(receiver)
    assert totals.account.kept == 0
    assert reasons(records) == {"not_in_gate": 1, "disarmed": 2}
    assert np.sort(records["gate"]).tolist() == [-1, 0, 1]


def test_arming_and_disarming_take_effect_between_batches_and_are_in_the_journal(streamer):
    def send_and_wait(sender, count, state):
        streamer.process.send_signal({"disarmed": signal.SIGUSR2, "armed": signal.SIGUSR1}[state])
        until = time.monotonic() + 10
        while time.monotonic() < until and (sender.status is None or sender.status.state != state):
            sender.beat(now=True)
            time.sleep(0.02)
        send_toy(sender, [1] * count)
        while time.monotonic() < until and sender.status.account.decided < sender.next_seq:
            sender.beat(now=True)
            time.sleep(0.02)

    with CellSender(streamer.cells) as sender:
        sender.start("arms", TOY_SCHEMA)
        for count, state in ((5, "disarmed"), (7, "armed"), (11, "disarmed")):
            send_and_wait(sender, count, state)
        totals = sender.end()
    assert totals.account.kept == 7
    assert totals.account.not_kept == {"disarmed": 16}
    events = read_journal(streamer.journal("arms")).events
    assert [event["changes"]["decision"]["armed"] for event in events[:-1]] == [False, True, False]
    assert {event["author"] for event in events[:-1]} == {"signal"}


def test_an_uncertain_cell_goes_to_waste(start_streamer):
    streamer = start_streamer(sections="[decision]\nmin_confidence = 0.9")
    between = np.full((1, 2, 8, 8), (LEVELS[0] + LEVELS[1]) // 2, np.uint16)
    with CellSender(streamer.cells) as sender, DecisionReceiver(streamer.decisions) as receiver:
        subscribe(receiver)
        sender.start("unsure", TOY_SCHEMA)
        sender.send(np.concatenate([between, toy_frames([1])]), now_ticks(2))
        sender.end()
        records, _ = collect_until_totals(receiver)
    assert reasons(records) == {"uncertain": 1, "kept": 1}


def test_cells_of_any_size_are_fitted_and_lost_frames_are_incomplete(streamer):
    schema = Schema(channels=TOY_SCHEMA.channels, dtype="uint16", timebase=(1, 1_000_000_000), max_shape=(40, 40))
    sizes = [(8, 8), (20, 6), (5, 5), (40, 40), (8, 9)]
    frames = [toy_frames([i % 3], height=h, width=w)[0] for i, (h, w) in enumerate(sizes)]
    frames.insert(2, None)
    with CellSender(streamer.cells) as sender, DecisionReceiver(streamer.decisions) as receiver:
        subscribe(receiver)
        sender.start("sizes", schema)
        sender.send(frames, now_ticks(6))
        totals = sender.end()
        records, _ = collect_until_totals(receiver)
    records = records[np.argsort(records["seq"])]
    assert records["class_"].tolist() == [0, 1, -1, 2, 0, 1]
    assert totals.account.not_kept == {"not_in_gate": 2, "incomplete": 1}
    check_account(totals, streamer.journal("sizes"))


def test_channels_are_taken_by_name_whatever_their_order(streamer):
    schema = Schema(
        channels=("PI", "darkfield", "brightfield"), dtype="uint16", timebase=(1, 1_000_000_000), shape=(8, 8)
    )
    frames = np.zeros((3, 3, 8, 8), np.uint16)
    frames[:, 2] = toy_frames([0, 1, 2])[:, 0]
    with CellSender(streamer.cells) as sender:
        sender.start("order", schema)
        sender.send(frames, now_ticks(3))
        sender.end()
    assert read_journal(streamer.journal("order")).decisions["class_"].tolist() == [0, 1, 2]


def test_float_frames_with_nan_are_incomplete(start_streamer, tmp_path):
    streamer = start_streamer(bundle=write_toy_bundle(tmp_path / "float", dtype="float32"))
    schema = msgspec.structs.replace(TOY_SCHEMA, dtype="float32")
    frames = toy_frames([1, 1, 2], dtype="float32").copy()
    frames[1, 0, 3, 3] = np.nan
    with CellSender(streamer.cells) as sender:
        sender.start("nan", schema)
        sender.send(frames, now_ticks(3))
        totals = sender.end()
    assert totals.account.not_kept == {"incomplete": 1}
    assert totals.account.kept == 2


def test_a_streamer_that_is_not_there_is_reported(tmp_path):
    with CellSender(f"ipc://{tmp_path}/nobody") as sender, pytest.raises(SilentError, match="no streamer"):
        sender.start("x", TOY_SCHEMA, timeout_s=0.5)
