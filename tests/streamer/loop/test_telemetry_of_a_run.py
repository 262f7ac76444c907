"""What a running streamer tells of itself."""

import threading
import time
import urllib.request

import numpy as np

from streamer.client import CellSender
from streamer.demo._children import Child
from streamer.observer import SnapshotFeed
from tests.support.talk import TOY_SCHEMA, send_toy


def test_the_account_adds_up_in_every_snapshot_of_a_busy_run(start_streamer):
    streamer = start_streamer(snapshot_s=0.02, slots=128)
    seen = []
    done = threading.Event()

    def watch():
        with SnapshotFeed(streamer.telemetry) as feed:
            while not done.is_set():
                snapshot, _ = feed.read()
                if snapshot is not None and (not seen or seen[-1].number != snapshot.number):
                    seen.append(snapshot)
                time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    rng = np.random.default_rng(2)
    try:
        with CellSender(streamer.cells) as sender:
            for series in ("t1", "t2"):
                sender.start(series, TOY_SCHEMA, sort_delay_us=20_000)
                for number in range(150):
                    # Skips a seq now and then, so that cells are missing too.
                    send_toy(sender, rng.integers(0, 3, 20), seq=number * 21)
                    time.sleep(0.003)
                sender.end()
        time.sleep(0.3)
    finally:
        done.set()
        watcher.join()
    assert len(seen) > 20
    for snapshot in seen:
        assert snapshot.account.balance() == []
        assert snapshot.lifetime.balance() == []
        assert sum(snapshot.ways.values()) == snapshot.lifetime.decided
        assert snapshot.waiting + snapshot.in_flight <= snapshot.slots
        latency = snapshot.histograms["latency_from_arrival_seconds"]
        assert sum(latency.counts) == snapshot.lifetime.decided
    last = seen[-1]
    assert last.lifetime.decided == 2 * 150 * 20
    assert last.lifetime.missing == 2 * 149
    assert last.series == ""


def test_the_observer_serves_what_the_streamer_did(streamer, tmp_path):
    with Child("observer", ["observe", "--from", streamer.telemetry, "--http", "127.0.0.1:0"], tmp_path) as observer:
        url = next(word for word in observer.wait_for("http").split() if word.startswith("http"))
        base = url.split("/metrics")[0].rstrip("/")
        with CellSender(streamer.cells) as sender:
            sender.start("o", TOY_SCHEMA)
            send_toy(sender, [0, 1, 2, 1])
            sender.end()
        until = time.monotonic() + 10
        wanted = "cellgate_cells_kept_total 3.0"
        text = ""
        while wanted not in text and time.monotonic() < until:
            time.sleep(0.1)
            text = urllib.request.urlopen(f"{base}/metrics", timeout=5).read().decode()
        assert wanted in text
        assert 'cellgate_cells_not_kept_total{reason="not_in_gate"} 1.0' in text
        assert urllib.request.urlopen(f"{base}/healthz", timeout=5).status == 200
