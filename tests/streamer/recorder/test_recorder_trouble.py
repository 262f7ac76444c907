"""Recorders that stop, die, come late or may not: no decision is touched, and every cell is in one of the counts."""

import json
import os
import resource
import signal
import time

import numpy as np
import pytest
import zmq.auth

from engines.cells import open_recording
from streamer.client import CellSender
from tests.support.recorded import account_of, beat_for, beat_until, check_recorded, code_of, send_series
from tests.support.talk import TOY_SCHEMA, Listening, check_account, reasons, send_toy

pytest.importorskip("hdf5plugin")


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
        beat_for(sender, 1.8)
        os.kill(recorder.pid, signal.SIGCONT)
        beat_for(sender, 0.7)
        send_toy(sender, classes[5500:])
        totals = sender.end()
    check_account(totals, streamer.journal("stopped"))
    records, _ = sorter.until_totals()
    assert np.array_equal(np.sort(records["seq"]), np.arange(6000))
    assert reasons(records) == {"not_in_gate": int((classes == 0).sum()), "kept": int((classes > 0).sum())}
    recorder.wait_for("ended by end")
    with open_recording(bench.directory / "r.zarr") as back:
        counts = account_of(back)
        seqs = check_recorded(back, streamer.journal("stopped"))
        assert set(range(500)) | set(range(5500, 6000)) <= set(seqs)
    assert counts["offered"] == 6000
    assert counts["skipped_behind"] > 1000
    assert counts["recorded"] == len(seqs) == 6000 - counts["skipped_behind"]
    report = json.loads((streamer.journals / "stopped.report.json").read_text())["recording"]
    assert report["skipped"] == {"behind": counts["skipped_behind"]}
    assert streamer.stop() == 0


def test_a_late_recorder_one_that_is_killed_and_the_next_share_a_series(bench):
    streamer = bench.streamer()
    with CellSender(streamer.cells) as sender:
        sender.start("shared", TOY_SCHEMA)
        send_toy(sender, [1] * 10)
        time.sleep(0.2)
        first = bench.recorder("r.h5", connected=False)
        beat_until(sender, first, "recording series shared")
        for _ in range(30):
            send_toy(sender, [2] * 10)
            time.sleep(0.05)
        os.kill(first.pid, signal.SIGKILL)
        time.sleep(0.3)
        send_toy(sender, [0] * 10)
        time.sleep(0.2)
        second = bench.recorder("r.h5", connected=False)
        beat_until(sender, second, "recording series shared")
        send_toy(sender, [1] * 10)
        totals = sender.end()
    check_account(totals, streamer.journal("shared"))
    assert totals.account.decided == 330
    second.wait_for("ended by end")
    with open_recording(bench.directory / "r.h5") as one, open_recording(bench.directory / "r-2.h5") as two:
        before, after = check_recorded(one, streamer.journal("shared")), check_recorded(two, streamer.journal("shared"))
        assert account_of(one)["skipped_no_recorder"] == 10
        assert one.about["ended"] == "unheard"
        counts = account_of(two)
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
        beat_for(sender, 1.5)
        streamer.process.kill()
        streamer.process.wait()
    streamer = bench.streamer()
    recorder.wait_for("ended by unheard")
    send_series(streamer, "after", [1, 0, 2])
    recorder.wait_for("series after: 3 cells offered = 3 recorded")
    recorder.stop()
    assert recorder.code == 0
    for series, cells in (("before", 2), ("after", 3)):
        with open_recording(bench.directory / f"{series}.h5") as back:
            assert len(check_recorded(back, streamer.journal(series))) == cells
    assert streamer.stop() == 0


def test_a_full_disk_is_one_line_and_the_streamer_goes_on(bench):
    streamer = bench.streamer()
    recorder = bench.recorder("r.h5", "--compression", "none")
    resource.prlimit(recorder.pid, resource.RLIMIT_FSIZE, (2_100_000, 2_100_000))
    totals = send_series(streamer, "full", np.ones(3000, int), pause_s=0.01)
    check_account(totals, streamer.journal("full"))
    assert totals.account.kept == 3000
    recorder.wait_for("recording has ended", timeout_s=20.0)
    assert code_of(recorder) == 2
    lines = recorder.log.read_text().splitlines()
    assert len(lines) == 3, lines
    assert lines[-1].startswith("cellgate: ")
    with open_recording(bench.directory / "r.h5") as back:
        assert 0 < len(check_recorded(back, streamer.journal("full"))) < 3000
    assert streamer.stop() == 0


def test_a_second_recorder_is_refused_in_one_line(bench):
    bench.streamer()
    bench.recorder("a.h5", "--name", "first")
    second = bench.recorder("b.h5", connected=False)
    assert "'first' is recording" in second.wait_for("cellgate: ")
    assert code_of(second) == 2


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
    assert code_of(stranger) == 0
    assert not (bench.directory / "a.h5").exists()
