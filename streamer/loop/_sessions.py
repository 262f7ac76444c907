"""Series come and go: start, heartbeat, end, silence, and the totals that close each."""

from __future__ import annotations

from pathlib import Path
from threading import Thread
from typing import NoReturn

import msgspec

from engines.errors import InputError
from streamer.ingest import MAX_JUMP
from streamer.loop._live import Closing, Live, add_account
from streamer.loop._open_series import open_series
from streamer.loop._recording import describe_series
from streamer.loop._report import Ending, write_reports
from streamer.loop._series import Series
from streamer.report import plans_of, timing_of_meters
from streamer.vocabulary import Reason, Rejection
from streamer.wire import (
    PROTOCOL_VERSION,
    Accepted,
    End,
    Heartbeat,
    Legend,
    Refused,
    Start,
    State,
    Status,
    Totals,
    WireError,
)

REASON_LABELS = tuple(reason.label for reason in Reason)
SILENT_HEARTBEATS = 5
REMEMBERED = 64
"""How many closed series' totals are kept, to answer an end message that is sent again."""


class Sessions:
    """Opens and closes series; at most one is open."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._directory = Path(live.config.streamer.journal)
        self._next: tuple[bytes, Start] | None = None
        self._patience_ns = int(SILENT_HEARTBEATS * live.config.streamer.heartbeat_s * 1e9)

    def describe_open(self) -> str:
        """Say which series is open, for error messages."""
        series = self._live.series
        if series is None:
            return "no series is open"
        return f"series {series.id!r}" + (", which has ended" if series.last_seq is not None else "")

    def start(self, peer: bytes, start: Start, now_ns: int) -> None:
        """Open a series, or say why not; the same start again is answered as before."""
        live = self._live
        series = live.series
        if start.version != PROTOCOL_VERSION:
            raise WireError(Rejection.UNKNOWN_VERSION, "version", start.version, str(PROTOCOL_VERSION))
        if series is not None and series.id == start.series and series.start.schema == start.schema:
            if series.last_seq is not None:
                raise WireError(Rejection.OUT_OF_SERIES, "series", f"start of {start.series!r}", self.describe_open())
            series.peer = peer
            series.heard_ns = now_ns
            live.reply(peer, self._accepted(series))
            return
        if live.stopping:
            self._refuse(peer, start, "series", start.series, "none: the streamer is stopping", Rejection.REFUSED)
        if series is not None:
            if series.peer != peer and not self._silent(series, now_ns):
                self._refuse(peer, start, "series", f"{series.id} is open", "no other series open", Rejection.REFUSED)
            # Its last cells may still be on the engine: the new series opens when they are decided.
            if series.last_seq is None:
                series.finish("lost" if series.peer != peer else "replaced")
            self._next = (peer, start)
            self.advance(now_ns)
            return
        self._open(peer, start, now_ns)

    def heartbeat(self, peer: bytes, beat: Heartbeat, now_ns: int) -> None:
        """Note that the cytometer is there and what its counter says; answer with the running account."""
        live = self._live
        series = live.series
        if series is None or beat.series != series.id:
            raise WireError(Rejection.OUT_OF_SERIES, "series", f"heartbeat of {beat.series!r}", self.describe_open())
        series.heard_ns = now_ns
        if beat.ticks is not None:
            series.clock.observe(beat.ticks, now_ns)
        live.reply(peer, self.status(series))

    def end(self, peer: bytes, end: End, now_ns: int) -> None:
        """Note the series' last seq; its totals follow when every cell is decided and the journal is on disk."""
        live = self._live
        series = live.series
        if series is None or end.series != series.id:
            totals = live.finished.get(end.series)
            if totals is not None:
                live.reply(peer, totals)
            elif not any(closing.series.id == end.series for closing in live.closing):
                raise WireError(Rejection.OUT_OF_SERIES, "series", f"end of {end.series!r}", self.describe_open())
            return
        if end.last_seq + 1 < series.window.high:
            found = f"{end.last_seq}, after a cell of seq {series.window.high - 1}"
            raise WireError(Rejection.SEQ_RANGE, "last_seq", found, "the highest seq sent")
        if end.last_seq > series.window.high + MAX_JUMP:
            raise WireError(Rejection.SEQ_RANGE, "last_seq", end.last_seq, f"at most {series.window.high + MAX_JUMP}")
        series.peer = peer
        series.heard_ns = now_ns
        if series.last_seq is None:
            series.finish("end", end.last_seq)

    def advance(self, now_ns: int) -> None:
        """Close what has ended or fallen silent, and send the totals whose journals are on disk."""
        live = self._live
        series = live.series
        if series is not None:
            series.update_sent()
            if series.last_seq is None and self._silent(series, now_ns):
                live.log.warning("lost", f"series {series.id}: no message for {self._patience_ns / 1e9:g} s, closed")
                series.finish("lost")
            if series.last_seq is not None and series.account.pending == 0:
                self.close()
                self._open_next(now_ns)
        for closing in [closing for closing in live.closing if not closing.thread.is_alive()]:
            live.closing.remove(closing)
            live.last_journal = closing.series.journal.health
            live.finished[closing.series.id] = closing.totals
            while len(live.finished) > REMEMBERED:
                live.finished.pop(next(iter(live.finished)))
            live.reply(closing.series.peer, closing.totals)
            live.outlet.tell(closing.totals)

    def tell_status(self) -> None:
        """Send every receiver a sign of life with the running account."""
        live = self._live
        if live.outlet.receivers:
            live.outlet.tell(self.status(live.series))

    def status(self, series: Series | None) -> Status:
        """Return the present state and account."""
        live = self._live
        state: State = "stopping" if live.stopping else "armed" if live.armed else "disarmed"
        if series is None:
            return Status("", state, 0, live.last_account)
        series.update_sent()
        series.account.undelivered = live.outlet.undelivered
        return Status(series.id, state, live.outlet.number, series.account)

    def close(self) -> None:
        """Close the open series, whose cells are all decided."""
        live = self._live
        series = live.series
        assert series is not None  # noqa: S101 - only an open series is closed
        series.update_sent()
        account = series.account
        account.undelivered = live.outlet.undelivered
        # The last word before the totals: from its number a receiver knows whether it has every message.
        live.outlet.tell(self.status(series))
        live.series = None
        live.awake.release()
        live.outlet.close_series()
        totals = Totals(series.id, series.ended, account, account.missing, series.journal.path.name)
        ending = Ending(
            totals=totals,
            classes=live.engine.bundle.classes,
            ways=live.gates.ways,
            plans=plans_of(live.config.way, live.config.actuator.drop_frequency_hz),
            timing=timing_of_meters(
                live.meters.latency_from_arrival.data(),
                live.meters.deadline_slack.data(),
                series.latency_before,
                series.slack_before,
            ),
            recording=None if live.recording is None else live.recording.close_series(series.ended),
        )
        thread = Thread(target=_finish, args=(series, ending), name=f"close {series.id}")
        thread.start()
        live.closing.append(Closing(series, totals, thread))
        live.last_account = account
        add_account(live.lifetime, account)
        series.deciders.add_to(live.decided_by)

    def _open(self, peer: bytes, start: Start, now_ns: int) -> None:
        live = self._live
        # Gate codes begin anew with each series: no cell of another is under way.
        live.gate_names, live.gate_first = live.gates.names, 0
        try:
            series = open_series(start, peer, now_ns, live, self._directory)
        except InputError as error:
            self._refuse(peer, start, error.field, error.found, error.expected, Rejection.REFUSED)
        live.series = series
        live.awake.hold()
        live.outlet.open_series(self.legend(series))
        if live.recording is not None:
            live.recording.open_series(describe_series(live, live.recording, series))
        live.reply(peer, self._accepted(series))

    def _open_next(self, now_ns: int) -> None:
        if self._next is None:
            return
        (peer, start), self._next = self._next, None
        try:
            self._open(peer, start, now_ns)
        except WireError as error:
            self._live.reject(error.reason, error)

    def _refuse(
        self, peer: bytes, start: Start, field: str, found: object, expected: str, reason: Rejection
    ) -> NoReturn:
        self._live.reply(peer, Refused(start.series, field, str(found), expected))
        raise WireError(reason, field, found, expected)

    def _silent(self, series: Series, now_ns: int) -> bool:
        # While the sender is kept waiting it cannot be heard either.
        return not self._live.backlog and now_ns - series.heard_ns > self._patience_ns

    def _accepted(self, series: Series) -> Accepted:
        live = self._live
        bundle = live.engine.bundle
        return Accepted(
            version=PROTOCOL_VERSION,
            series=series.id,
            schema=series.hash,
            bundle=bundle.manifest.name,
            bundle_sha256=bundle.sha256,
            classes=bundle.classes,
            ways=live.gates.ways,
            engine=live.engine.name,
            heartbeat_s=live.config.streamer.heartbeat_s,
        )

    def legend(self, series: Series) -> Legend:
        """Return what the codes in this series' records mean now."""
        live = self._live
        bundle = live.engine.bundle
        return Legend(
            version=PROTOCOL_VERSION,
            series=series.id,
            bundle=bundle.manifest.name,
            bundle_sha256=bundle.sha256,
            classes=bundle.classes,
            gates=live.gate_names,
            ways=live.gates.ways,
            reasons=REASON_LABELS,
            timebase=series.start.schema.timebase,
            sort_delay_us=series.sort_delay_us,
            actuation_lead_us=series.actuation_lead_us,
            number=0,
        )


def _finish(series: Series, ending: Ending) -> None:
    """Run in a thread of its own: closing waits for the disk, and the loop must not."""
    event: dict[str, object] = msgspec.to_builtins(ending.totals)
    series.journal.close(event)
    write_reports(series, ending)
