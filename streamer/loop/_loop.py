"""The event loop: waits for what comes next, has every stage do its part, and looks after the timers."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass

import zmq

from engines.backends import Wakeup
from streamer.loop._building import Build
from streamer.loop._control import Control
from streamer.loop._dispatch import Dispatch
from streamer.loop._engines import Engines
from streamer.loop._intake import Intake
from streamer.loop._live import Live
from streamer.loop._log import logger
from streamer.loop._sessions import Sessions
from streamer.loop._settle import release
from streamer.loop._snapshots import take_snapshot
from streamer.loop._sockets import Sockets
from streamer.loop._swaps import Swaps
from streamer.recorder import Handover
from streamer.vocabulary import Reason
from streamer.wire import encode_snapshot

DRAIN_S = 5.0
"""How long a stopping streamer goes on deciding what it has; the rest goes to waste as `stopped`."""
AHEAD = 2
"""In one turn cells for so many full batches are received, more than the engine takes meanwhile: what is too much then
waits here, where it is shed in time, and not in the socket, where it gets old."""
LOSING_NS = 50_000_000
"""For so long after cells were shed the streamer is taken to be losing some."""
GC_INTERVAL_NS = 1_000_000_000


@dataclass
class Wishes:
    """What has been asked of the loop from outside; it looks between two batches."""

    stop: bool = False
    arming: bool | None = None


class Loop:
    """Turns until it is wished to stop, then decides what was received and closes the series.

    Parameters
    ----------
    best
        The best time of each rung, as `Engine.warm` measured it.
    wakeup
        Set from outside when a wish has changed.
    build, names
        See `Engines`.
    """

    def __init__(
        self,
        live: Live,
        best: dict[int, float],
        sockets: Sockets,
        wakeup: Wakeup,
        build: Build,
        names: tuple[str, ...],
    ) -> None:
        self._live = live
        self._sessions = Sessions(live)
        self._dispatch = Dispatch(live, best)
        self._intake = Intake(live, self._sessions, self._dispatch)
        self._telemetry = sockets.telemetry
        self._wakeup = wakeup
        self._poller = zmq.Poller()
        self._poller.register(sockets.cells, zmq.POLLIN)
        self._listening = True
        self._poller.register(sockets.decisions, zmq.POLLIN)
        self._poller.register(sockets.control, zmq.POLLIN)
        if sockets.recording is not None:
            self._poller.register(sockets.recording, zmq.POLLIN)
        self._poller.register(wakeup.fileno(), zmq.POLLIN)
        self._engines = Engines(live, self._dispatch, build, names, self._poller)
        self._swaps = Swaps(live, self._dispatch, self._engines, self._sessions, sockets.control)
        self._control = Control(live, sockets.control, self._sessions, self._swaps)
        self._decisions_socket, self._control_socket = sockets.decisions, sockets.control
        self._recording_socket = sockets.recording
        self._snapshots = 0
        now = time.monotonic_ns()
        self._snapshot_at = self._heartbeat_at = self._collect_at = now

    def run(self, wishes: Wishes, on_ready: Callable[[], None] | None) -> bool:
        """Turn until a stop is wished for; return whether all engines let themselves be closed."""
        # Garbage collection would stop the loop at a moment of its own choosing; it runs when nothing waits instead.
        gc.collect()
        gc.freeze()
        gc.disable()
        try:
            if on_ready is not None:
                on_ready()
            while not wishes.stop:
                self._turn()
                if wishes.arming is not None:
                    armed, wishes.arming = wishes.arming, None
                    self._wakeup.clear()
                    self._control.arm(armed, "signal", "SIGUSR1" if armed else "SIGUSR2")
            self._drain()
            return self._engines.close()
        finally:
            gc.enable()
            gc.unfreeze()

    def _turn(self) -> None:
        live = self._live
        self._listen()
        began = time.monotonic_ns()
        ready = self._poller.poll(self._timeout_ms())
        polled = time.monotonic_ns()
        there = False
        for key, _ in ready:
            if key is live.cells_socket:
                there = True
            elif key is self._decisions_socket:
                self._serve_receivers()
            elif key is self._control_socket:
                self._control.serve()
            elif key is self._recording_socket and live.recording is not None:
                self._serve_recorder(live.recording)
        self._dispatch.collect()
        self._intake.drain(AHEAD * self._dispatch.top, there=there)
        if self._dispatch.start():
            self._dispatch.collect()  # a quick engine has answered already
        # Not before: a cell that has come waits for neither.
        self._engines.step(time.monotonic_ns())
        self._swaps.step()
        if live.series is not None:
            release(live, live.series)
        now = time.monotonic_ns()
        if live.series is not None or live.closing:
            self._sessions.advance(now)
        losing = now - self._dispatch.shed_ns < LOSING_NS
        live.realtime.follow(polled - began, now - polled, elsewhere=bool(live.batches), losing=losing)
        self._timers(now)

    def _listen(self) -> None:
        """Wake up for cells only while they can be taken: waiting ones would keep the loop turning for nothing."""
        live = self._live
        wanted = not live.backlog or live.pool.free > 0
        if wanted is self._listening:
            return
        self._listening = wanted
        if wanted:
            self._poller.register(live.cells_socket, zmq.POLLIN)
        else:
            self._poller.unregister(live.cells_socket)

    def _timeout_ms(self) -> int:
        live = self._live
        if (live.backlog and live.pool.free) or self._dispatch.can_start:
            return 0
        if live.config.streamer.spin and live.series is not None:
            return 0
        soonest = min(self._snapshot_at, self._heartbeat_at)
        if live.series is not None and live.series.sorting is not None:
            soonest = min(soonest, live.series.sorting.next_due_ns() or soonest)
        soonest -= time.monotonic_ns()
        # A closing journal and an ended series are looked after without an event of their own.
        limit = 5 if live.closing else 100
        return max(0, min(limit, soonest // 1_000_000))

    def _serve_receivers(self) -> None:
        for error in self._live.outlet.serve(time.monotonic_ns()):
            self._live.log.warning("sorter", error)

    def _serve_recorder(self, handover: Handover) -> None:
        for error in handover.serve(time.monotonic_ns()):
            self._live.log.warning("recorder", error)

    def _timers(self, now: int) -> None:
        live = self._live
        section = live.config.streamer
        if now >= self._snapshot_at:
            self._snapshot_at = now + int(section.snapshot_s * 1e9)
            self._publish_snapshot()
        if now >= self._heartbeat_at:
            self._heartbeat_at = now + int(section.heartbeat_s * 1e9)
            self._sessions.tell_status()
            for name in live.outlet.drop_silent(now):
                live.log.warning("receiver", f"receiver {name!r} fell silent and was dropped")
                if not live.outlet.receivers and live.config.decision.disarm_without_sorter:
                    self._control.arm(False, "streamer", f"the last sorter, {name!r}, fell silent")
        if now >= self._collect_at and not live.batches and not len(live.waiting):
            self._collect_at = now + GC_INTERVAL_NS
            gc.collect(1 if live.series is not None else 2)

    def _publish_snapshot(self) -> None:
        snapshot = take_snapshot(self._live, self._snapshots)
        self._snapshots += 1
        self._telemetry.send(encode_snapshot(snapshot), zmq.DONTWAIT)

    def _drain(self) -> None:
        """Decide what has been received, tell everyone, and close the series."""
        live = self._live
        live.stopping = True
        self._wakeup.clear()
        self._swaps.stop()
        logger.info("stopping: deciding what was received")
        until = time.monotonic() + DRAIN_S
        # What has arrived before the stop is received; a sender that goes on sending is cut off after a second.
        receive_until = time.monotonic() + 1.0
        receiving = True
        while time.monotonic() < until:
            self._dispatch.collect(0.01)
            if receiving:
                receiving = bool(self._intake.drain(self._dispatch.top)) and time.monotonic() < receive_until
            if live.recording is not None:
                self._serve_recorder(live.recording)
            self._dispatch.start()
            if live.series is not None:
                release(live, live.series)
            if not receiving and not live.batches and not len(live.waiting) and not live.backlog:
                break
        self._dispatch.abandon(Reason.STOPPED)
        if live.series is not None:
            if live.series.last_seq is None:
                live.series.finish("stopped")
            release(live, live.series)  # nothing more will come, so every window is closed
            self._sessions.close()
        for closing in live.closing:
            closing.thread.join()
        self._sessions.advance(time.monotonic_ns())
        self._sessions.tell_status()
        self._publish_snapshot()
