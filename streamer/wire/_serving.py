"""What waits at a ROUTER socket whose peers send headers alone and are answered only where they are refused."""

from __future__ import annotations

from collections.abc import Callable

import zmq

from streamer.vocabulary import Rejection
from streamer.wire._codec import encode
from streamer.wire._errors import WireError
from streamer.wire._messages import Refused
from streamer.wire._sending import send_to


def serve_waiting(
    socket: zmq.Socket[bytes],
    most: int,
    handle: Callable[[bytes, bytes], None],
) -> list[WireError]:
    """Hand each message that waits to `handle`, with who sent it; return what was wrong with them.

    At most `most` messages: a flood here must not keep the loop from its cells. Who speaks another version, or is
    refused for another reason, is told so.
    """
    errors = []
    for _ in range(most):
        try:
            identity, *parts = socket.recv_multipart(zmq.DONTWAIT)
        except zmq.Again:
            break
        try:
            if len(parts) != 1:
                raise WireError(Rejection.WRONG_PARTS, "parts", len(parts), "a header alone")
            handle(identity, parts[0])
        except WireError as error:
            errors.append(error)
            if error.reason in (Rejection.UNKNOWN_VERSION, Rejection.REFUSED):
                send_to(socket, identity, (encode(Refused("", error.field, error.found, error.expected)),))
    return errors
