"""The load itself: messages at the moments planned for them, or as many as are allowed to be under way."""

from __future__ import annotations

import ctypes
import os
import select
import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import zmq
from numpy.typing import NDArray

from bench.live._links import Link
from engines.errors import CellgateError
from streamer.wire import DECISION

SPIN_NS = 60_000
"""So long before a message is due its sender stops sleeping: a sleeper wakes late by about as much."""
QUIET_S = 10.0
"""When nothing has come for so long, nothing more will."""

_PR_SET_TIMERSLACK = 29


@dataclass(frozen=True)
class Message:
    """Cells of consecutive seq from `first`, their trigger times, and their frames."""

    first: int
    ticks: NDArray[np.uint64]
    block: zmq.Frame


def sleep_sharply() -> None:
    """Let the system wake this process when it asked to be, not up to 50 µs later to save power."""
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1)


def open_loop(link: Link, messages: Iterable[Message], due_ns: list[int]) -> NDArray[np.int64]:
    """Send each message when it is due, whatever has been answered; return when each was sent.

    A message that is sent late, because the one before took its time, is late in the figures as well: its reference
    stays the moment that was planned.
    """
    sent_ns = []
    for due, message in zip(due_ns, messages, strict=True):
        parts = link.pack(message.first, message.ticks, message.block)
        while True:
            link.receive()
            left = due - time.monotonic_ns()
            if left <= 0:
                break
            if left > SPIN_NS:
                select.select([link.fileno()], (), (), (left - SPIN_NS) * 1e-9)
            else:
                os.sched_yield()  # to the socket's thread, say, which else may wait for this one's turn to end
        link.send(parts)
        sent_ns.append(time.monotonic_ns())
    return np.array(sent_ns, np.int64)


def flat_out(link: Link, messages: Iterable[Message], window: int, share: int = 1) -> NDArray[np.int64]:
    """Send all as fast as they are taken, with at most `window` cells under way; return when each was sent.

    `share` is how many senders send as this one does: decisions on all of them come here.
    """
    sent_ns = []
    sent = decided = 0
    for message in messages:
        n = len(message.ticks)
        message.ticks[:] = time.monotonic_ns()
        parts = link.pack(message.first, message.ticks, message.block)
        decided += link.receive()
        heard = time.monotonic()
        while sent + n * share - decided > window:
            select.select([link.fileno()], (), (), 0.5)
            came = link.receive()
            decided += came
            if came:
                heard = time.monotonic()
            elif time.monotonic() - heard > QUIET_S:
                raise CellgateError(
                    f"bench: no decision for {QUIET_S:g} s, with {sent * share - decided} cells under way"
                )
        link.send(parts)
        sent_ns.append(time.monotonic_ns())
        sent += n * share
    return np.array(sent_ns, np.int64)


def wait_for(link: Link, cells: int) -> None:
    """Receive until so many cells are decided, or nothing more comes."""
    decided = sum(len(records) for _, records in link.received) // DECISION.itemsize
    heard = time.monotonic()
    while decided < cells and time.monotonic() - heard < QUIET_S:
        select.select([link.fileno()], (), (), 0.01)
        came = link.receive()
        decided += came
        if came:
            heard = time.monotonic()
