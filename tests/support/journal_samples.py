"""Headers, records and small helpers that the journal's tests share."""

import time
from collections.abc import Callable

import numpy as np

from streamer.journal import NO_DEADLINE, JournalHeader, JournalWriter, record_dtype
from streamer.vocabulary import Account, Reason
from streamer.wire import Schema


def make_header(classes: int = 3, /, **changes: object) -> JournalHeader:
    fields: dict[str, object] = {
        "series": "s1",
        "started_unix_ns": 1_700_000_000_000_000_000,
        "started_monotonic_ns": 1_000_000,
        "schema": Schema(channels=("BF", "SSC"), dtype="uint16", timebase=(1, 1_000_000), shape=(64, 64)),
        "info": {"operator": "AB"},
        "bundle": "leukocytes",
        "bundle_sha256": "ab" * 32,
        "engine": "test",
        "classes": tuple(f"class{number}" for number in range(classes)),
        "gates": ("bright",),
        "ways": ("waste", "left", "right"),
        "sort_delay_us": 5000.0,
        "actuation_lead_us": 200.0,
        "config": {"gates": [{"name": "bright"}]},
        "software": "cellgate 0.1.0",
    }
    return JournalHeader(**(fields | changes))


def make_records(n: int, classes: int = 3, start: int = 0) -> np.ndarray:
    """Cells `start` to `start + n - 1`: every third kept to the left, the others not in a gate; 1 ms latency."""
    records = np.zeros(n, record_dtype(classes))
    seq = np.arange(start, start + n)
    kept = seq % 3 == 0
    records["seq"] = seq
    records["ticks"] = seq * 100
    records["arrival_ns"] = 2_000_000 + seq * 100_000
    records["decided_ns"] = records["arrival_ns"] + 1_000_000
    records["slack_ns"] = np.where(seq % 2 == 0, 500_000, NO_DEADLINE)
    records["way"] = kept
    records["reason"] = np.where(kept, Reason.KEPT, Reason.NOT_IN_GATE)
    records["gate"] = np.where(kept, 0, -1)
    records["class_"] = seq % classes
    records["probabilities"] = 1 / classes
    return records


def make_totals(n: int, **changes: object) -> dict[str, object]:
    kept = -(-n // 3)
    account = Account(sent=n, received=n, decided=n, kept=kept, not_kept={"not_in_gate": n - kept})
    fields = {name: getattr(account, name) for name in account.__struct_fields__}
    return {"ended": "end", "account": fields | changes}


def write_journal(path, n: int = 10, classes: int = 3, totals: dict[str, object] | None = None) -> None:
    with JournalWriter(path, make_header(classes)) as writer:
        writer.append(make_records(n, classes))
        writer.close(totals)


def wait_until(holds: Callable[[], bool], patience_s: float = 60) -> None:
    give_up_at = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < give_up_at, "it never came to hold"
        time.sleep(0.005)
