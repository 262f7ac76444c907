"""The account of a journal, computed from its records and held against the totals the loop gave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamer.journal._deciders import deciders_of
from streamer.journal._reader import Journal
from streamer.journal._records import NO_DEADLINE, Records
from streamer.vocabulary import Account, Reason

MAX_GAPS = 1000


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What the records of one journal add up to."""

    series: str
    complete: bool
    ended: str
    """By what the series ended, as the totals say; empty without them."""
    account: Account
    """Of the records. `sent` is the highest seq + 1, or what the totals say where that is more."""
    totals: Account | None
    """As the loop gave it, None where the series was not closed."""
    disagreements: list[str]
    """What does not hold or does not agree; empty when all is well."""
    ways: dict[str, int]
    classes: dict[str, int]
    bundles: dict[str, int]
    """Decisions by the bundle that made them, by name and the beginning of its hash."""
    latency_us: dict[str, float]
    """Arrival to decision: `p50`, `p90`, `p99`, `p99.9`, `max`, each a latency that occurred; empty without records."""
    slack_us: dict[str, float]
    """Deadline minus decision: `min`, `p0.1`, `p1`, `p10`, `p50`; of the cells that had a deadline."""
    with_deadline: int
    deadline_misses: int
    """Decided after their deadline."""
    duration_s: float
    """First arrival to last decision."""
    rate_hz: float
    """Decisions per second of the duration."""
    gaps: list[tuple[int, int]]
    """Ranges of seq, both ends included, without a decision; the first `MAX_GAPS`."""
    gap_count: int
    missing: int
    """Cells in all gaps."""
    duplicates: int
    """Decisions of a cell already decided; never but by a bug."""
    dropped: int
    """Decisions the journal had to drop, as it says of itself."""
    torn_bytes: int
    damaged: int


def summarize(journal: Journal) -> Summary:
    """Compute the summary of a journal; cost and memory are those of sorting its seqs."""
    records, header = journal.decisions, journal.header
    given = _given_account(journal.totals)
    seqs = np.unique(records["seq"])
    sent = max(int(seqs[-1]) + 1 if len(seqs) else 0, given.sent if given else 0)
    account = _account(records, header.reasons, sent, len(seqs))
    gaps = _gaps(seqs, sent)
    latency = records["decided_ns"] - records["arrival_ns"]
    slack = records["slack_ns"][records["slack_ns"] != NO_DEADLINE]
    duration_s = (int(records["decided_ns"].max()) - int(records["arrival_ns"].min())) / 1e9 if len(records) else 0.0
    summary = Summary(
        series=header.series,
        complete=journal.complete,
        ended=str((journal.totals or {}).get("ended", "")),
        account=account,
        totals=given,
        disagreements=[],
        ways=_counts(records["way"], header.ways),
        classes=_counts(records["class_"], header.classes),
        bundles=_bundles(journal),
        latency_us=_percentiles(latency, {"p50": 50, "p90": 90, "p99": 99, "p99.9": 99.9, "max": 100}),
        slack_us=_percentiles(slack, {"min": 0, "p0.1": 0.1, "p1": 1, "p10": 10, "p50": 50}),
        with_deadline=len(slack),
        deadline_misses=int((slack < 0).sum()),
        duration_s=duration_s,
        rate_hz=len(records) / duration_s if duration_s > 0 else 0.0,
        gaps=[(first, last) for first, last in gaps[:MAX_GAPS].tolist()],
        gap_count=len(gaps),
        missing=account.missing,
        duplicates=len(records) - len(seqs),
        dropped=_told_dropped(journal),
        torn_bytes=journal.torn_bytes,
        damaged=len(journal.damaged),
    )
    summary.disagreements.extend(_disagreements(summary, journal))
    return summary


def label_of(labels: Sequence[str], code: int) -> str:
    """Return the label of a code, `none` for -1 and the code itself where there is no label."""
    if 0 <= code < len(labels):
        return labels[code]
    return "none" if code == -1 else f"code {code}"


def _account(records: Records, reasons: Sequence[str], sent: int, distinct: int) -> Account:
    not_kept = _counts(records["reason"][records["reason"] != Reason.KEPT], reasons)
    kept = int((records["reason"] == Reason.KEPT).sum())
    return Account(sent=sent, received=distinct, decided=len(records), kept=kept, not_kept=not_kept)


def _given_account(totals: dict[str, Any] | None) -> Account | None:
    if totals is None:
        return None
    try:
        return msgspec.convert(totals.get("account"), Account)
    except msgspec.ValidationError:
        return None


def _told_dropped(journal: Journal) -> int:
    told = [event.get("records") for event in journal.events if event["event"] == "dropped"]
    return sum(records for records in told if isinstance(records, int))


def _disagreements(summary: Summary, journal: Journal) -> list[str]:
    records, account, totals = journal.decisions, summary.account, summary.totals
    found = [f"records: {text}" for text in account.balance()]
    late = int(((records["reason"] == Reason.KEPT) & (records["slack_ns"] < 0)).sum())
    rules = (
        (summary.duplicates, f"{summary.duplicates} decisions of cells decided before"),
        (late, f"{late} cells kept after their deadline"),
        (summary.dropped, f"the journal dropped {summary.dropped} decisions"),
        (summary.damaged, f"{summary.damaged} damaged records"),
        (journal.broken_events, f"{journal.broken_events} events with pieces missing"),
        (summary.complete and totals is None, "the totals hold no account"),
    )
    found += [text for holds, text in rules if holds]
    if totals is None:
        return found
    found += [f"totals: {text}" for text in totals.balance()]
    pairs = {
        "sent": (account.sent, totals.sent),
        "decided": (account.decided, totals.decided),
        "kept": (account.kept, totals.kept),
    }
    for reason in sorted(account.not_kept.keys() | totals.not_kept.keys()):
        pairs[reason] = account.not_kept.get(reason, 0), totals.not_kept.get(reason, 0)
    found += [
        f"{name}: {ours} in the records, {theirs} in the totals"
        for name, (ours, theirs) in pairs.items()
        if ours != theirs
    ]
    return found


def _gaps(seqs: NDArray[np.uint64], sent: int) -> NDArray[np.uint64]:
    """Return the ranges of 0 to `sent` - 1 that are not in the sorted `seqs`, `(k, 2)`, both ends included."""
    one = np.uint64(1)
    first = np.concatenate([np.zeros(1, np.uint64), seqs + one])
    behind = np.concatenate([seqs, np.array([sent], np.uint64)])
    missing = first < behind
    return np.stack([first[missing], behind[missing] - one], axis=1)


def _counts(codes: NDArray[Any], labels: Sequence[str]) -> dict[str, int]:
    found, counts = np.unique(codes, return_counts=True)
    return {label_of(labels, code): count for code, count in zip(found.tolist(), counts.tolist(), strict=True)}


def _bundles(journal: Journal) -> dict[str, int]:
    known = deciders_of(journal)
    counts: dict[str, int] = {}
    codes, cells = np.unique(journal.decisions["bundle"], return_counts=True)
    for code, count in zip(codes.tolist(), cells.tolist(), strict=True):
        label = known[code].label if code in known else f"code {code}"
        counts[label] = counts.get(label, 0) + count
    return counts


def _percentiles(nanoseconds: NDArray[np.int64], which: dict[str, float]) -> dict[str, float]:
    if not len(nanoseconds):
        return {}
    values = np.percentile(nanoseconds, list(which.values()), method="inverted_cdf") / 1e3
    return dict(zip(which, values.tolist(), strict=True))
