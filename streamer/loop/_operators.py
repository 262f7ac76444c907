"""What operators are told, and how what went wrong is put to them."""

from __future__ import annotations

import zmq

from engines.errors import CellgateError, InputError
from streamer.wire import Refused, ToController, encode, send_to


def tell_operator(socket: zmq.Socket[bytes], peer: bytes, message: ToController) -> None:
    """Send a message to an operator; one that is gone or does not read misses it."""
    send_to(socket, peer, (encode(message),))


def refused(error: CellgateError) -> Refused:
    """Return the refusal that an error is."""
    if not isinstance(error, InputError):
        return Refused("", "engine", str(error), "one that can be built and answers as the reference does")
    # Of a file beside the change, such as a Gating-ML one, the name belongs to what is wrong.
    own = error.source in ("change", "config", "swap")
    return Refused("", error.field if own else f"{error.source}: {error.field}", error.found, error.expected)
