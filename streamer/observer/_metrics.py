"""A snapshot as Prometheus metrics. `docs/telemetry.md` lists them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import get_args

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from streamer.observer._feed import SnapshotFeed
from streamer.observer._health import is_fresh
from streamer.vocabulary import Account, Reason, Rejection
from streamer.wire import HistogramData, RecordingHealth, Snapshot, State

_REASONS = tuple(reason.label for reason in Reason if reason is not Reason.KEPT)
_REJECTIONS = tuple(rejection.value for rejection in Rejection)
_HISTOGRAMS = {
    "latency_from_arrival_seconds": "From a cell's arrival to its decision being sent.",
    "latency_from_trigger_seconds": "From a cell's trigger to its decision being sent.",
    "deadline_slack_seconds": "Time left before a cell's deadline when its decision was sent; negative is too late.",
    "batch_size_cells": "Cells per batch given to the engine.",
    "queue_depth_cells": "Cells waiting for the engine, seen when a batch was formed.",
    "engine_seconds": "Time a batch was on the engine.",
}


class SnapshotCollector(Collector):
    """Everything a feed knows, read anew at each scrape.

    What has been counted stays true when a streamer falls silent and is served on; what is (state, queue, receivers)
    is served only while the snapshot is fresh, so that no dashboard shows a dead streamer armed.
    """

    def __init__(self, feed: SnapshotFeed) -> None:
        self._feed = feed

    def describe(self) -> list[Metric]:
        """Return nothing: which families there are depends on the snapshot."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the metric families of the latest snapshot."""
        snapshot, age_s = self._feed.read()
        fresh = is_fresh(snapshot, age_s)
        yield from _of_feed(self._feed, age_s, fresh)
        yield _one_hot(snapshot.state if snapshot is not None and fresh else "unknown")
        if snapshot is None:
            return
        yield from _counted(snapshot.lifetime)
        yield from _named(snapshot)
        yield from _of_journal(snapshot)
        if snapshot.recording is not None:
            yield from _of_recording(snapshot.recording)
        for name, data in snapshot.histograms.items():
            yield _histogram(name, data)
        if fresh:
            yield from _present(snapshot)


def _of_feed(feed: SnapshotFeed, age_s: float, fresh: bool) -> Iterator[Metric]:
    yield _gauge("up", "1 while snapshots of the streamer come in.", fresh)
    yield _gauge("snapshot_age_seconds", "Time since the last snapshot; +Inf before the first.", age_s)
    yield _counter("snapshots_received", "Snapshots received by this observer.", feed.received)
    yield _counter("snapshots_undecodable", "Telemetry messages that were no snapshot.", feed.undecodable)
    yield _counter("snapshots_lost", "Snapshots published that did not reach this observer.", feed.lost)


def _counted(account: Account) -> Iterator[Metric]:
    yield _counter("cells_sent", "Cells the cytometer is known to have sent.", account.sent)
    yield _counter("cells_received", "Distinct cells accepted.", account.received)
    yield _counter("cells_decided", "Cells decided.", account.decided)
    yield _counter("cells_kept", "Cells decided to be kept.", account.kept)
    yield _counters("cells_not_kept", "Cells not kept, by reason.", "reason", _all(_REASONS, account.not_kept))
    # Gauges: a late cell takes one off the missing, a decision one off the pending.
    yield _gauge("cells_missing", "Cells sent but never accepted.", account.missing)
    yield _gauge("cells_pending", "Cells accepted and not yet decided.", account.pending)
    yield _counter("cells_duplicates", "Cells received again and set aside.", account.duplicates)
    yield _counter("cells_disordered", "Cells accepted after a cell of a higher seq.", account.disordered)
    yield _counter("messages", "Messages received on the cells socket, whatever became of them.", account.messages)
    rejected = _all(_REJECTIONS, account.rejected)
    yield _counters("messages_rejected", "Messages set aside, by reason.", "reason", rejected)
    help_text = "Decision messages that a subscribed receiver could not take."
    yield _counter("decision_messages_undelivered", help_text, account.undelivered)
    yield _gauge("account_balanced", "1 while the account since start adds up.", not account.balance())


def _named(snapshot: Snapshot) -> Iterator[Metric]:
    yield _counters("cells_by_class", "Decided cells, by class.", "class", snapshot.classes)
    yield _counters("cells_by_way", "Decided cells, by the way they were sent.", "way", snapshot.ways)
    bundle = {"bundle": snapshot.bundle, "bundle_sha256": snapshot.bundle_sha256, "engine": snapshot.engine}
    yield InfoMetricFamily("cellgate_bundle", "The bundle in use and the engine it runs on.", bundle)
    family = CounterMetricFamily(
        "cellgate_cells_by_bundle", "Decided cells, by the bundle in use.", labels=["bundle", "bundle_sha256"]
    )
    for count in snapshot.bundles:
        family.add_metric([count.bundle, count.bundle_sha256], count.cells)
    yield family
    yield _counter("engine_faults", "Batches that failed on the engine.", snapshot.engine_faults)
    yield _counter("engine_rebuilds", "Engines that took over from one out of order.", snapshot.engine_rebuilds)
    yield _counter("swaps", "Bundles that took over from another.", snapshot.swaps)
    yield InfoMetricFamily("cellgate_series", "The series now; empty between series.", {"series": snapshot.series})
    yield _gauge("start_time_seconds", "When the streamer was started (Unix time).", snapshot.started_ns / 1e9)


def _of_journal(snapshot: Snapshot) -> Iterator[Metric]:
    journal = snapshot.journal
    yield _counter("journal_records_handed", "Records handed to the journal.", journal.handed)
    yield _counter("journal_records_written", "Records written.", journal.written)
    yield _counter("journal_records_synced", "Records synced to disk.", journal.synced)
    yield _counter("journal_records_dropped", "Records the journal had to drop.", journal.dropped)
    yield _gauge("journal_fault", "1 while the journal has a fault.", bool(journal.fault))


def _of_recording(recording: RecordingHealth) -> Iterator[Metric]:
    yield _counter("frames_offered", "Cells whose frames were to be recorded.", recording.offered)
    yield _counter("frames_handed", "Of these handed to a recorder.", recording.handed)
    skipped = _all(("no_recorder", "behind"), recording.skipped)
    yield _counters("frames_skipped", "Handed to no recorder, by reason.", "reason", skipped)
    yield _counter("frames_recorded", "Written, as recorders say.", recording.recorded)
    yield _counter("frames_not_asked", "Handed over, and by their fate not asked for.", recording.not_asked)
    yield _counter("frames_lost", "Handed over, and never came.", recording.lost)
    dropped = _all(("undecided", "damaged", "disk"), recording.dropped)
    yield _counters("frames_dropped", "Dropped by a recorder, by reason.", "reason", dropped)
    yield _gauge("recorders", "1 while a recorder is connected.", bool(recording.recorder))


def _present(snapshot: Snapshot) -> Iterator[Metric]:
    yield _gauge("cells_waiting", "Cells in slots that wait for the engine.", snapshot.waiting)
    yield _gauge("cells_in_flight", "Cells on the engine.", snapshot.in_flight)
    yield _gauge("engine_out", "1 while no engine is in use and cells go to waste.", bool(snapshot.engine_out))
    yield _gauge("slots", "Slots there are for cells.", snapshot.slots)
    yield _gauge("receivers", "Subscribed decision receivers.", snapshot.receivers)
    account = snapshot.account
    terms = {name: getattr(account, name) for name in ("sent", "received", "pending", "decided", "kept", "missing")}
    terms["not_kept"] = sum(account.not_kept.values())
    series = GaugeMetricFamily("cellgate_series_cells", "Account of the current or last series.", labels=["term"])
    for term, value in terms.items():
        series.add_metric([term], value)
    yield series


def _gauge(name: str, help_text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"cellgate_{name}", help_text, float(value))


def _counter(name: str, help_text: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(f"cellgate_{name}", help_text, float(value))


def _counters(name: str, help_text: str, label: str, values: Mapping[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(f"cellgate_{name}", help_text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _all(labels: tuple[str, ...], counts: Mapping[str, int]) -> dict[str, int]:
    """Every label from the first scrape on: a rate needs the 0 before the first 1."""
    return dict.fromkeys(labels, 0) | dict(counts)


def _one_hot(state: str) -> GaugeMetricFamily:
    family = GaugeMetricFamily("cellgate_state", "1 for the state the streamer is in.", labels=["state"])
    for name in (*get_args(State), "unknown"):
        family.add_metric([name], float(name == state))
    return family


def _histogram(name: str, data: HistogramData) -> HistogramMetricFamily:
    """Return the family. Prometheus forbids `_sum` and `_count` where a bucket is negative, and so there are none."""
    bounds = [*(repr(float(edge)) for edge in data.edges), "+Inf"]
    buckets = list(zip(bounds, accumulate(data.counts), strict=True))
    help_text = _HISTOGRAMS.get(name, "A histogram of the streamer.")
    return HistogramMetricFamily(f"cellgate_{name}", help_text, buckets=buckets, sum_value=data.sum)
