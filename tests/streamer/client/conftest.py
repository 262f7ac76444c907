"""A streamer that says only what a test tells it to."""

import threading

import pytest
import zmq

from streamer.wire import Accepted, Start, decode_from_cytometer, encode, schema_hash

WAIT_MS = 20_000


class FakeStreamer:
    """A ROUTER on this machine; `hear` and `say` drive it by hand, `serve` from a thread.

    Attributes
    ----------
    heard
        Every message that came, as lists of parts, in order.
    """

    def __init__(self):
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.endpoint = f"tcp://127.0.0.1:{self.socket.bind_to_random_port('tcp://127.0.0.1')}"
        self.heard = []
        self._peer = b""
        self._thread = None
        self._stop = threading.Event()

    def hear(self, timeout_ms=WAIT_MS):
        """Return the parts of the next message, or None."""
        if not self.socket.poll(timeout_ms):
            return None
        self._peer, *parts = self.socket.recv_multipart()
        self.heard.append(parts)
        return parts

    def say(self, message, *parts):
        """Send a message to whoever spoke last."""
        header = message if isinstance(message, bytes) else encode(message)
        self.socket.send_multipart([self._peer, header, *parts])

    def serve(self, answer):
        """From now on answer every message with those that `answer(parts)` returns, until the test is over."""

        def loop():
            while not self._stop.is_set():
                if (parts := self.hear(20)) is not None:
                    for message in answer(parts):
                        self.say(message)

        self._thread = threading.Thread(target=loop)
        self._thread.start()

    def finish(self):
        """Stop serving; what was heard by then stays."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def close(self):
        self.finish()
        self.context.destroy(0)


def accepted(schema, series="s", heartbeat_s=1.0):
    return Accepted(1, series, schema_hash(schema), "toy", "0" * 64, ("a",), ("waste",), "fake", heartbeat_s)


@pytest.fixture
def streamer():
    fake = FakeStreamer()
    yield fake
    fake.close()


@pytest.fixture
def accepting(streamer):
    """A streamer that accepts every series, and remembers what it heard."""

    def answer(parts):
        message = decode_from_cytometer(parts[0])
        return [accepted(message.schema, message.series)] if isinstance(message, Start) else []

    streamer.serve(answer)
    return streamer


@pytest.fixture
def accept():
    return accepted
