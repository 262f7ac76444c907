"""The loop's end of recording: frames handed to whoever records them, or skipped and counted; it never waits."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np
import zmq
from numpy.typing import NDArray

from streamer.ingest import SlotPool, Slots
from streamer.journal import Records
from streamer.recorder._choice import Choice
from streamer.recorder._peer import Peer
from streamer.recorder._told import Told
from streamer.vocabulary import Rejection
from streamer.wire import (
    PROTOCOL_VERSION,
    Ended,
    Frames,
    Handed,
    Heartbeat,
    Record,
    Recording,
    RecordingHealth,
    SeriesEnd,
    Taken,
    WireError,
    decode_from_recorder,
    encode,
    send_to,
    serve_waiting,
)

_MOST = 100
"""Messages heard at a time."""

NO_RECORDER, BEHIND = "no_recorder", "behind"
REMEMBERED = 16
"""How many closed series' ends are kept, for a recorder that was away when they came."""


class Handover:
    """Hands classified cells, their frames and decisions, to one recorder.

    Frames go when their batch has been settled, because their slots are needed again; a cell that then waits for its
    sort window is decided later, and its decision follows. What the recorder has not taken yet is bounded in bytes,
    and cells beyond that are skipped.

    Parameters
    ----------
    socket
        A bound ROUTER socket with `ROUTER_MANDATORY` set, so that a recorder that has gone is known.
    idle
        What a recorder is told between two series: what is handed over, and how.
    """

    def __init__(self, socket: zmq.Socket[bytes], idle: Recording) -> None:
        self._socket = socket
        self.idle = self._recording = idle
        self._choice = Choice(idle.what, idle.fraction, idle.seed)
        self._peer: Peer | None = None
        self._fresh: list[Records] = []
        self._open: set[int] = set()
        """Handed over, and not decided yet."""
        self._account = Handed()
        self._before = Handed()
        self._told = Told()
        self._ends: dict[str, bytes] = {}

    def open_series(self, recording: Recording) -> None:
        """Tell the recorder what the frames of the coming series are."""
        self._account = Handed(recording.series)
        self._fresh.clear()
        self._open.clear()
        self.describe(recording)

    def describe(self, recording: Recording) -> None:
        """Tell the recorder what has changed in the open series."""
        self._recording = recording
        self._tell_recording()

    def close_series(self, ended: Ended) -> RecordingHealth:
        """Tell the recorder that no more cells of the series will come; return what has become of those that did.

        The recorder is usually a little behind then: what it says of the last ones is still to come.
        """
        health = self._health(self._account, self._told.of(self._account.series))
        end = encode(SeriesEnd(ended, self._account))
        self._ends[self._account.series] = end
        while len(self._ends) > REMEMBERED:
            self._ends.pop(next(iter(self._ends)))
        _add(self._before, self._account)
        self._tell(end)
        self._account, self._recording = Handed(), self.idle
        self._fresh.clear()
        self._open.clear()
        return health

    def decided(self, records: Records) -> None:
        """Take note of what became of cells; `hand_over` follows for those that are settled with their batch."""
        if not len(records) or records["class_"][0] < 0:  # cells without an answer of the engine come by themselves
            return
        if self._open:
            mine = np.fromiter((seq in self._open for seq in records["seq"].tolist()), np.bool_, len(records))
            if mine.any():
                fates = records[mine]
                self._open.difference_update(fates["seq"].tolist())
                header = encode(Frames(0, len(fates), self._account))
                self._tell(header, fates.data, b"", b"")
                records = records[~mine]
                if not len(records):
                    return
        self._fresh.append(records)

    def hand_over(self, pool: SlotPool, slots: Slots) -> None:
        """Hand over those cells of a settled batch that are asked for; its slots are not needed any more after this."""
        if self._peer is None and self._choice.what == "all":  # nobody looks at what these cells are
            self._fresh.clear()
            self._account.offered += len(slots)
            self._skip(NO_RECORDER, len(slots))
            return
        seqs = pool.facts["seq"][slots]
        records = self._settled(seqs)
        asked = self._asked(seqs, records)
        if asked is not None:
            slots, seqs = slots[asked], seqs[asked]
            records = records[asked] if len(records) == len(asked) else records[np.isin(records["seq"], seqs)]
        n = len(slots)
        if not n:
            return
        account, peer = self._account, self._peer
        account.offered += n
        size = n * pool.frames[0].nbytes + records.nbytes
        if peer is None or not peer.has_room(size):
            self._skip(NO_RECORDER if peer is None else BEHIND, n)
            return
        account.handed += n
        header = encode(Frames(n, len(records), account))
        if self._tell(header, records.data, seqs.data, pool.gather(slots).data):
            peer.sent(size)
            if len(records) < n:
                self._open.update(seqs.tolist())
                self._open.difference_update(records["seq"].tolist())
        else:
            account.handed -= n
            self._skip(NO_RECORDER, n)

    def serve(self, now_ns: int) -> list[WireError]:
        """Handle what has come from recorders; return what was wrong with it, for the log."""
        return serve_waiting(self._socket, _MOST, lambda peer, header: self._handle(peer, header, now_ns))

    def health(self) -> RecordingHealth:
        """Return what has become of the cells since the start."""
        total = msgspec.structs.replace(self._before, skipped=dict(self._before.skipped))
        _add(total, self._account)
        return self._health(total, self._told.total())

    def _health(self, handed: Handed, told: Taken) -> RecordingHealth:
        return RecordingHealth(
            what=self.idle.what,
            recorder="" if self._peer is None else self._peer.name,
            offered=handed.offered,
            handed=handed.handed,
            skipped=dict(handed.skipped),
            recorded=told.recorded,
            not_asked=told.not_asked,
            lost=told.lost,
            dropped=dict(told.dropped),
        )

    def _settled(self, seqs: NDArray[np.uint64]) -> Records:
        """Return the records of these cells, of those that are decided; of all of them in the order of the cells."""
        fresh, self._fresh = self._fresh, []
        if not fresh:
            return _NO_RECORDS
        records = fresh[0] if len(fresh) == 1 else np.concatenate(fresh)
        if len(records) == len(seqs) and (records["seq"] == seqs).all():
            return records
        # Also there may be cells that waited for their windows and had been skipped.
        mine: Records = records[np.isin(records["seq"], seqs)]
        if len(mine) < len(seqs):
            return mine
        # Some were settled at once and some by the sort stage: one after the other, but both with their batch.
        in_order: Records = mine[np.argsort(mine["seq"])][np.argsort(np.argsort(seqs))]
        return in_order

    def _asked(self, seqs: NDArray[np.uint64], records: Records) -> NDArray[np.bool_] | None:
        if not self._choice.by_fate:
            return self._choice.of_seqs(seqs)
        if not len(records):
            return None
        right = self._choice.of_fates(records["reason"])
        if len(records) == len(seqs):
            return right
        # A cell whose fate is open may yet be kept.
        return ~np.isin(seqs, records["seq"][~right])

    def _skip(self, reason: str, n: int) -> None:
        skipped = self._account.skipped
        skipped[reason] = skipped.get(reason, 0) + n

    def _handle(self, identity: bytes, header: bytes, now_ns: int) -> None:
        message = decode_from_recorder(header)
        peer = self._peer
        if isinstance(message, Record):
            self._welcome(identity, message, now_ns)
        elif peer is not None and peer.identity == identity:
            peer.heard_ns = now_ns
            if isinstance(message, Taken):
                peer.took(message.bytes)
                self._told.take(peer.token, message)
            elif isinstance(message, Heartbeat):
                self._tell(encode(self._account))
            else:
                self._leave()

    def _welcome(self, identity: bytes, message: Record, now_ns: int) -> None:
        if message.version != PROTOCOL_VERSION:
            raise WireError(Rejection.UNKNOWN_VERSION, "version", message.version, str(PROTOCOL_VERSION))
        peer = self._peer
        if peer is not None and peer.token != message.token and not peer.silent(now_ns) and self._is_there(peer):
            raise WireError(Rejection.REFUSED, "recorder", f"{peer.name!r} is recording", "no other recorder")
        self._leave()
        self._peer = Peer(identity, message.name, message.token, self.idle, now_ns)
        if message.series != self._account.series and message.series in self._ends:
            self._tell(self._ends[message.series])
        self._tell_recording()

    def _is_there(self, peer: Peer) -> bool:
        return send_to(self._socket, peer.identity, (encode(self._account),))

    def _leave(self) -> None:
        self._peer = None
        self._open.clear()  # whoever comes next knows nothing of these cells

    def _tell_recording(self) -> None:
        self._tell(encode(msgspec.structs.replace(self._recording, account=self._account)))

    def _tell(self, *parts: bytes | memoryview) -> bool:
        """Send the recorder a message; one that cannot take it has gone, or is as good as gone."""
        if self._peer is None:
            return False
        if send_to(self._socket, self._peer.identity, parts):
            return True
        self._leave()
        return False


def _add(total: Handed, part: Handed) -> None:
    total.offered += part.offered
    total.handed += part.handed
    _add_counts(total.skipped, part.skipped)


def _add_counts(total: dict[str, int], part: Mapping[str, int]) -> None:
    for key, value in part.items():
        total[key] = total.get(key, 0) + value


_NO_RECORDS: Records = np.zeros(0, [("seq", "<u8"), ("reason", "u1")])
