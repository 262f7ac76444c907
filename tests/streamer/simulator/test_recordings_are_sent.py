"""Recordings played to a real streamer: every cell at its own size, every cell decided."""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from engines.cells import open_recording
from engines.errors import InputError
from streamer.client import CellSender
from streamer.simulator import Acquisition, acquire, make_plan, make_source
from tests.support.made_cells import MadeRecording, constant, write_image
from tests.support.running import Running
from tests.support.toy import CHANNELS, LEVELS, toy_frames


@pytest.fixture(scope="module")
def streamer(toy_bundle):
    with tempfile.TemporaryDirectory(prefix="cg-") as folder, Running(Path(folder), toy_bundle.path) as running:
        yield running


@pytest.fixture
def class_folder(tmp_path):
    """120 cells of three classes and many sizes, a file per cell and channel, with a channel nobody asked for."""
    for number in range(120):
        height, width = 5 + number % 7, 6 + number % 5
        for channel in (*CHANNELS, "PI"):
            pixels = np.full((height, width), LEVELS[number % 3], np.uint16)
            write_image(tmp_path / "cells" / f"c{number % 3}" / f"{number}-{channel}.png", pixels)
    return tmp_path / "cells"


def send(streamer, cells, series, *options):
    done = subprocess.run(
        [sys.executable, "-m", "streamer.cli", "send", str(cells), "--to", streamer.cells, "--series", series,
         "--rate", "2000", "--seconds", "5", "--seed", "3", *options],
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_cell_of_a_class_folder_of_many_sizes_is_decided(streamer, class_folder):
    told = send(
        streamer, class_folder, "folder", "--count", "240", "--channels", ",".join(CHANNELS), "--per-message", "7",
        "--checksum",
    )  # fmt: skip
    assert "sent 240 = decided 240 + missing 0; kept 160, not kept 80" in told


def test_every_cell_of_an_archive_is_decided(streamer, tmp_path):
    np.savez(tmp_path / "cells.npz", frames=toy_frames(np.arange(300) % 3), channels=np.array(CHANNELS))
    told = send(streamer, tmp_path / "cells.npz", "archive", "--count", "300", "--per-message", "16")
    assert "sent 300 = decided 300 + missing 0; kept 200, not kept 100" in told


def play(streamer, recording, series, count, memory, **how):
    plan = make_plan(len(recording), rate=4000, seconds=5, seed=1, limit=count)
    source = make_source(recording, how.pop("channels", None), memory=memory)
    with CellSender(streamer.cells) as sender:
        return acquire(sender, source, plan, Acquisition(series, **how))


@pytest.mark.parametrize("memory", [0, 1000, 10**9])
def test_however_much_is_read_beforehand_the_decisions_are_the_same(streamer, class_folder, memory):
    with open_recording(class_folder) as recording:
        report = play(streamer, recording, f"memory-{memory}", 120, memory, channels=CHANNELS, per_message=5)
    account = report.totals.account
    assert (account.sent, account.decided, account.kept, report.totals.missing) == (120, 120, 80, 0)
    assert report.lost == {}
    sizes = [(5 + i % 7) * (6 + i % 5) for i in range(120)]
    assert report.bytes == 2 * 2 * sum(sizes)


def test_cells_of_one_size_that_do_not_fit_into_memory_are_sent_one_by_one(streamer, tmp_path):
    np.savez_compressed(tmp_path / "c.npz", frames=toy_frames(np.arange(90) % 3), channels=np.array(CHANNELS))
    with open_recording(tmp_path / "c.npz") as recording:
        report = play(streamer, recording, "tight", 90, 2000)
    assert (report.totals.account.decided, report.totals.account.kept) == (90, 60)


def test_a_cell_that_cannot_be_read_is_sent_as_lost_and_decided_as_incomplete(streamer):
    frames = [None if i % 10 == 4 else constant(LEVELS[1], 8 + i % 2, 8) for i in range(50)]
    report = play(streamer, MadeRecording(frames, channels=CHANNELS), "damaged", 50, 10**9, per_message=4)
    account = report.totals.account
    assert (account.sent, account.decided, account.kept) == (50, 50, 45)
    assert account.not_kept == {"incomplete": 5}
    assert report.lost == {"frame: a scratch": 5}


def test_what_the_wire_cannot_carry_is_lost_not_sent():
    source = make_source(
        MadeRecording([constant(1, 8, 8), constant(1, 1, 5000), constant(1, 8, 8, dtype=np.uint8)], channels=CHANNELS)
    )
    assert [frame is None for frame in source.frames(np.arange(3))] == [False, True, True]
    assert source.lost == {"size: 1 × 5000 pixels": 1, "frame: 2 channels of uint8": 1}


def test_memory_is_kept_within_bounds():
    recording = MadeRecording([constant(i, 10 + i % 2, 10) for i in range(100)])
    source = make_source(recording, memory=20 * 400)
    assert len(recording.asked) <= 21
    recording.asked.clear()
    first = source.frames(np.array([0, 99, 0]))
    assert [frame[0, 0, 0] for frame in first] == [0, 99, 0]
    assert recording.asked == [99], "what was read beforehand is not read again, the rest is"


def test_a_channel_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="nope"):
        make_source(MadeRecording([constant(1, 4, 4)]), ("a", "nope"))
