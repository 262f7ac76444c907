"""What became of a load: per cell when it was planned, sent and decided, and whether the account adds up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from engines.errors import CellgateError
from streamer.simulator import percentiles
from streamer.vocabulary import Reason
from streamer.wire import Totals

UNSAVED = (Reason.LATE, Reason.OVERLOAD, Reason.ENGINE_FAULT, Reason.STOPPED, Reason.INCOMPLETE, Reason.CLOCK)
"""A cell that was decided for one of these reasons was given up, not classified."""


@dataclass(frozen=True)
class Outcome:
    """One load, cell by cell; every array is `(cells,)`, by seq.

    Attributes
    ----------
    planned_ns
        When its message was due; of a load that goes flat out, when it was sent.
    sent_ns
        When its message had been handed to the socket.
    received_ns
        When its decision was read, 0 where none came.
    reason
        The decision's reason code, 255 where none came.
    slack_us
        Its deadline minus the moment of the decision, as the decision says; of a bare server 0.
    deadline_ns
        When its decision had to be here: its sort time. 0 without one.
    totals
        The streamer's account; None of a bare server.
    steady_cells_per_s
        Decisions per second from the first message of them to the last.
    client_cpu_s
        Processor seconds of the clients themselves: a bench must not measure those.
    series
        Its name.
    """

    planned_ns: NDArray[np.int64]
    sent_ns: NDArray[np.int64]
    received_ns: NDArray[np.int64]
    reason: NDArray[np.uint8]
    slack_us: NDArray[np.int32]
    deadline_ns: NDArray[np.int64]
    totals: Totals | None
    steady_cells_per_s: float
    client_cpu_s: float
    series: str

    def __len__(self) -> int:
        return len(self.planned_ns)

    @property
    def decided(self) -> NDArray[np.bool_]:
        """Which cells a decision came for."""
        return self.received_ns > 0

    @property
    def missing(self) -> int:
        """How many cells no decision came for."""
        return len(self) - int(self.decided.sum())

    @property
    def in_time(self) -> NDArray[np.bool_]:
        """Which cells were classified and their decisions here before their sort time."""
        classified = self.decided & ~np.isin(self.reason, UNSAVED)
        on_time: NDArray[np.bool_] = classified & ((self.deadline_ns == 0) | (self.received_ns <= self.deadline_ns))
        return on_time

    @property
    def kept_late(self) -> int:
        """How many cells were kept after their deadline, which must never be."""
        return int((self.decided & (self.reason == Reason.KEPT) & (self.slack_us < 0)).sum())

    def latency_us(self) -> NDArray[np.float64]:
        """Return planned sending to receipt of the decision, of the cells that were decided."""
        decided = self.decided
        return (self.received_ns[decided] - self.planned_ns[decided]) / 1e3

    def span_s(self) -> float:
        """Return the seconds the load was planned to take."""
        return float(self.planned_ns.max() - self.planned_ns.min()) * 1e-9 if len(self) else 0.0

    def figures(self) -> dict[str, object]:
        """Return account and latencies as JSON-able values; times in microseconds."""
        latency = percentiles(self.latency_us())
        return {
            "sent": len(self),
            "decided": len(self) - self.missing,
            "missing": self.missing,
            "in_time": int(self.in_time.sum()),
            "missed": len(self) - int(self.in_time.sum()),
            "kept_late": self.kept_late,
            "account_errors": self.errors(),
            "latency_us": latency,
            "jitter_us": round(latency["p999"] - latency["p50"], 1) if latency else None,
            "sender_lateness_us": percentiles((self.sent_ns - self.planned_ns) / 1e3),
        }

    def errors(self) -> list[str]:
        """Return what does not add up: the streamer's account in itself, and against what came here."""
        found = []
        if self.totals is not None:
            account = self.totals.account
            found = account.balance()
            if account.sent != len(self):
                found.append(f"sent {len(self)}, but the streamer says {account.sent}")
            if account.decided + self.totals.missing != account.sent:
                found.append(f"decided {account.decided} + missing {self.totals.missing} is not {account.sent}")
            if account.decided != int(self.decided.sum()):
                found.append(f"decided {account.decided}, but decisions on {int(self.decided.sum())} came here")
        return found


def read_outcome(files: list[Path], cells: int, series: str) -> Outcome:
    """Put together what the senders have written; the first of them has the decisions."""
    planned, sent, received, deadline = (np.zeros(cells, np.int64) for _ in range(4))
    reason = np.full(cells, 255, np.uint8)
    cpu_s = 0.0
    for file in files:
        with np.load(file) as result:
            n = result["n"]
            cpu_s += float(result["cpu_s"])
            seqs = np.repeat(result["first"], n) + _within(n)
            planned[seqs], sent[seqs] = np.repeat(result["due_ns"], n), np.repeat(result["sent_ns"], n)
    with np.load(files[0]) as result:
        records, counts, moments = result["records"], result["received_n"], result["received_ns"]
        totals = msgspec.json.decode(result["totals"].tobytes(), type=Totals | None)
    seqs = records["seq"].astype(np.int64)
    if len(seqs) and (seqs.max() >= cells or len(np.unique(seqs)) != len(seqs)):
        raise CellgateError("bench: cells were decided twice, or ones that were never sent")
    received[seqs], reason[seqs] = np.repeat(moments, counts), records["reason"]
    slack = np.zeros(cells, np.int32)
    slack[seqs] = records["slack_us"]
    deadline[seqs] = records["actuate"].astype(np.int64)
    steady = 0.0
    if len(moments) > 1 and moments[-1] > moments[0]:
        steady = float(counts[1:].sum()) / float(moments[-1] - moments[0]) * 1e9
    return Outcome(planned, sent, received, reason, slack, deadline, totals, steady, cpu_s, series)


def _within(n: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return 0 … n-1 for each n, one after the other."""
    return np.arange(int(n.sum())) - np.repeat(np.cumsum(n) - n, n)
