"""The engine in force and those beside it: one that takes over from it, and those it has taken over from."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Thread
from typing import NamedTuple

import numpy as np
import zmq

from engines.backends import Engine
from streamer.ingest import Slots
from streamer.loop._beside import Beside, Outcome, Say
from streamer.loop._building import Build, Built, build_again
from streamer.loop._dispatch import Dispatch
from streamer.loop._engine_log import tell_engine
from streamer.loop._live import Live

RETRY_NS, LAST_RETRY_NS = 1_000_000_000, 30_000_000_000
"""After an engine could not be built it is tried again: after a second, then twice as long each time up to the last."""
RELAPSE_NS = 60_000_000_000
"""An engine that is out again so soon after it was built is passed over for the next in the list."""
CLOSE_S = 5.0
"""How long the end waits for engines that are being built or closed."""


class Retired(NamedTuple):
    """An engine that is being closed by a thread, and the slots it may still read until then."""

    engine: Engine
    slots: Slots
    thread: Thread


class Engines:
    """Has engines built beside the loop and lets them take over between two batches.

    When the engine in force is out of order (`Dispatch.out`), one like it, or the next in the list, is built; until
    then cells go to waste. Nothing here waits: threads build and close engines, and one that hangs is abandoned.

    Parameters
    ----------
    build
        Builds engines; called on the other thread.
    names
        Of engines in order of preference, beginning with the one in force; see `Choice`.
    poller
        The loop's.
    """

    def __init__(
        self, live: Live, dispatch: Dispatch, build: Build, names: tuple[str, ...], poller: zmq.Poller
    ) -> None:
        self._live, self._dispatch, self._poller = live, dispatch, poller
        self._build, self._names = build, names
        self._first = live.engine
        self._beside: Beside[Built] = Beside()
        self._retired: list[Retired] = []
        self._said: Callable[[str], None] = _ignore
        self._done: Callable[[Outcome[Built]], None] = self._rebuilt
        self._descriptor = live.engine.fileno()
        self._built_ns = self._retry_at = 0
        self._pause_ns = RETRY_NS
        poller.register(self._beside.fileno(), zmq.POLLIN)
        poller.register(self._descriptor, zmq.POLLIN)

    @property
    def idle(self) -> bool:
        """Whether none is being built."""
        return not self._beside.busy

    def have_built(
        self,
        job: Callable[[tuple[str, ...], Build, Say], Built],
        said: Callable[[str], None],
        done: Callable[[Outcome[Built]], None],
    ) -> None:
        """Run a job beside the loop that builds an engine by these names; pass on what it says, and how it ends."""
        names, build = self._names, self._build
        self._said, self._done = said, done
        self._beside.start(lambda say: job(names, build, say))

    def step(self, now: int) -> None:
        """Do what there is to do between two batches."""
        if self._beside.busy:
            self._look()
        if self._dispatch.out and not self._beside.busy and not self._dispatch.hold and now >= self._retry_at:
            self._rebuild(now)
        if self._retired:
            self._sweep()
        self._live.engine_health.out = self._dispatch.out

    def close(self) -> bool:
        """Close all engines but the one the loop began with; return whether every one of them lets itself be closed."""
        outcome = self._beside.close(CLOSE_S)
        if outcome is not None and outcome.result is not None:
            self.retire(outcome.result.engine)
        answers = not self._dispatch.unanswered
        if answers and self._live.engine is not self._first:
            self.retire(self._live.engine)
        until = time.monotonic() + CLOSE_S
        for retired in self._retired:
            retired.thread.join(max(0.0, until - time.monotonic()))
        return answers and not self._beside.busy and not any(retired.thread.is_alive() for retired in self._retired)

    def _look(self) -> None:
        while (word := self._beside.look()) is not None:
            if isinstance(word, Outcome):
                self._done(word)
            else:
                self._said(word)

    def _rebuild(self, now: int) -> None:
        dispatch, names = self._dispatch, self._names
        if dispatch.hung or (self._built_ns and now - self._built_ns < RELAPSE_NS):
            names = names[1:] + names[:1]
        tell_engine(self._live, "rebuilding", dispatch.out)
        bundle, build = self._live.engine.bundle, self._build
        self._said, self._done = _ignore, self._rebuilt
        self._beside.start(lambda _: build_again(bundle, names, build))

    def _rebuilt(self, outcome: Outcome[Built]) -> None:
        now = time.monotonic_ns()
        if outcome.error is not None or outcome.result is None:
            tell_engine(self._live, "not rebuilt", str(outcome.error))
            self._retry_at, self._pause_ns = now + self._pause_ns, min(2 * self._pause_ns, LAST_RETRY_NS)
            return
        self._retry_at, self._pause_ns = 0, RETRY_NS
        if not self._dispatch.out:  # the old one has answered after all
            self.retire(outcome.result.engine)
            return
        self._built_ns = now
        self.take_over(outcome.result)
        self._live.engine_health.rebuilds += 1
        tell_engine(self._live, "rebuilt", "")

    def take_over(self, built: Built) -> None:
        """Let an engine take over; nothing is under way."""
        live = self._live
        old, live.engine = live.engine, built.engine
        self._poller.unregister(self._descriptor)
        self._descriptor = built.engine.fileno()
        self._poller.register(self._descriptor, zmq.POLLIN)
        self._names = built.names
        self.retire(old, self._dispatch.use(built.best_seconds))
        if live.series is not None:
            live.series.deciders.use(built.engine)

    def retire(self, engine: Engine, slots: Slots | None = None) -> None:
        """Have an engine closed by a thread; slots it may still read are free when that is done."""
        thread = Thread(target=engine.close, name="close engine", daemon=True)
        thread.start()
        self._retired.append(Retired(engine, _NO_SLOTS if slots is None else slots, thread))

    def _sweep(self) -> None:
        """Take the slots back of engines that are closed by now."""
        for retired in [retired for retired in self._retired if not retired.thread.is_alive()]:
            self._retired.remove(retired)
            self._live.pool.release(retired.slots)


def _ignore(_: str) -> None:
    pass


_NO_SLOTS: Slots = np.zeros(0, np.intp)
