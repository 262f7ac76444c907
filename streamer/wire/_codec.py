"""Headers to and from bytes. The frames beside them are raw and are handled by `_frames`."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from streamer.vocabulary import Rejection
from streamer.wire._control import FromController, ToController
from streamer.wire._errors import WireError
from streamer.wire._messages import FromCytometer, FromSorter, Message, ToCytometer, ToSorter
from streamer.wire._recording import FromRecorder, ToRecorder

T = TypeVar("T")

MAX_HEADER_BYTES = 1 << 20

_encoder = msgspec.msgpack.Encoder()
_from_cytometer: msgspec.msgpack.Decoder[FromCytometer] = msgspec.msgpack.Decoder(FromCytometer)
_from_sorter: msgspec.msgpack.Decoder[FromSorter] = msgspec.msgpack.Decoder(FromSorter)
_to_cytometer: msgspec.msgpack.Decoder[ToCytometer] = msgspec.msgpack.Decoder(ToCytometer)
_from_controller: msgspec.msgpack.Decoder[FromController] = msgspec.msgpack.Decoder(FromController)
_to_controller: msgspec.msgpack.Decoder[ToController] = msgspec.msgpack.Decoder(ToController)
_to_sorter: msgspec.msgpack.Decoder[ToSorter] = msgspec.msgpack.Decoder(ToSorter)
_from_recorder: msgspec.msgpack.Decoder[FromRecorder] = msgspec.msgpack.Decoder(FromRecorder)
_to_recorder: msgspec.msgpack.Decoder[ToRecorder] = msgspec.msgpack.Decoder(ToRecorder)


def encode(message: Message | FromController | ToController | FromRecorder | ToRecorder) -> bytes:
    """Return the message's header as MessagePack bytes."""
    return _encoder.encode(message)


def decode_from_cytometer(header: bytes | memoryview) -> FromCytometer:
    """Decode and check a header sent by a cytometer; `WireError` says what is wrong with it."""
    return _decode(_from_cytometer, header)


def decode_from_sorter(header: bytes | memoryview) -> FromSorter:
    """Decode and check a header sent by a sorter; `WireError` says what is wrong with it."""
    return _decode(_from_sorter, header)


def decode_to_cytometer(header: bytes | memoryview) -> ToCytometer:
    """Decode and check a header the streamer sent to a cytometer."""
    return _decode(_to_cytometer, header)


def decode_to_sorter(header: bytes | memoryview) -> ToSorter:
    """Decode and check a header the streamer sent to a sorter."""
    return _decode(_to_sorter, header)


def decode_from_controller(header: bytes | memoryview) -> FromController:
    """Decode and check a header sent by an operator's program; `WireError` says what is wrong with it."""
    return _decode(_from_controller, header)


def decode_to_controller(header: bytes | memoryview) -> ToController:
    """Decode and check a header the streamer sent to an operator's program."""
    return _decode(_to_controller, header)


def decode_from_recorder(header: bytes | memoryview) -> FromRecorder:
    """Decode and check a header sent by a recorder; `WireError` says what is wrong with it."""
    return _decode(_from_recorder, header)


def decode_to_recorder(header: bytes | memoryview) -> ToRecorder:
    """Decode and check a header the streamer sent to a recorder."""
    return _decode(_to_recorder, header)


class _Peek(msgspec.Struct):
    """Of any map the two keys that tell what it is; everything else is skipped, not built."""

    type: msgspec.Raw = msgspec.Raw(b"\xc0")
    version: msgspec.Raw = msgspec.Raw(b"\x01")


_peek = msgspec.msgpack.Decoder(_Peek)
_NOT_MESSAGEPACK = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def _decode(decoder: msgspec.msgpack.Decoder[T], header: bytes | memoryview) -> T:
    if len(header) > MAX_HEADER_BYTES:
        raise WireError(Rejection.OVERSIZED, "header", f"{len(header)} bytes", f"at most {MAX_HEADER_BYTES}")
    try:
        return decoder.decode(header)
    except msgspec.ValidationError as error:
        complaint = str(error)
    except _NOT_MESSAGEPACK as error:
        raise WireError(Rejection.MALFORMED, "header", str(error), "a MessagePack map") from None
    raise _explain(header, complaint)


def _explain(header: bytes | memoryview, complaint: str) -> WireError:
    """Tell an unknown message type from a known one with a wrong field; only failures pay for this."""
    # The complaint came before the whole header was read: what follows may be anything at all.
    try:
        peek = _peek.decode(header)
        kind, version = (msgspec.msgpack.decode(raw) for raw in (peek.type, peek.version))
    except _NOT_MESSAGEPACK as error:
        return WireError(Rejection.MALFORMED, "header", str(error), "a MessagePack map")
    if not isinstance(kind, str) or complaint.endswith("`$.type`"):
        return WireError(Rejection.UNKNOWN_TYPE, "type", repr(kind), "a message type of this socket")
    # A later protocol may add fields to these: say so rather than complain of the field.
    if version != 1:
        return WireError(Rejection.UNKNOWN_VERSION, "version", repr(version), "1")
    return WireError(Rejection.WRONG_TYPE, kind, complaint, "the fields of docs/protocol.md")
