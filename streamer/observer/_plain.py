"""A snapshot as one line of `key=value` pairs in ASCII, for logs and simple terminals."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from streamer.observer._format import printable
from streamer.observer._health import complaints, is_fresh
from streamer.observer._moment import Moment
from streamer.observer._percentiles import histogram_percentile
from streamer.wire import HistogramData, Snapshot


def plain_line(snapshot: Snapshot | None, previous: Snapshot | None, *, age_s: float) -> str:
    """Return the line. Rates are per second and of now, counts are of the series, times in microseconds."""
    if snapshot is None:
        return "state=unknown snapshot=none"
    fresh, account = is_fresh(snapshot, age_s), snapshot.account
    moment = Moment.of(snapshot, previous if fresh else None)
    latency, slack = moment.recent("latency_from_arrival_seconds"), moment.recent("deadline_slack_seconds")
    pairs: dict[str, object] = {
        "time": f"{datetime.fromtimestamp(snapshot.time_ns / 1e9, UTC):%Y-%m-%dT%H:%M:%SZ}",
        "state": snapshot.state if fresh else "unknown",
        "age_s": f"{age_s:.1f}",
        "series": printable(snapshot.series) or "-",
        **{f"{term}_per_s": _rate(moment.rate(term)) for term in ("received", "decided", "kept")},
        "p50_us": _micros(latency, 50),
        "p99_us": _micros(latency, 99),
        "slack_p1_us": _micros(slack, 1),
        "waiting": snapshot.waiting,
        "in_flight": snapshot.in_flight,
        **{term: getattr(account, term) for term in ("sent", "decided", "pending", "missing", "kept")},
        "not_kept": sum(account.not_kept.values()),
        "rejected": sum(account.rejected.values()),
        "journal_behind": snapshot.journal.handed - snapshot.journal.synced - snapshot.journal.dropped,
    }
    if snapshot.recording is not None:
        pairs["recorder"] = printable(snapshot.recording.recorder) or "-"
        pairs["frames_recorded"] = snapshot.recording.recorded
        pairs["frames_skipped"] = sum(snapshot.recording.skipped.values())
    wrong = "; ".join(printable(text, 200) for text in complaints(snapshot, age_s))
    line = " ".join(f"{key}={value}" for key, value in pairs.items())
    line += f' health=failing reasons="{wrong}"' if wrong else " health=ok"
    return line.encode("ascii", "replace").decode("ascii")


def _rate(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}"


def _micros(data: HistogramData | None, q: float) -> str:
    """Return a percentile in µs; one beyond the edges reads `>50000`."""
    value = math.nan if data is None else histogram_percentile(data, q)
    if math.isnan(value) or data is None:
        return "-"
    if math.isinf(value):
        sign, edge = (">", -1) if value > 0 else ("<", 0)
        return f"{sign}{data.edges[edge] * 1e6:.0f}" if data.edges else "-"
    return f"{value * 1e6:.0f}"
