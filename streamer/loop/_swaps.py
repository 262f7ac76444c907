"""Hot swaps: another bundle is made ready beside the loop and takes over between two batches."""

from __future__ import annotations

import time
from typing import NamedTuple

import msgspec
import zmq

from engines.errors import CellgateError, InputError
from streamer.loop._beside import Outcome
from streamer.loop._building import Built
from streamer.loop._dispatch import Dispatch
from streamer.loop._engines import Engines
from streamer.loop._live import Live
from streamer.loop._log import logger
from streamer.loop._operators import refused, tell_operator
from streamer.loop._recording import describe_series
from streamer.loop._sessions import Sessions
from streamer.loop._swap import Prepared, Situation, gates_for, prepare
from streamer.wire import Refused, Swap, Swapped, Swapping


class Order(NamedTuple):
    """A swap under way: who waits for it, what was asked for, and what it has to fit into."""

    peer: bytes
    swap: Swap
    situation: Situation


class Swaps:
    """Takes orders to swap, one at a time, and says to who gave them how far they are.

    Parameters
    ----------
    socket
        The control endpoint's.
    """

    def __init__(
        self, live: Live, dispatch: Dispatch, engines: Engines, sessions: Sessions, socket: zmq.Socket[bytes]
    ) -> None:
        self._live, self._dispatch, self._engines, self._sessions = live, dispatch, engines, sessions
        self._socket = socket
        self._order: Order | None = None
        self._prepared: Prepared | None = None

    def ask(self, peer: bytes, swap: Swap) -> Swapping:
        """Begin a swap, or raise `InputError` if none can begin now."""
        live = self._live
        if self._order is not None:
            found = f"a swap to {self._order.swap.bundle}, which is under way"
            raise InputError("change", "swap", found, "one at a time")
        if not self._engines.idle:
            raise InputError("change", "swap", "an engine that is being rebuilt", "a swap when that is done")
        situation = Situation(live.engine.bundle, live.config, live.gates.ways, live.pool.frames)
        self._order = Order(peer, swap, situation)
        logger.info("swap by %s (%s): %s", swap.author, swap.reason, swap.bundle)
        self._engines.have_built(
            lambda names, build, say: prepare(swap, situation, names, build, say), self._said, self._done
        )
        return Swapping("asked")

    def step(self) -> None:
        """Let the bundle that is ready take over, if nothing is under way."""
        if self._prepared is not None and not self._live.batches:
            self._take_over(self._prepared)

    def stop(self) -> None:
        """Give up a swap under way: the streamer ends."""
        if self._order is not None:
            self._refuse(Refused("", "swap", "a streamer that is stopping", "one that goes on"))

    def _said(self, stage: str) -> None:
        self._tell(Swapping(stage))

    def _done(self, outcome: Outcome[Built]) -> None:
        if self._order is None:  # given up in the meantime
            if outcome.result is not None:
                self._engines.retire(outcome.result.engine)
        elif isinstance(outcome.result, Prepared):
            self._prepared = outcome.result
            self._dispatch.hold = True
        elif outcome.error is not None:
            self._refuse(refused(outcome.error))

    def _take_over(self, prepared: Prepared) -> None:
        live, order = self._live, self._order
        assert order is not None  # noqa: S101 - what is ready was ordered
        gates = prepared.gates
        try:
            if live.config is not order.situation.config or live.gates.ways != order.situation.ways:
                # Changed in the meantime.
                gates = gates_for(live.config, live.gates.ways, prepared.engine.bundle.manifest)
        except CellgateError as error:
            self._refuse(refused(error))
            return
        old = live.engine.bundle
        section = msgspec.structs.replace(live.config.streamer, bundle=str(prepared.engine.bundle.path))
        live.config = msgspec.structs.replace(live.config, streamer=section)
        live.gates = gates
        self._engines.take_over(prepared)
        live.engine_health.swaps += 1
        bundle, engine = live.engine.bundle, live.engine.name
        self._write_down(order.swap, prepared, old.sha256)
        logger.info("swapped: bundle %s %s on %s", bundle.manifest.name, bundle.sha256[:12], engine)
        verdict = prepared.verdict
        done = Swapped(
            bundle=bundle.manifest.name,
            bundle_sha256=bundle.sha256,
            engine=engine,
            cells=verdict.cells,
            changed_classes=verdict.changed_classes,
            changed_decisions=verdict.changed_decisions,
            mean_probability_error=verdict.mean_probability_error,
        )
        self._tell(done)
        self._order = self._prepared = None

    def _write_down(self, swap: Swap, prepared: Prepared, old_sha256: str) -> None:
        """Write it into the journal of the open series, and tell receivers."""
        live, series = self._live, self._live.series
        if series is None:
            return
        bundle = live.engine.bundle
        waiting = live.pool.facts["seq"][live.waiting.peek(len(live.waiting))]
        series.journal.event(
            "swap",
            {
                "monotonic_ns": time.monotonic_ns(),
                "author": swap.author,
                "reason": swap.reason,
                "seq": int(waiting.min()) if len(waiting) else series.window.high,
                "code": series.deciders.code,
                "bundle": bundle.manifest.name,
                "bundle_sha256": bundle.sha256,
                "engine": live.engine.name,
                "instead_of_sha256": old_sha256,
                "parity": prepared.verdict.figures(),
            },
        )
        live.outlet.change_legend(self._sessions.legend(series))
        if live.recording is not None:
            live.recording.describe(describe_series(live, live.recording, series))

    def _refuse(self, why: Refused) -> None:
        if self._prepared is not None:
            self._engines.retire(self._prepared.engine)
        self._live.log.warning("swap", f"swap refused: {why.field}: {why.found}, expected {why.expected}")
        self._tell(why)
        self._order = self._prepared = None
        self._dispatch.hold = False

    def _tell(self, message: Swapping | Swapped | Refused) -> None:
        if self._order is not None:
            tell_operator(self._socket, self._order.peer, message)
