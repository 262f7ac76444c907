"""Messages arrive whole, and who cannot take one is known."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import zmq

from streamer.wire import send_parts, send_to

PATIENCE_MS = 30_000  # bounds a hang; nothing is measured against it
QUEUE = 3
PARTS = [b"header", memoryview(b"frames" * 5000), b""]


@pytest.fixture
def pair() -> Iterator[tuple[zmq.Socket[bytes], zmq.Socket[bytes]]]:
    """A ROUTER, and the DEALER called "peer" that has said hello to it; few messages fit between them."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router, context.socket(zmq.DEALER) as dealer:
        for socket in (router, dealer):
            socket.linger = 0
            socket.rcvtimeo = PATIENCE_MS
            socket.set_hwm(QUEUE)
        router.router_mandatory = True
        router.bind("inproc://sending")
        dealer.routing_id = b"peer"
        dealer.connect("inproc://sending")
        send_parts(dealer, PARTS)
        yield router, dealer


def test_parts_arrive_in_order_and_as_one_message(pair: tuple[zmq.Socket[bytes], zmq.Socket[bytes]]) -> None:
    router, dealer = pair
    assert router.recv_multipart() == [b"peer", *(bytes(part) for part in PARTS)]
    assert send_to(router, b"peer", PARTS)
    assert send_to(router, b"peer", (b"alone",))
    assert dealer.recv_multipart() == [bytes(part) for part in PARTS]
    assert dealer.recv_multipart() == [b"alone"]


def test_a_buffer_may_be_used_again_at_once(pair: tuple[zmq.Socket[bytes], zmq.Socket[bytes]]) -> None:
    router, dealer = pair
    frames = bytearray(b"a" * 100_000)
    assert send_to(router, b"peer", (b"header", memoryview(frames)))
    frames[:] = b"b" * 100_000
    assert dealer.recv_multipart() == [b"header", b"a" * 100_000]


def test_a_peer_that_was_never_there_is_known(pair: tuple[zmq.Socket[bytes], zmq.Socket[bytes]]) -> None:
    router, _ = pair
    assert not send_to(router, b"another", PARTS)


def test_a_full_queue_takes_no_half_message(pair: tuple[zmq.Socket[bytes], zmq.Socket[bytes]]) -> None:
    router, dealer = pair
    taken = 0
    while send_to(router, b"peer", (taken.to_bytes(4, "little"), *PARTS)):
        taken += 1
    assert 0 < taken <= 4 * QUEUE, "queues of both sides hold a few"
    for number in range(taken):
        assert dealer.recv_multipart() == [number.to_bytes(4, "little"), *(bytes(part) for part in PARTS)]
    assert not dealer.poll(0), "what was refused left nothing behind"
    assert router.poll(PATIENCE_MS, zmq.POLLOUT), "there is room again"
    assert send_to(router, b"peer", (b"again",))
    assert dealer.recv_multipart() == [b"again"]


def test_who_must_wait_is_told_when_the_wait_is_over(pair: tuple[zmq.Socket[bytes], zmq.Socket[bytes]]) -> None:
    router, dealer = pair
    dealer.sndtimeo = 10
    sent = 0
    with pytest.raises(zmq.Again):
        while True:
            send_parts(dealer, PARTS)
            sent += 1
    for _ in range(1 + sent):
        assert router.recv_multipart() == [b"peer", *(bytes(part) for part in PARTS)]


def test_an_error_of_another_kind_is_not_taken_for_a_gone_peer() -> None:
    with zmq.Context() as context:
        socket = context.socket(zmq.ROUTER)
        socket.close()
        with pytest.raises(zmq.ZMQError, match="non-socket"):
            send_to(socket, b"peer", PARTS)
