"""The cells socket: every message in, checked, counted, and its cells put into slots."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import zmq
from numpy.typing import NDArray

from streamer.ingest import FACTS, JUMP_NS, Facts, finite
from streamer.loop._dispatch import Dispatch
from streamer.loop._live import Backlog, Live
from streamer.loop._series import NO_DEADLINE, Series
from streamer.loop._sessions import Sessions
from streamer.loop._settle import settle_unclassified
from streamer.vocabulary import Reason, Rejection
from streamer.wire import CellsHeader, End, Heartbeat, Refused, Start, WireError, decode_from_cytometer

COPY_BELOW = 65_536
"""Below this many bytes a copy out of ZeroMQ is cheaper than a zero-copy view."""

FUTURE_NS = JUMP_NS
"""A trigger this far behind its cell's arrival is a counter that has jumped. Less far, the start message was held up,
and the mapping is late by as much until a quicker heartbeat comes."""

HOPELESS_PER_CELL = 2
"""So many cells that come too late to be saved count as one of those that are received in a turn."""

_POLLIN = int(zmq.POLLIN)  # an enumeration takes its time with `&`

Part = bytes | memoryview


class Intake:
    """Receives from the cells socket until nothing is left or enough came for now.

    Parameters
    ----------
    dispatch
        Knows how long it takes, at present, until a decision on a cell can leave.
    """

    def __init__(self, live: Live, sessions: Sessions, dispatch: Dispatch) -> None:
        self._live = live
        self._sessions = sessions
        self._copy = True
        self._dispatch = dispatch
        self._soonest_ns = 0
        self._hopeless: list[tuple[int, int, int, int, int]] = []

    def drain(self, cells: int, *, there: bool = False) -> int:
        """Receive messages until none is there or about `cells` cells have come; return how many messages did.

        `there` says that a message is there, as the poller has just told. While a series without deadlines has more
        cells than slots, nothing more is received: the sender waits.
        """
        live = self._live
        messages = came = 0
        least_ns = self._dispatch.least_ns()
        while came + len(self._hopeless) // HOPELESS_PER_CELL < cells:
            if live.backlog and not self._place_backlog():
                break
            # Asked rather than tried: an exception for an empty socket costs a lone cell ten microseconds.
            if not there and not int(live.cells_socket.get(zmq.EVENTS)) & _POLLIN:
                break
            there = False
            try:
                parts = self._receive()
            except zmq.Again:  # what was there has gone, with its sender
                break
            messages += 1
            now_ns = time.monotonic_ns()
            self._soonest_ns = now_ns + least_ns
            hopeless = len(self._hopeless)
            brought = self.message(parts, now_ns)
            # A message that brings nothing counts too: a flood of bad ones must not keep the loop here.
            came += max(1, brought) if len(self._hopeless) == hopeless else 0
        self._shed_hopeless()
        return messages

    def message(self, parts: Sequence[Part], now_ns: int) -> int:
        """Handle one message `[peer, header, part…]`; return how many cells it brought."""
        live = self._live
        live.account.messages += 1
        try:
            if len(parts) < 2:
                raise WireError(Rejection.WRONG_PARTS, "parts", len(parts) - 1, "a header and its parts")
            peer = bytes(parts[0])
            message = decode_from_cytometer(parts[1])
            if isinstance(message, CellsHeader):
                return self._cells(message, parts, now_ns)
            if len(parts) != 2:
                raise WireError(Rejection.WRONG_PARTS, "parts", len(parts) - 1, "a header alone")
            if isinstance(message, Start):
                self._sessions.start(peer, message, now_ns)
            elif isinstance(message, End):
                self._sessions.end(peer, message, now_ns)
            elif isinstance(message, Heartbeat):
                self._sessions.heartbeat(peer, message, now_ns)
        except WireError as error:
            live.reject(error.reason, error)
            if error.reason is Rejection.UNKNOWN_VERSION:
                # Said, not only counted: a sender of a later version would ask again for ever.
                live.reply(bytes(parts[0]), Refused("", error.field, error.found, error.expected))
        return 0

    def _shed_hopeless(self) -> None:
        """Send the cells that came too late to waste, all at once."""
        series = self._live.series
        if self._hopeless and series is not None:  # which is theirs: with cells pending no series is closed
            facts = np.array(self._hopeless, FACTS)
            self._hopeless.clear()
            self._dispatch.recover()
            settle_unclassified(self._live, series, facts, Reason.LATE)

    def _receive(self) -> Sequence[Part]:
        socket = self._live.cells_socket
        if self._copy:
            parts: Sequence[Part] = socket.recv_multipart(zmq.DONTWAIT)
        else:
            parts = [frame.buffer for frame in socket.recv_multipart(zmq.DONTWAIT, copy=False)]
        self._copy = len(parts) < 3 or len(parts[2]) < COPY_BELOW
        return parts

    def _cells(self, header: CellsHeader, parts: Sequence[Part], now_ns: int) -> int:
        series = self._live.series
        if series is None or header.series != series.id or series.last_seq is not None:
            found = f"series {header.series!r}"
            raise WireError(Rejection.OUT_OF_SERIES, "series", found, self._sessions.describe_open())
        if header.schema != series.hash:
            raise WireError(Rejection.WRONG_SCHEMA, "schema", header.schema, f"{series.hash}, as accepted")
        frames = series.layout.view(header, parts[1], parts[2:])
        fresh = series.window.admit(header.seq, header.n)
        series.heard_ns = now_ns
        if header.n == 1 and fresh is None and series.sorting is None:
            self._cell(series, header, frames, now_ns)
            return 1
        facts, ahead = _facts(series, header, now_ns)
        if fresh is not None:
            facts = facts[fresh]
            frames = frames[fresh] if isinstance(frames, np.ndarray) else _chosen(frames, fresh)
        n = len(facts)
        if not n:
            return 0
        series.account.pending += n
        told = facts["trigger_ns"].copy() if series.sorting is not None else None
        jumped = _hold_back(facts, series.deadline_after_ns, now_ns) if ahead else None
        if series.sorting is not None and told is not None:
            # Distances are the counter's; but where it cannot be true, it must not close windows of others.
            series.sorting.arrive(facts, told if jumped is None else np.where(jumped, facts["trigger_ns"], told))
        # Without a deadline no harm is done by a counter of another kind, such as a recording's.
        if jumped is not None and series.deadline_after_ns is not None:
            settle_unclassified(self._live, series, facts[jumped], Reason.CLOCK)
            if jumped.all():
                return n
            facts = facts[~jumped]
            frames = frames[~jumped] if isinstance(frames, np.ndarray) else _chosen(frames, ~jumped)
        self._accept(series, frames, facts)
        return n

    def _cell(
        self,
        series: Series,
        header: CellsHeader,
        frames: NDArray[np.generic] | list[NDArray[np.generic] | None],
        now_ns: int,
    ) -> None:
        """Do with a lone new cell what `_cells` does with many, in plain numbers, as arrays of one take longer."""
        after = series.deadline_after_ns
        ticks = int.from_bytes(header.ticks, "little")
        trigger_ns = series.clock.to_host_one(ticks)
        deadline_ns = NO_DEADLINE if after is None else trigger_ns + after
        series.account.pending += 1
        if deadline_ns < self._soonest_ns:
            # While too much comes, what is received has often waited too long already. The less is done with it, the
            # more is left for the cells that can be saved.
            self._hopeless.append((header.seq, ticks, trigger_ns, now_ns, deadline_ns))
            return
        jumped = after is not None and trigger_ns > now_ns + FUTURE_NS
        if trigger_ns > now_ns:
            trigger_ns, deadline_ns = now_ns, deadline_ns if after is None else now_ns + after
        fact = (header.seq, ticks, trigger_ns, now_ns, deadline_ns)
        live = self._live
        if (
            isinstance(frames, np.ndarray)
            and frames.dtype.kind != "f"
            and not jumped
            and live.pool.free
            and not live.backlog
        ):
            slot = live.pool.acquire_one()
            series.placement.place_one(frames[0], live.pool.frames[slot])
            live.pool.facts[slot] = fact
            live.waiting.push_one(slot)
            return
        facts = np.array([fact], FACTS)
        if jumped:
            settle_unclassified(live, series, facts, Reason.CLOCK)
        else:
            self._accept(series, frames, facts)

    def _accept(
        self, series: Series, frames: NDArray[np.generic] | list[NDArray[np.generic] | None], facts: Facts
    ) -> None:
        if isinstance(frames, list):
            for index, frame in enumerate(frames):
                one = facts[index : index + 1]
                if frame is None:
                    settle_unclassified(self._live, series, one, Reason.INCOMPLETE)
                else:
                    self._accept(series, frame[None], one)
            return
        if frames.dtype.kind == "f":
            whole = finite(frames)
            if not whole.all():
                settle_unclassified(self._live, series, facts[~whole], Reason.INCOMPLETE)
                frames, facts = frames[whole], facts[whole]
        self._place(series, frames, facts)

    def _place(self, series: Series, frames: NDArray[np.generic], facts: Facts) -> None:
        live = self._live
        short = len(facts) - live.pool.free
        if series.deadline_after_ns is None:
            if short > 0 or live.backlog:
                live.backlog.append(Backlog(series, frames, facts))
                self._place_backlog()
                return
        elif short > 0:
            chosen = self._shed(series, facts, short)
            if chosen is not None:
                frames, facts = frames[chosen], facts[chosen]
        self._put(series, frames, facts)

    def _put(self, series: Series, frames: NDArray[np.generic], facts: Facts) -> None:
        live = self._live
        n = len(facts)
        if not n:
            return
        slots = live.pool.acquire(n)
        series.placement.place(frames, live.pool.frames, slots)
        live.pool.facts[slots] = facts
        live.waiting.push(slots)

    def _shed(self, series: Series, facts: Facts, short: int) -> NDArray[np.bool_] | None:
        """Send to waste the cells that can least be saved among those waiting and these new ones.

        Returns which of the new cells stay, None for all.
        """
        live = self._live
        waiting = live.waiting.peek(len(live.waiting))
        deadlines = np.concatenate([live.pool.facts["deadline_ns"][waiting], facts["deadline_ns"]])
        shed = np.zeros(len(deadlines), np.bool_)
        shed[np.argpartition(deadlines, short - 1)[:short]] = True
        old, new = shed[: len(waiting)], shed[len(waiting) :]
        if old.any():
            slots = live.waiting.take_where(old)
            settle_unclassified(live, series, live.pool.facts[slots], Reason.OVERLOAD)
            live.pool.release(slots)
        if not new.any():
            return None
        settle_unclassified(live, series, facts[new], Reason.OVERLOAD)
        return ~new

    def _place_backlog(self) -> bool:
        """Place as much of the backlog as there are slots for; return whether it is all placed."""
        backlog = self._live.backlog
        while backlog and self._live.pool.free:
            chunk = backlog.popleft()
            n = min(self._live.pool.free, len(chunk.facts["seq"]))
            if n < len(chunk.facts["seq"]):
                backlog.appendleft(Backlog(chunk.series, chunk.frames[n:], chunk.facts[n:]))
            self._put(chunk.series, chunk.frames[:n], chunk.facts[:n])
        return not backlog


def _facts(series: Series, header: CellsHeader, now_ns: int) -> tuple[Facts, bool]:
    """Return what is known of the cells, and whether some trigger seems to lie ahead of its arrival."""
    after = series.deadline_after_ns
    facts = np.empty(header.n, FACTS)
    facts["seq"] = np.arange(header.seq, header.seq + header.n, dtype=np.uint64)
    facts["ticks"] = np.frombuffer(header.ticks, "<u8")
    facts["trigger_ns"] = series.clock.to_host(facts["ticks"])
    facts["arrival_ns"] = now_ns
    facts["deadline_ns"] = NO_DEADLINE if after is None else facts["trigger_ns"] + after
    return facts, bool((facts["trigger_ns"] > now_ns).any())


def _hold_back(facts: Facts, after: int | None, now_ns: int) -> NDArray[np.bool_] | None:
    """Let no trigger lie behind its cell's arrival; tell which did so by more than any transit explains.

    The mapping of the counter is late by the least transit time, so a trigger may seem to come a little after the
    arrival. Far ahead it is a counter that has jumped, and nothing is known of such a cell's deadline.
    """
    ahead = facts["trigger_ns"] > now_ns
    jumped: NDArray[np.bool_] = facts["trigger_ns"] > now_ns + FUTURE_NS
    facts["trigger_ns"][ahead] = now_ns
    if after is not None:
        facts["deadline_ns"][ahead] = now_ns + after
    return jumped if jumped.any() else None


def _chosen(frames: list[NDArray[np.generic] | None], where: NDArray[np.bool_]) -> list[NDArray[np.generic] | None]:
    return [frame for frame, chosen in zip(frames, where.tolist(), strict=True) if chosen]
