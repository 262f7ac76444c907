"""Recording live, with everything in processes of its own: every frame asked for, beside its own decision."""

import json
import time

import numpy as np
import pytest

from engines.cells import open_cells, open_recording
from streamer.client import CellSender
from streamer.demo._children import Child
from streamer.journal import read_journal
from streamer.observer import SnapshotFeed
from streamer.recorder import Choice
from streamer.vocabulary import Reason
from streamer.wire import Schema
from tests.support.recorded import account_of, check_recorded, code_of, send_series
from tests.support.talk import TOY_SCHEMA, check_account, now_ticks, send_toy
from tests.support.toy import CHANNELS, CLASSES, toy_frames, write_toy_bundle

pytest.importorskip("hdf5plugin")
RULES = """
[way.left]
mode = "single"
leading_us = 200.0
trailing_us = 200.0
[actuator]
transport_us = 20_000.0
[timing]
sort_delay_us = 200_000.0
"""


def test_a_series_is_recorded_reported_trained_on_and_sent_again(bench, tmp_path):
    streamer = bench.streamer(snapshot_s=0.05)
    recorder = bench.recorder("r.h5")
    classes = np.random.default_rng(0).integers(0, 3, 300)
    totals = send_series(streamer, "one", classes)
    check_account(totals, streamer.journal("one"))
    recorder.wait_for("ended by end")
    with SnapshotFeed(streamer.telemetry) as feed:
        until = time.monotonic() + 10
        while (feed.read()[0] is None or feed.read()[0].recording.recorded < 300) and time.monotonic() < until:
            time.sleep(0.05)
        told = feed.read()[0].recording
    assert (told.offered, told.handed, told.recorded, told.skipped, told.recorder) == (300, 300, 300, {}, "recorder")
    report = json.loads((streamer.journals / "one.report.json").read_text())["recording"]
    assert report["offered"] == report["handed"] + sum(report["skipped"].values()) == 300

    path = bench.directory / "r.h5"
    with open_recording(path) as back:
        assert (back.channels, back.classes, back.about["series"]) == (CHANNELS, CLASSES, "one")
        assert back.about["bundle_sha256"] == read_journal(streamer.journal("one")).header.bundle_sha256
        assert "predictions" in back.about["labels_are"]
        assert sorted(check_recorded(back, streamer.journal("one"))) == list(range(300))
        assert account_of(back)["recorded"] == 300
    cells = open_cells(path)
    assert np.array_equal(cells.labels, classes)
    assert np.array_equal(cells.frames, toy_frames(classes))
    options = ["--to", streamer.cells, "--rate", "2000", "--seconds", "0.15", "--arrivals", "even", "--series", "two"]
    with Child("sender", ["send", str(path), *options], tmp_path) as sender:
        said = sender.wait_for("series two")
    assert "sent 300 = decided 300 + missing 0" in said
    again = bench.directory / "r-2.h5"
    recorder.wait_for("series two: 300 cells offered = 300 recorded")
    with open_recording(again) as back:
        assert len(check_recorded(back, streamer.journal("two"))) == 300


@pytest.mark.parametrize("what", ["kept", "sample"])
def test_only_what_is_asked_for_is_recorded_also_with_sort_windows(bench, what):
    streamer = bench.streamer(f'what = "{what}"\nfraction = 0.25\nseed = 9', RULES)
    recorder = bench.recorder(".")
    with CellSender(streamer.cells) as sender:
        sender.start("w", TOY_SCHEMA)
        rng = np.random.default_rng(2)
        last = time.monotonic_ns()
        for _ in range(60):
            # The first is close behind the last of the message before, which is waiting for just that.
            time.sleep(0.003)
            ticks, last = np.linspace(last + 100_000, time.monotonic_ns(), 8), time.monotonic_ns()
            sender.send(toy_frames(rng.integers(0, 3, 8)), ticks.astype(np.uint64))
        totals = sender.end()
    check_account(totals, streamer.journal("w"))
    recorder.wait_for("ended by end")
    decisions = read_journal(streamer.journal("w")).decisions
    classified = decisions[decisions["class_"] >= 0]
    asked = classified["seq"][Choice(what, 0.25, 9).of(classified["seq"], classified["reason"])]
    with open_recording(bench.directory / "w.h5") as back:
        seqs = check_recorded(back, streamer.journal("w"))
        counts = account_of(back)
    assert sorted(seqs) == sorted(asked.tolist())
    assert 0 < len(seqs) < 480
    if what == "kept":
        assert totals.account.not_kept["coincident"] > 0
        assert counts["not_asked"] > 0


def test_float_counts_in_another_order_of_channels(bench, tmp_path):
    bundle = write_toy_bundle(tmp_path / "floats", dtype="float32", height=6, width=10, name="floats")
    streamer = bench.streamer(bundle=bundle)
    recorder = bench.recorder("r.zarr")
    schema = Schema(channels=("x", *CHANNELS[::-1]), dtype="float32", timebase=(1, 1_000_000_000))
    rng = np.random.default_rng(3)
    sent = []
    with CellSender(streamer.cells) as sender:
        sender.start("f", schema, info={"pixel_um": "0.5"})
        for level in (100, 1000, 3000, 1000):
            frames = rng.normal(level, 1, (1, 3, 6, 10)).astype(np.float32)
            sent.append(frames[0][[2, 1]])
            sender.send(list(frames), now_ticks(1))
        sender.end()
    recorder.wait_for("ended by end")
    with open_recording(bench.directory / "r.zarr") as back:
        assert (back.channels, back.dtype, back.shape, back.pixel_um) == (CHANNELS, np.float32, (6, 10), 0.5)
        assert [cell.label for cell in back] == [0, 1, 2, 1]
        assert all(np.array_equal(cell.frame, frame) for cell, frame in zip(back, sent, strict=True))


def test_gates_that_change_in_mid_series_keep_their_names(bench):
    streamer = bench.streamer()
    recorder = bench.recorder("r.h5")
    with CellSender(streamer.cells) as sender:
        sender.start("g", TOY_SCHEMA)
        send_toy(sender, [1])
        time.sleep(0.3)
        change = ["ctl", "load", str(bench.directory / "new.toml"), "--reason", "test", "--to", streamer.control]
        (bench.directory / "new.toml").write_text(
            '[[gate]]\nname = "new"\nway = "left"\nwhere = { bright = { min = 0.5 } }\n'
        )
        with Child("ctl", change, bench.directory) as ctl:
            while ctl.running:
                sender.beat()
                time.sleep(0.02)
            assert ctl.code == 0, ctl.log.read_text()
        send_toy(sender, [1])
        sender.end()
    recorder.wait_for("ended by end")
    with open_recording(bench.directory / "r.h5") as back:
        names = json.loads(back.about["gates"])
        assert [names[cell.facts["gate"]] for cell in back] == ["bright", "new"]


def test_reasons_are_those_of_the_vocabulary(bench):
    streamer = bench.streamer("", "[decision]\narmed = false\n")
    recorder = bench.recorder("r.h5", "--what", "wanted", "--once")
    send_series(streamer, "d", [0, 1, 1])
    recorder.wait_for("ended by end")
    with open_recording(bench.directory / "r.h5") as back:
        names = json.loads(back.about["reasons"])
        assert [names[cell.facts["reason"]] for cell in back] == [Reason.DISARMED.label] * 2
        assert account_of(back)["not_asked"] == 1
    assert code_of(recorder) == 0
