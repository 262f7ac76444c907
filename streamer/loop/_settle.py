"""Settle cells: verdict, decision message, journal record, account and meters. No cell is decided elsewhere."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from engines.backends import Predictions
from streamer.decision import decide
from streamer.ingest import Facts
from streamer.journal import record_dtype
from streamer.loop._live import Live
from streamer.loop._series import NO_DEADLINE, Series, slack_us
from streamer.vocabulary import Reason
from streamer.wire import DECISION, NO_CLASS, NO_GATE


def settle_classified(live: Live, series: Series, facts: Facts, predictions: Predictions) -> None:
    """Decide on cells the engine has answered for.

    The clock is read here, last thing before the verdict, and the margin covers the way from here to the socket: what
    cannot leave before its deadline is `late`.
    """
    config = live.config
    margin_ns = int(config.timing.publish_margin_us * 1000)
    timed = series.deadline_after_ns is not None
    now = time.monotonic_ns()
    verdicts = decide(
        predictions.probabilities,
        facts["deadline_ns"] - now >= margin_ns if timed else None,
        live.gates,
        min_confidence=config.decision.min_confidence,
        armed=live.armed and not _journal_disarms(live, series),
    )
    records = _records(series, facts, now)
    records["class_"] = verdicts.class_
    records["confidence"] = verdicts.confidence
    records["gate"] = verdicts.gate
    records["way"] = verdicts.way
    records["reason"] = verdicts.reason
    live.outlet.publish(series.id, records)
    counts = np.bincount(verdicts.class_, minlength=len(live.class_totals))
    live.class_totals += counts
    series.class_mix += counts
    ways = np.bincount(verdicts.way, minlength=len(live.way_totals))
    live.way_totals += ways
    series.way_mix += ways
    _book(live, series, facts, records, predictions, now)


def settle_unclassified(live: Live, series: Series, facts: Facts, reason: Reason) -> None:
    """Send cells to waste that never came out of the engine: incomplete, shed, faulted or stopped."""
    now = time.monotonic_ns()
    records = _records(series, facts, now)
    records["class_"] = NO_CLASS
    records["gate"] = NO_GATE
    records["reason"] = reason
    live.outlet.publish(series.id, records)
    live.way_totals[0] += len(records)
    series.way_mix[0] += len(records)
    _book(live, series, facts, records, None, now)


def _records(series: Series, facts: Facts, now: int) -> NDArray[np.void]:
    records = np.zeros(len(facts), DECISION)
    records["seq"] = facts["seq"]
    records["ticks"] = facts["ticks"]
    if series.sort_delay_us is not None:
        records["actuate"] = facts["ticks"] + np.uint64(series.sort_delay_ticks)
    records["slack_us"] = slack_us(facts["deadline_ns"], now)
    return records


def _book(
    live: Live,
    series: Series,
    facts: Facts,
    records: NDArray[np.void],
    predictions: Predictions | None,
    now: int,
) -> None:
    entries = np.zeros(len(records), record_dtype(len(live.class_totals)))
    for name in ("seq", "ticks", "way", "reason", "gate", "class_"):
        entries[name] = records[name]
    entries["arrival_ns"] = facts["arrival_ns"]
    entries["decided_ns"] = now
    entries["slack_ns"] = np.where(facts["deadline_ns"] == NO_DEADLINE, NO_DEADLINE, facts["deadline_ns"] - now)
    entries["probabilities"] = np.nan if predictions is None else predictions.probabilities
    series.journal.append(entries)
    series.count_decided(records["reason"])
    timed = facts["deadline_ns"] if series.deadline_after_ns is not None else None
    live.meters.decided(now, facts["arrival_ns"], facts["trigger_ns"], timed)


def _journal_disarms(live: Live, series: Series) -> bool:
    return live.config.journal.on_fault == "disarm" and bool(series.journal.health.fault)
