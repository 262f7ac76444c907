"""Index sorting into a plate: one row per cell, in the order of actuation."""

import csv
import subprocess
import sys

import numpy as np

from streamer.client import CellSender
from tests.streamer.loop.test_sorting import MS, past_ticks
from tests.support.talk import TOY_SCHEMA, check_account
from tests.support.toy import toy_frames


def _report(streamer, series, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "streamer.cli", "report", str(streamer.journal(series)), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_full_plate_has_a_cell_in_every_well(start_streamer, tmp_path):
    streamer = start_streamer(sections="[way.left]\nplate = 96\n")
    classes = np.tile([1, 0], 120)
    offsets = np.arange(240) * MS
    offsets[[10, 12]] = offsets[[12, 10]]  # two wanted cells come in the other order than they pass
    with CellSender(streamer.cells) as sender:
        sender.start("plate", TOY_SCHEMA, sort_delay_us=30_000_000)
        sender.send(toy_frames(classes), past_ticks(offsets))
        totals = sender.end()
    check_account(totals, streamer.journal("plate"))
    assert totals.account.kept == 96
    assert totals.account.not_kept["target_reached"] == 24
    done = _report(streamer, "plate", "--plate", tmp_path / "wells.csv")
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader((tmp_path / "wells.csv").read_text().splitlines()))
    assert [row["well"] for row in rows[:13]] == [f"A{i}" for i in range(1, 13)] + ["B1"]
    assert rows[-1]["well"] == "H12"
    assert [int(row["seq"]) for row in rows[4:8]] == [8, 12, 10, 14]
    ticks = [int(row["ticks"]) for row in rows]
    assert ticks == sorted(ticks)
    assert {row["class"] for row in rows} == {"bright"}


def test_a_series_without_a_plate_says_so(streamer, tmp_path):
    with CellSender(streamer.cells) as sender:
        sender.start("none", TOY_SCHEMA)
        sender.end()
    done = _report(streamer, "none", "--plate", tmp_path / "wells.csv")
    assert done.returncode == 2
    assert "none with a plate" in done.stderr
