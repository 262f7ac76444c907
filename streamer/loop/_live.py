"""All live state of the streamer, owned by the one thread of the loop."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from threading import Thread

import numpy as np
import zmq
from numpy.typing import NDArray

from engines.backends import Engine
from streamer.config import Config
from streamer.decision import Gates, Outlet
from streamer.ingest import Facts, SlotPool, Slots, WaitingLine
from streamer.loop._awake import Awake
from streamer.loop._log import BoundedLog
from streamer.loop._realtime import Realtime
from streamer.loop._series import Series
from streamer.recorder import Handover
from streamer.telemetry import Meters
from streamer.vocabulary import Account, Rejection
from streamer.wire import JournalHealth, ToCytometer, Totals, encode, send_to


@dataclass
class Batch:
    """Cells on the engine since `started_ns`."""

    series: Series
    slots: Slots
    started_ns: int


@dataclass
class Backlog:
    """Cells of one size, received but not yet in slots: a series without deadlines keeps its sender waiting."""

    series: Series
    frames: NDArray[np.generic]
    facts: Facts


@dataclass
class EngineHealth:
    """What has happened to engines since the start."""

    faults: int = 0
    """Batches that failed."""
    rebuilds: int = 0
    """Engines that took over from one that was out of order."""
    swaps: int = 0
    """Bundles that took over."""
    out: str = ""
    """Why no engine is in use, empty while one is."""
    told_ns: int = 0
    """When a fault was last written into the journal."""


@dataclass
class Closing:
    """A series whose journal is being closed by a thread; its totals go out when that is done."""

    series: Series
    totals: Totals
    thread: Thread


@dataclass
class Live:
    """What the stages of the loop share."""

    config: Config
    engine: Engine
    gates: Gates
    cells_socket: zmq.Socket[bytes]
    outlet: Outlet
    pool: SlotPool
    waiting: WaitingLine
    awake: Awake
    realtime: Realtime
    recording: Handover | None = None
    meters: Meters = field(default_factory=Meters)
    log: BoundedLog = field(default_factory=BoundedLog)
    gate_names: tuple[str, ...] = ()
    """Of all gates since the start, by code: a gate keeps its code also when others have taken its place."""
    gate_first: int = 0
    """The code of the first gate in force."""
    armed: bool = True
    stopping: bool = False
    series: Series | None = None
    closing: list[Closing] = field(default_factory=list)
    finished: dict[str, Totals] = field(default_factory=dict)
    batches: deque[Batch] = field(default_factory=deque)
    """On the engine, in the order of submission, which is that of their answers."""
    backlog: deque[Backlog] = field(default_factory=deque)
    engine_health: EngineHealth = field(default_factory=EngineHealth)
    lifetime: Account = field(default_factory=Account)
    """Closed series, and what was received outside of any."""
    class_totals: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    way_totals: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    decided_by: dict[tuple[str, str], int] = field(default_factory=dict)
    """Cells of closed series by the bundle (name, hash) that decided."""
    last_account: Account = field(default_factory=Account)
    last_journal: JournalHealth = field(default_factory=JournalHealth)
    started_ns: int = field(default_factory=time.time_ns)

    @property
    def account(self) -> Account:
        """The open series' account, or the one for what comes outside of any series."""
        return self.lifetime if self.series is None else self.series.account

    def reject(self, reason: Rejection, text: object) -> None:
        """Count a message that was set aside, and log it at a bounded rate."""
        rejected = self.account.rejected
        rejected[reason.value] = rejected.get(reason.value, 0) + 1
        self.log.warning(reason.value, text)

    def reply(self, peer: bytes, message: ToCytometer) -> None:
        """Send a message to a cytometer; one that is gone or does not read misses it."""
        if not send_to(self.cells_socket, peer, (encode(message),)):
            self.log.warning("reply", f"a {type(message).__name__.lower()} message could not be sent to the cytometer")


def add_account(total: Account, part: Account) -> None:
    """Add `part` into `total`, term by term."""
    for name in (
        "sent",
        "received",
        "pending",
        "decided",
        "kept",
        "duplicates",
        "disordered",
        "messages",
        "undelivered",
    ):
        setattr(total, name, getattr(total, name) + getattr(part, name))
    for name in ("not_kept", "rejected"):
        counts: dict[str, int] = getattr(total, name)
        for key, value in getattr(part, name).items():
            counts[key] = counts.get(key, 0) + value
