from __future__ import annotations

import math
import time

import msgspec
import pytest
import zmq
import zmq.auth

from engines.errors import InputError
from streamer.observer import SnapshotFeed, SnapshotWindow
from streamer.observer._feed import _connect
from streamer.wire import HistogramData, encode_snapshot, serve_curve

TIMEOUT_S = 20.0


def publish_until(socket, messages, done):
    """Publish these again and again (a subscription takes its time) until `done()`."""
    end = time.monotonic() + TIMEOUT_S
    while not done():
        assert time.monotonic() < end, "timed out"
        for message in messages:
            socket.send_multipart(message)
        time.sleep(0.02)


def test_nothing_before_the_first_snapshot(publisher):
    with SnapshotFeed(publisher[1]) as feed:
        assert feed.read() == (None, math.inf)
        assert feed.wait(0.01) is None


def test_latest_snapshot_and_its_age(publisher, make_snapshot):
    socket, endpoint = publisher
    snapshot = make_snapshot()
    with SnapshotFeed(endpoint) as feed:
        publish_until(socket, [[encode_snapshot(snapshot)]], lambda: feed.received)
        found, age_s = feed.read()
        assert found == snapshot == feed.wait(TIMEOUT_S)
        assert 0 <= age_s < TIMEOUT_S
    assert feed.read()[0] == snapshot


def test_garbage_is_counted_and_survived(publisher, make_snapshot):
    socket, endpoint = publisher
    good = make_snapshot()
    histograms = [
        HistogramData((1.0, 2.0), (1, 2), 3.0),  # one count too few
        HistogramData((2.0, 1.0), (1, 2, 3), 3.0),
        HistogramData((1.0,), (1, -2), 3.0),
        HistogramData((math.nan,), (1, 2), 3.0),
        HistogramData((1.0,), (1, 2), math.inf),
    ]
    bad = [[encode_snapshot(msgspec.structs.replace(good, histograms={"engine_seconds": h}))] for h in histograms]
    bad.append([encode_snapshot(msgspec.structs.replace(good, histograms={"no name": histograms[0]}))])
    bad += [[b""], [b"\xc1"], [b"\x91" * 4000], [msgspec.msgpack.encode({"type": "snapshot"})], [b"a", b"b"]]
    bad += [[encode_snapshot(good)[:-1]], [b"\xd9\x02\xff\xfe"]]
    with SnapshotFeed(endpoint) as feed:
        publish_until(socket, bad, lambda: feed.undecodable >= 2 * len(bad))
        assert feed.read()[0] is None
        publish_until(socket, [[encode_snapshot(good)]], lambda: feed.received)
        assert feed.read()[0] == good


def test_lost_snapshots_are_counted_but_not_across_a_restart(publisher, make_snapshot):
    feed = SnapshotFeed(publisher[1])
    feed.close()
    for number, started in ((3, 1), (4, 1), (9, 1), (2, 2), (3, 2)):
        feed._take([encode_snapshot(make_snapshot(number=number, started_ns=started))])
    assert (feed.received, feed.lost) == (5, 4)


@pytest.mark.parametrize("endpoint", ["tcp://10.0.0.1:5703", "tcp://127.0.0.1", "tcp://127.0.0.1:*", "udp://x:1", ""])
def test_endpoints_refused(endpoint):
    with pytest.raises(InputError, match="--from"):
        SnapshotFeed(endpoint)


def test_one_key_alone_is_refused(tmp_path):
    with pytest.raises(InputError, match="expected the secret key beside it"):
        SnapshotFeed("tcp://127.0.0.1:5703", server_key=tmp_path / "a")
    with pytest.raises(InputError, match=r"found .*expected a CURVE key file"):
        SnapshotFeed("tcp://127.0.0.1:5703", server_key=tmp_path / "a", secret_key=tmp_path / "b")


def test_keys_open_endpoints_beyond_this_machine(tmp_path):
    public, secret = zmq.auth.create_certificates(tmp_path, "viewer")
    with zmq.Context() as context, _connect(context, "tcp://192.0.2.1:5703", public, secret) as socket:
        assert socket.mechanism == zmq.CURVE


def test_curve(tmp_path, make_snapshot):
    server_public, server_secret = zmq.auth.create_certificates(tmp_path, "server")
    _, secret = zmq.auth.create_certificates(tmp_path, "viewer")
    with zmq.Context() as context, context.socket(zmq.PUB) as socket:
        socket.linger = 0
        serve_curve(socket, server_secret)
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        with SnapshotFeed(f"tcp://127.0.0.1:{port}", server_key=server_public, secret_key=secret) as feed:
            publish_until(socket, [[encode_snapshot(make_snapshot())]], lambda: feed.received)


def test_window_reaches_back_by_its_span(make_snapshot):
    window = SnapshotWindow(span_s=2.0)
    window.add(None)
    assert window.previous is None
    for quarter in range(40):
        window.add(make_snapshot(quarter / 4))
        window.add(make_snapshot(quarter / 4))  # seen already
    assert window.previous == make_snapshot(7.75)


def test_window_starts_anew_with_a_restarted_streamer(make_snapshot):
    window = SnapshotWindow()
    window.add(make_snapshot(10))
    window.add(make_snapshot(11))
    window.add(make_snapshot(1, started_ns=5))
    assert window.previous is None
