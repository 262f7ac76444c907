"""What a run amounts to: the account, the latencies and the accuracy, from the journal and the plan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engines.cells import Cells
from streamer.journal import Journal, read_journal
from streamer.simulator import Plan, SendReport, percentiles


def score_run(path: Path, cells: Cells, plan: Plan, sent: SendReport) -> dict[str, object]:
    """Return the run's figures as JSON-able values; latencies are in microseconds.

    Classes are scored for cells that have a label and came out of the engine, late ones too: what is scored is the
    network, not the timing.
    """
    journal = read_journal(path)
    totals = sent.totals
    account = totals.account
    records = journal.decisions
    arrival = (records["decided_ns"] - records["arrival_ns"]) / 1e3
    trigger = (records["decided_ns"] - records["ticks"].astype(np.int64)) / 1e3
    from_trigger = percentiles(trigger)
    span = float(records["decided_ns"].max() - records["arrival_ns"].min()) * 1e-9 if len(records) > 1 else 0.0
    return {
        "sent": account.sent,
        "received": account.received,
        "missing": totals.missing,
        "duplicates": account.duplicates,
        "rejected": sum(account.rejected.values()),
        "rejected_by_reason": account.rejected,
        "decided": account.decided,
        "kept": account.kept,
        "not_kept": account.not_kept,
        "account_errors": account.balance(),
        "journal_records": len(records),
        "kept_after_deadline": int(((records["reason"] == 0) & (records["slack_ns"] < 0)).sum()),
        "cells_per_s": round(account.decided / span, 1) if span > 0 else 0.0,
        "latency_us": {**from_trigger, "from_trigger": from_trigger, "from_arrival": percentiles(arrival)},
        "ways": _counts(journal.header.ways, records["way"]),
        "classes": list(journal.header.classes),
        **_accuracy(journal, cells, plan),
    }


def _accuracy(journal: Journal, cells: Cells, plan: Plan) -> dict[str, object]:
    names = journal.header.classes
    records = journal.decisions
    if cells.labels is None:
        return {"accuracy": None, "balanced_accuracy": None, "confusion": None, "scored": 0}
    # The bundle's classes need not be the file's, nor in its order: they are matched by name.
    to_bundle = np.array([names.index(name) if name in names else -1 for name in cells.classes] + [-1])
    truth = to_bundle[cells.labels[plan.cell[records["seq"].astype(np.int64)]]]
    found = records["class_"].astype(np.int64)
    known = (truth >= 0) & (found >= 0)
    confusion = np.zeros((len(names), len(names)), np.int64)
    np.add.at(confusion, (truth[known], found[known]), 1)
    total = int(confusion.sum())
    rows = confusion.sum(1)
    recalls = confusion.diagonal()[rows > 0] / rows[rows > 0]
    return {
        "accuracy": round(float(confusion.trace() / total), 4) if total else None,
        "balanced_accuracy": round(float(recalls.mean()), 4) if total else None,
        "confusion": confusion.tolist(),
        "scored": total,
    }


def _counts(names: tuple[str, ...], codes: NDArray[np.generic]) -> dict[str, int]:
    return dict(zip(names, np.bincount(codes.astype(np.int64), minlength=len(names)).tolist(), strict=False))
