"""Recording live, with everything in processes of its own: nothing of it touches a decision, and every frame counts."""

import json
import os
import resource
import signal
import time

import numpy as np
import pytest
import zmq.auth

from engines.cells import open_cells, open_recording
from streamer.client import CellSender
from streamer.demo._children import Child
from streamer.journal import read_journal
from streamer.observer import SnapshotFeed
from streamer.recorder import Choice
from streamer.vocabulary import Reason
from streamer.wire import Schema
from tests.support.talk import TOY_SCHEMA, Listening, check_account, now_ticks, reasons, send_toy
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


def send(streamer, series, classes, *, every=10, pause_s=0.002, schema=TOY_SCHEMA):
    """Send a series; return its totals."""
    with CellSender(streamer.cells) as sender:
        sender.start(series, schema)
        for at in range(0, len(classes), every):
            send_toy(sender, classes[at : at + every])
            time.sleep(pause_s)
        return sender.end()


def wait(sender, child, word=None):
    """Give signs of life of the cytometer for so many seconds, or until a child has said a word."""
    until = time.monotonic() + (child if word is None else 60)
    while time.monotonic() < until and not (word is not None and word in child.log.read_text()):
        sender.beat()
        time.sleep(0.02)
    assert word is None or word in child.log.read_text()


def ended(child):
    """Wait until a child has ended by itself; return its code."""
    until = time.monotonic() + 30
    while child.running and time.monotonic() < until:
        time.sleep(0.02)
    return child.code


def account(recording):
    """The account in a file's attributes, which must add up."""
    names = ("skipped_no_recorder", "skipped_behind", "handed_earlier", "not_asked", "lost", "under_way")
    dropped = ("dropped_undecided", "dropped_damaged", "dropped_disk")
    counts = {name: int(recording.about[name]) for name in ("offered", "recorded", *names, *dropped)}
    assert counts["offered"] == sum(counts.values()) - counts["offered"]
    return counts


def check_cells(recording, journal, *, level=(100, 1000, 3000)):
    """Every recorded cell is its own frame, and stands beside its own decision, that of the journal."""
    decisions = {int(row["seq"]): row for row in read_journal(journal).decisions}
    seqs = []
    for cell in recording:
        row = decisions[cell.facts["seq"]]
        seqs.append(cell.facts["seq"])
        assert (cell.frame == level[cell.label]).all()
        assert (cell.label, cell.facts["reason"]) == (row["class_"], row["reason"])
        assert (cell.facts["way"], cell.facts["gate"]) == (row["way"], row["gate"])
        assert cell.facts["trigger_ticks"] == row["ticks"]
        assert [cell.facts[f"p({name})"] for name in CLASSES] == row["probabilities"].tolist()
        assert cell.facts["confidence"] == row["probabilities"].max()
    assert len(set(seqs)) == len(seqs)
    return seqs


def test_a_series_is_recorded_reported_trained_on_and_sent_again(bench, tmp_path):
    streamer = bench.streamer(snapshot_s=0.05)
    recorder = bench.recorder("r.h5")
    classes = np.random.default_rng(0).integers(0, 3, 300)
    totals = send(streamer, "one", classes)
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
        assert sorted(check_cells(back, streamer.journal("one"))) == list(range(300))
        assert account(back)["recorded"] == 300
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
        assert len(check_cells(back, streamer.journal("two"))) == 300


def test_a_stopped_recorder_changes_no_decision_and_the_counts_add_up_afterwards(bench):
    streamer = bench.streamer("buffer_mb = 1")
    recorder = bench.recorder("r.zarr", "--compression", "none")
    sorter = Listening(streamer.decisions)
    classes = np.random.default_rng(1).integers(0, 3, 6000)
    with CellSender(streamer.cells) as sender:
        sender.start("stopped", TOY_SCHEMA, sort_delay_us=5_000_000.0)
        send_toy(sender, classes[:500])
        time.sleep(0.3)
        os.kill(recorder.pid, signal.SIGSTOP)
        for at in range(500, 5500, 5):
            send_toy(sender, classes[at : at + 5])
            time.sleep(0.0005)
        # Silent for longer than five of the streamer's heartbeats: it is still the recorder.
        wait(sender, 1.8)
        os.kill(recorder.pid, signal.SIGCONT)
        wait(sender, 0.7)
        send_toy(sender, classes[5500:])
        totals = sender.end()
    check_account(totals, streamer.journal("stopped"))
    records, _ = sorter.until_totals()
    assert np.array_equal(np.sort(records["seq"]), np.arange(6000))
    assert reasons(records) == {"not_in_gate": int((classes == 0).sum()), "kept": int((classes > 0).sum())}
    recorder.wait_for("ended by end")
    with open_recording(bench.directory / "r.zarr") as back:
        counts = account(back)
        seqs = check_cells(back, streamer.journal("stopped"))
        assert set(range(500)) | set(range(5500, 6000)) <= set(seqs)
    assert counts["offered"] == 6000
    assert counts["skipped_behind"] > 1000
    assert counts["recorded"] == len(seqs) == 6000 - counts["skipped_behind"]
    report = json.loads((streamer.journals / "stopped.report.json").read_text())["recording"]
    assert report["skipped"] == {"behind": counts["skipped_behind"]}
    assert streamer.stop() == 0


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
        seqs = check_cells(back, streamer.journal("w"))
        counts = account(back)
    assert sorted(seqs) == sorted(asked.tolist())
    assert 0 < len(seqs) < 480
    if what == "kept":
        assert totals.account.not_kept["coincident"] > 0
        assert counts["not_asked"] > 0


def test_a_late_recorder_one_that_is_killed_and_the_next_share_a_series(bench):
    streamer = bench.streamer()
    with CellSender(streamer.cells) as sender:
        sender.start("shared", TOY_SCHEMA)
        send_toy(sender, [1] * 10)
        time.sleep(0.2)
        first = bench.recorder("r.h5", connected=False)
        wait(sender, first, "recording series shared")
        for _ in range(30):
            send_toy(sender, [2] * 10)
            time.sleep(0.05)
        os.kill(first.pid, signal.SIGKILL)
        time.sleep(0.3)
        send_toy(sender, [0] * 10)
        time.sleep(0.2)
        second = bench.recorder("r.h5", connected=False)
        wait(sender, second, "recording series shared")
        send_toy(sender, [1] * 10)
        totals = sender.end()
    check_account(totals, streamer.journal("shared"))
    assert totals.account.decided == 330
    second.wait_for("ended by end")
    with open_recording(bench.directory / "r.h5") as one, open_recording(bench.directory / "r-2.h5") as two:
        before, after = check_cells(one, streamer.journal("shared")), check_cells(two, streamer.journal("shared"))
        assert account(one)["skipped_no_recorder"] == 10
        assert one.about["ended"] == "unheard"
        counts = account(two)
    # What was written in the last second before the kill is lost to it; what it had told is there.
    assert before == list(range(10, 10 + len(before)))
    assert len(before) >= 10
    assert after == list(range(320, 330))
    assert counts["handed_earlier"] + counts["skipped_no_recorder"] == 320
    assert counts["offered"] == 330


def test_a_streamer_that_is_started_again_finds_its_recorder(bench):
    streamer = bench.streamer()
    recorder = bench.recorder(".")
    with CellSender(streamer.cells) as sender:
        sender.start("before", TOY_SCHEMA)
        send_toy(sender, [1, 2])
        recorder.wait_for("recording series before")
        wait(sender, 1.5)
        streamer.process.kill()
        streamer.process.wait()
    streamer = bench.streamer()
    recorder.wait_for("ended by unheard")
    send(streamer, "after", [1, 0, 2])
    recorder.wait_for("series after: 3 cells offered = 3 recorded")
    recorder.stop()
    assert recorder.code == 0
    for series, cells in (("before", 2), ("after", 3)):
        with open_recording(bench.directory / f"{series}.h5") as back:
            assert len(check_cells(back, streamer.journal(series))) == cells
    assert streamer.stop() == 0


def test_a_full_disk_is_one_line_and_the_streamer_goes_on(bench):
    streamer = bench.streamer()
    recorder = bench.recorder("r.h5", "--compression", "none")
    resource.prlimit(recorder.pid, resource.RLIMIT_FSIZE, (2_100_000, 2_100_000))
    totals = send(streamer, "full", np.ones(3000, int), pause_s=0.01)
    check_account(totals, streamer.journal("full"))
    assert totals.account.kept == 3000
    recorder.wait_for("recording has ended", timeout_s=20.0)
    assert ended(recorder) == 2
    lines = recorder.log.read_text().splitlines()
    assert len(lines) == 3, lines
    assert lines[-1].startswith("cellgate: ")
    with open_recording(bench.directory / "r.h5") as back:
        assert 0 < len(check_cells(back, streamer.journal("full"))) < 3000
    assert streamer.stop() == 0


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


def test_a_second_recorder_is_refused_in_one_line(bench):
    bench.streamer()
    bench.recorder("a.h5", "--name", "first")
    second = bench.recorder("b.h5", connected=False)
    assert "'first' is recording" in second.wait_for("cellgate: ")
    assert ended(second) == 2


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


def test_beyond_the_machine_recording_needs_keys_and_who_hears_nothing_says_so(bench, tmp_path):
    for name in ("streamer", "recorder"):
        zmq.auth.create_certificates(tmp_path, name)
    (tmp_path / "known").mkdir()
    (tmp_path / "known/recorder.key").write_bytes((tmp_path / "recorder.key").read_bytes())
    sections = (
        f'[security]\nserver_secret_key = "{tmp_path}/streamer.key_secret"\nauthorized_keys = "{tmp_path}/known"\n'
    )
    bench.streamer(sections=sections)
    keys = ["--server-key", f"{tmp_path}/streamer.key", "--secret-key", f"{tmp_path}/recorder.key_secret"]
    stranger = bench.recorder("a.h5", connected=False)
    bench.recorder("b.h5", *keys)
    stranger.wait_for("nothing is heard")
    os.kill(stranger.pid, signal.SIGINT)
    assert ended(stranger) == 0
    assert not (bench.directory / "a.h5").exists()


def test_reasons_are_those_of_the_vocabulary(bench):
    streamer = bench.streamer("", "[decision]\narmed = false\n")
    recorder = bench.recorder("r.h5", "--what", "wanted", "--once")
    send(streamer, "d", [0, 1, 1])
    recorder.wait_for("ended by end")
    with open_recording(bench.directory / "r.h5") as back:
        names = json.loads(back.about["reasons"])
        assert [names[cell.facts["reason"]] for cell in back] == [Reason.DISARMED.label] * 2
        assert account(back)["not_asked"] == 1
    assert ended(recorder) == 0
