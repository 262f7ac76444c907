"""The operator's side: ask a streamer how it is set, and change it while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import zmq

from engines.errors import InputError
from streamer.client._errors import RefusedError, SilentError
from streamer.wire import (
    PROTOCOL_VERSION,
    Ask,
    Change,
    Changed,
    FromController,
    Refused,
    Settings,
    Swap,
    Swapped,
    Swapping,
    ToController,
    connect,
    decode_from_controller,
    decode_to_controller,
    encode,
)


class Controller:
    """A connection to a streamer's control endpoint. A context manager; belongs to one thread.

    Raises
    ------
    InputError
        An endpoint or key that cannot be used.
    """

    def __init__(self, endpoint: str, *, server_key: Path | None = None, secret_key: Path | None = None) -> None:
        self._endpoint = endpoint
        self._context = zmq.Context()
        self._socket: zmq.Socket[bytes] = self._context.socket(zmq.DEALER)
        try:
            connect(self._socket, endpoint, "control endpoint", server_key, secret_key)
        except BaseException:
            self._context.destroy(0)
            raise

    def ask(self, timeout_s: float = 5.0) -> Settings:
        """Return how the streamer is set; `SilentError` if it does not say within `timeout_s`."""
        answer = self._exchange(Ask(PROTOCOL_VERSION), timeout_s)
        if not isinstance(answer, Settings):
            raise SilentError(f"the streamer at {self._endpoint} answered something else than its settings")
        return answer

    def change(self, changes: dict[str, object], *, author: str, reason: str, timeout_s: float = 5.0) -> Changed:
        """Change settings as a whole or not at all.

        Parameters
        ----------
        changes
            A part of the configuration as a tree: keys of `decision`, or all of `gate`.
        author, reason
            For the journal.

        Raises
        ------
        WireError
            Author or reason are empty or too long.
        RefusedError
            The streamer did not take it, for the reason in the text; nothing was changed.
        SilentError
            No answer within `timeout_s`: whether it was changed is not known.
        """
        answer = self._exchange(Change(PROTOCOL_VERSION, author, reason, changes), timeout_s)
        if not isinstance(answer, Changed):
            raise SilentError(f"the streamer at {self._endpoint} answered something else than that it is done")
        return answer

    def swap(
        self,
        bundle: str,
        *,
        author: str,
        reason: str,
        max_changed: float | None = None,
        cells: str | None = None,
        progress: Callable[[str], None] | None = None,
        timeout_s: float = 600.0,
    ) -> Swapped:
        """Let another bundle decide, once it has been loaded, compiled and compared beside the one that does.

        Parameters
        ----------
        bundle
            A directory on the streamer's machine, or the name of a shipped bundle.
        max_changed
            The largest share of cells, 0 to 1, whose class or gate decisions may differ from the FP32 reference's.
        cells
            Recorded cells there to compare on; by default those the streamer has seen last.
        progress
            Called with `asked`, `loading`, `compiling` and `comparing`.
        timeout_s
            How long the streamer may be silent; compiling takes minutes on some GPUs.

        Raises
        ------
        WireError
            Author, reason or another field is empty, too long or out of its range.
        RefusedError
            The streamer did not take it, for the reason in the text; the old bundle decides on.
        SilentError
            No word for `timeout_s`: whether it will be swapped is not known.
        """
        self._send(Swap(PROTOCOL_VERSION, author, reason, bundle, max_changed, cells))
        while True:
            answer = self._receive("the swap", timeout_s)
            if isinstance(answer, Swapped):
                return answer
            if progress is not None and isinstance(answer, Swapping):
                progress(answer.stage)

    def close(self) -> None:
        """Close the connection."""
        self._context.destroy(200)

    def __enter__(self) -> Controller:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _exchange(self, message: Ask | Change, timeout_s: float) -> ToController:
        self._send(message)
        return self._receive("the change", timeout_s)

    def _send(self, message: FromController) -> None:
        try:
            header = encode(message)
        except (OverflowError, TypeError, ValueError) as error:
            raise InputError("change", "changes", str(error), "values that MessagePack can carry") from error
        decode_from_controller(header)  # what no streamer could take is said here
        self._socket.send(header)

    def _receive(self, what: str, timeout_s: float) -> ToController:
        until = time.monotonic() + timeout_s
        while (left := until - time.monotonic()) > 0:
            if self._socket.poll(int(left * 1000) + 1):
                answer = decode_to_controller(self._socket.recv_multipart()[0])
                if isinstance(answer, Refused):
                    raise RefusedError(what, answer)
                return answer
        raise SilentError(f"no streamer answered at {self._endpoint} within {timeout_s:g} s")
