"""Links to other people's servers: against servers over real sockets, polite ones and others."""

import base64
import json
import select
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import zmq

from bench.live import Target, peer_link
from bench.live._speech import request_builder
from engines.errors import CellgateError
from streamer.vocabulary import Reason
from streamer.wire import DECISION

SHAPE = (2, 3, 4)
FRAMES = np.arange(40 * 24, dtype=np.uint16).reshape(40, *SHAPE)
ANSWER = np.array([0.25, 0.75], np.float32).tobytes()


class Handler(BaseHTTPRequestHandler):
    """Answers with two probabilities and keeps what it was asked; `server.trick` is called with the count first."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.lock:
            self.server.asked.append((self.path, self.headers, body))
            count = len(self.server.asked)
        status = self.server.trick(self, count)
        if status is None:
            return
        self.send_response(status)
        self.send_header("content-length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.flush()
        self.wfile.write(ANSWER[:3])
        self.wfile.flush()
        self.wfile.write(ANSWER[3:])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        made.daemon_threads = True
        made.block_on_close = False
        made.asked, made.lock, made.trick = [], threading.Lock(), lambda *_: 200
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def target(endpoint, speaks):
    return Target(endpoint, None, ("a", "b"), "uint16", SHAPE[1:], speaks=speaks, classes=2)


def block(frames):
    return zmq.Frame(frames.reshape(-1).view(np.uint8).data, copy=False)


def ask(link, count, *, at_once=16):
    """Send `count` cells with some under way, and return the records that came back."""
    sent = came = 0
    until = time.monotonic() + 20
    while came < count:
        while sent < count and sent - came < at_once:
            link.send(link.pack(sent, np.array([sent], np.uint64), block(FRAMES[sent])))
            sent += 1
        select.select([link.fileno()], (), (), 0.1)
        came += link.receive()
        assert time.monotonic() < until, f"{came} of {count}"
    return np.frombuffer(b"".join(records for _, records in link.received), DECISION)


def test_every_cell_is_asked_for_once_and_answered_once(server):
    link = peer_link(target(f"tcp://127.0.0.1:{server.server_port}", "plain"))
    records = ask(link, 40)
    link.close()
    assert sorted(records["seq"]) == list(range(40))
    assert (records["reason"] == Reason.KEPT).all()
    assert sorted(body for *_, body in server.asked) == sorted(frame.tobytes() for frame in FRAMES)
    assert link.answer == ANSWER


def test_a_refusal_is_no_decision(server):
    server.trick = lambda _, count: 503 if count % 4 == 0 else 200
    link = peer_link(target(f"tcp://127.0.0.1:{server.server_port}", "plain"))
    records = ask(link, 40)
    link.close()
    assert sorted(records["seq"]) == list(range(40))
    assert (records["reason"] == Reason.ENGINE_FAULT).sum() == 10


def test_a_request_on_a_connection_that_had_been_closed_is_sent_again(server):
    def close_without_an_answer(handler, count):
        if count % 5:
            return 200
        handler.close_connection = True
        return None

    server.trick = close_without_an_answer
    link = peer_link(target(f"tcp://127.0.0.1:{server.server_port}", "plain"))
    records = ask(link, 20, at_once=1)
    link.close()
    assert sorted(records["seq"]) == list(range(20))
    assert (records["reason"] == Reason.KEPT).all()
    assert len(server.asked) > 20


def test_a_server_that_never_answers_a_cell_is_not_asked_for_ever(server):
    def close(handler, _):
        handler.close_connection = True

    server.trick = close
    link = peer_link(target(f"tcp://127.0.0.1:{server.server_port}", "plain"))
    records = ask(link, 3)
    link.close()
    assert (records["reason"] == Reason.ENGINE_FAULT).all()
    assert len(server.asked) == 6


def test_what_does_not_fit_the_connections_waits_its_turn(server, monkeypatch):
    monkeypatch.setattr("bench.live._peer_links.CONNECTIONS", 3)
    link = peer_link(target(f"tcp://127.0.0.1:{server.server_port}", "plain"))
    records = ask(link, 40, at_once=40)
    link.close()
    assert sorted(records["seq"]) == list(range(40))
    assert len({headers["host"] for _, headers, _ in server.asked}) == 1


def test_a_link_takes_one_cell_a_message(server):
    link = peer_link(target(f"tcp://127.0.0.1:{server.server_port}", "plain"))
    with pytest.raises(CellgateError, match="found 2 cells in a message, expected 1"):
        link.pack(0, np.zeros(2, np.uint64), block(FRAMES[:2]))
    link.close()


def test_a_rep_socket_is_asked_without_waiting_for_its_answers():
    with zmq.Context() as context, context.socket(zmq.REP) as rep:
        endpoint = f"tcp://127.0.0.1:{rep.bind_to_random_port('tcp://127.0.0.1')}"
        asked = []

        def serve():
            for count in range(40):
                asked.append(rep.recv())
                rep.send(ANSWER if count % 10 else b"no")

        thread = threading.Thread(target=serve)
        thread.start()
        link = peer_link(target(endpoint, "rep"))
        records = ask(link, 40)
        thread.join()
        link.close()
    assert records["seq"].tolist() == list(range(40))
    assert asked == [frame.tobytes() for frame in FRAMES]
    assert (records["reason"] == Reason.ENGINE_FAULT).sum() == 4


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("speaks", ["plain", "base64", "triton"])
def test_the_frame_is_in_the_request(speaks, dtype):
    frame = FRAMES[0].astype(dtype)
    request = request_builder(speaks, SHAPE, dtype)(frame.reshape(-1).view(np.uint8).data)
    head, _, body = request.partition(b"\r\n\r\n")
    fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    assert int(fields["Content-Length"]) == len(body)
    if speaks == "base64":
        body = base64.b64decode(json.loads(body)["frame"])
    elif speaks == "triton":
        about = json.loads(body[: int(fields["Inference-Header-Content-Length"])])
        body = body[int(fields["Inference-Header-Content-Length"]) :]
        assert about["inputs"][0]["shape"] == [1, *SHAPE]
        assert about["inputs"][0]["parameters"]["binary_data_size"] == len(body)
    np.testing.assert_array_equal(np.frombuffer(body, dtype).reshape(SHAPE), frame)
