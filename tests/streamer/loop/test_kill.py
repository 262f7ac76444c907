"""`kill -9` in mid-run: every journal verifies, and nothing that was synced is lost."""

import signal
import time

import numpy as np
import pytest

from streamer.client import CellSender
from streamer.journal import read_journal
from streamer.observer import SnapshotFeed
from tests.support.talk import TOY_SCHEMA, send_toy


@pytest.mark.timeout(240)
def test_ten_kills_at_random_moments_lose_nothing_that_was_synced(start_streamer):
    rng = np.random.default_rng(11)
    synced_before = []
    for round_ in range(10):
        streamer = start_streamer(sections="[journal]\nsync_s = 0.05", snapshot_s=0.05)
        series = f"k{round_}"
        with SnapshotFeed(streamer.telemetry) as feed, CellSender(streamer.cells) as sender:
            sender.start(series, TOY_SCHEMA)
            kill_at = time.monotonic() + rng.uniform(0.15, 0.8)
            while time.monotonic() < kill_at:
                send_toy(sender, rng.integers(0, 3, 20))
                time.sleep(0.002)
            snapshot, _ = feed.read()
            streamer.process.send_signal(signal.SIGKILL)
            streamer.process.wait(10)
        synced = 0 if snapshot is None or snapshot.series != series else snapshot.journal.synced
        journal = read_journal(streamer.journal(series))
        assert journal.intact
        assert not journal.complete
        assert len(journal.decisions) >= synced
        assert np.array_equal(np.sort(journal.decisions["seq"])[:synced], np.arange(synced))
        synced_before.append(synced)
    assert sum(synced > 0 for synced in synced_before) >= 8, "the kills came too early to show anything"


def test_a_streamer_started_again_takes_a_new_series(start_streamer):
    streamer = start_streamer()
    with CellSender(streamer.cells) as sender:
        sender.start("before", TOY_SCHEMA)
        send_toy(sender, [1])
        streamer.process.kill()
        streamer.process.wait(10)
    again = type(streamer)(streamer.sockets, _bundle_of(streamer))
    with again, CellSender(again.cells) as sender:
        sender.start("after", TOY_SCHEMA)
        send_toy(sender, [1])
        assert sender.end().account.kept == 1


def _bundle_of(streamer):
    from pathlib import Path

    line = next(line for line in (streamer.sockets / "config.toml").read_text().splitlines() if "bundle" in line)
    return Path(line.split('"')[1])
