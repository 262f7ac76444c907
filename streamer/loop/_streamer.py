"""The streamer: opens everything the loop needs, runs it, and closes everything again."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import zmq

from engines.backends import Engine, Wakeup
from engines.errors import InputError
from streamer.config import Config
from streamer.decision import Gates, Outlet, check_abstention, with_gating_file, without_gating_file
from streamer.ingest import SlotPool, WaitingLine
from streamer.loop._awake import Awake
from streamer.loop._building import Build, engine_for
from streamer.loop._live import Live
from streamer.loop._loop import Loop, Wishes
from streamer.loop._realtime import Realtime
from streamer.loop._recording import open_handover
from streamer.loop._sockets import Sockets
from streamer.loop._way_rules import check_ways


class Streamer:
    """Receives cells, has them classified, and sends decisions, until `stop`.

    Parameters
    ----------
    config
        The checked configuration.
    engine
        Compiled for the configuration's bundle; the streamer warms it and leaves closing it to the caller.
    on_ready
        Called once everything is bound and warm.
    outlet
        What decisions go out by; another one can watch them go.
    build
        Builds other engines while it runs; by default as the configuration says.
    names
        Engines in order of preference, beginning with the one given; see `engines.backends.Choice`.

    Raises
    ------
    InputError
        An endpoint cannot be bound, a gate or limit asks for what the bundle does not give, the Gating-ML file cannot
        be used, or the journal directory cannot be used.
    """

    def __init__(
        self,
        config: Config,
        engine: Engine,
        on_ready: Callable[[], None] | None = None,
        *,
        outlet: Callable[[zmq.Socket[bytes], float], Outlet] = Outlet,
        build: Build | None = None,
        names: tuple[str, ...] = (),
    ) -> None:
        self._config = config = with_gating_file(config)
        self._engine = engine
        self._build: Build = partial(engine_for, without_gating_file(config)) if build is None else build
        self._names = names
        check_abstention(config.decision, engine.bundle.manifest)
        self._gates = Gates(config.gate, engine.bundle.manifest)
        check_ways(config, self._gates.ways)
        self._on_ready = on_ready
        self._outlet = outlet
        self._wakeup = Wakeup()
        self._wishes = Wishes()
        directory = Path(config.streamer.journal)
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError("config", "streamer.journal", f"{directory} ({error.strerror})", "a directory") from error
        self._realtime = Realtime(config.streamer.realtime, spinning=config.streamer.spin)
        self._sockets = Sockets(config, self._realtime)

    def stop(self) -> None:
        """Ask the loop to drain and end; may be called from a signal handler or another thread."""
        self._wishes.stop = True
        self._wakeup.set()

    def arm(self, armed: bool = True) -> None:
        """Arm or disarm from the next batch on; may be called from a signal handler or another thread.

        A disarmed streamer decides as always but keeps nothing; the change is an event in the journal.
        """
        self._wishes.arming = armed
        self._wakeup.set()

    def run(self) -> bool:
        """Run until `stop`, then decide what was received and close the series.

        Returns
        -------
        Whether all engines answer: one that hangs cannot be closed, and the caller must end without it. Those that
        were built in the meantime are closed.
        """
        section = self._config.streamer
        best = self._engine.warm()
        pool = SlotPool(section.slots, self._engine.bundle.frame_shape, self._engine.bundle.dtype)
        live = Live(
            config=self._config,
            engine=self._engine,
            gates=self._gates,
            cells_socket=self._sockets.cells,
            outlet=self._outlet(self._sockets.decisions, section.heartbeat_s),
            pool=pool,
            waiting=WaitingLine(section.slots),
            awake=Awake(section.keep_awake),
            realtime=self._realtime,
            recording=open_handover(self._config, self._sockets.recording),
            gate_names=self._gates.names,
            armed=self._config.decision.armed,
            class_totals=np.zeros(len(self._engine.bundle.classes), np.int64),
            way_totals=np.zeros(len(self._gates.ways), np.int64),
        )
        with self._sockets:
            try:
                loop = Loop(live, best, self._sockets, self._wakeup, self._build, self._names)
                return loop.run(self._wishes, self._on_ready)
            finally:
                self._realtime.release()
                live.awake.release()
                self._wakeup.close()
