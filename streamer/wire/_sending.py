"""Messages go out part by part: `send_multipart` takes a third longer, which a lone cell's decision would wait for."""

from __future__ import annotations

from collections.abc import Sequence

import zmq

# Plain numbers: an enumeration takes its time with `|`.
_NOW = int(zmq.DONTWAIT)
_MORE = int(zmq.SNDMORE)


def send_to(socket: zmq.Socket[bytes], peer: bytes, parts: Sequence[bytes | memoryview]) -> bool:
    """Send a ROUTER's peer a message without waiting; tell whether it was taken.

    It is not where the peer has gone or its queue is full, known by `ROUTER_MANDATORY` alone: without it ZeroMQ drops
    such messages and says nothing.
    """
    try:
        # Only the first part can be refused: ZeroMQ takes a message whole or not at all.
        send_parts(socket, (peer, *parts), _NOW)
    except zmq.ZMQError as error:
        if error.errno in (zmq.EAGAIN, zmq.EHOSTUNREACH):
            return False
        raise
    return True


def send_parts(socket: zmq.Socket[bytes], parts: Sequence[bytes | memoryview], flags: int = 0) -> None:
    """Send a message of these parts, each copied: they may be used again at once.

    Copying is cheaper than tracking the buffer up to about 64 KiB. What is no contiguous buffer must not be among
    `parts`: those before it would be sent, and the message never ended.

    Raises
    ------
    zmq.Again
        The socket's queue is full, and `flags` or its `SNDTIMEO` forbid waiting (any longer).
    """
    send = socket.send
    for part in parts[:-1]:
        send(part, flags | _MORE)
    send(parts[-1], flags)
