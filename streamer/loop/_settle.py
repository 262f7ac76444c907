"""Settle cells: from verdict to decision message, journal record, account and meters. No cell is decided elsewhere."""

from __future__ import annotations

import time

import numpy as np

from engines.backends import Predictions
from streamer.decision import decide, decide_one
from streamer.ingest import Facts
from streamer.journal import Records
from streamer.loop._entries import entries_of, entry_of_one
from streamer.loop._live import Live
from streamer.loop._rows import Rows, classified_rows, unclassified_rows
from streamer.loop._series import Series, slack_us, slack_us_one
from streamer.vocabulary import Reason
from streamer.wire import DECISION

FEW = 3
"""So many cells of a batch are settled one by one: what it costs to settle them together hardly depends on how many."""


def settle_classified(live: Live, series: Series, facts: Facts, predictions: Predictions) -> None:
    """Decide on cells the engine has answered for; those that are wanted may have to wait for their sort windows.

    The clock is read here, last thing before the verdict, and the margin covers the way from here to the socket: what
    cannot leave before its deadline is `late`.
    """
    config = live.config
    margin_ns = int(config.timing.publish_margin_us * 1000)
    if len(facts) <= FEW and series.sorting is None:
        for at in range(len(facts)):
            _settle_one(live, series, facts[at : at + 1], _one(predictions, at), margin_ns)
        return
    now = time.monotonic_ns()
    verdicts = decide(
        predictions,
        facts["deadline_ns"] - now >= margin_ns if series.deadline_after_ns is not None else None,
        live.gates,
        min_confidence=config.decision.min_confidence,
        armed=is_armed(live, series),
        max_unfamiliarity=config.decision.max_unfamiliarity,
    )
    rows = classified_rows(facts, verdicts, predictions.probabilities)
    if series.deciders.code:
        rows["bundle"] = series.deciders.code
    if live.gate_first:
        rows["gate"][verdicts.gate >= 0] += live.gate_first
    if series.sorting is None:
        publish(live, series, rows, now)
        return
    unwanted = series.sorting.take(rows)
    if len(unwanted):
        publish(live, series, unwanted, now)
    release(live, series)


def _settle_one(live: Live, series: Series, facts: Facts, predictions: Predictions, margin_ns: int) -> None:
    """Decide on a lone cell, the usual batch of light load, and send its decision before anything is written down."""
    config = live.config.decision
    seq, ticks, trigger_ns, arrival_ns, deadline_ns = facts.item(0)
    now = time.monotonic_ns()
    verdict = decide_one(
        predictions,
        deadline_ns - now < margin_ns,
        live.gates,
        min_confidence=config.min_confidence,
        armed=is_armed(live, series),
        max_unfamiliarity=config.max_unfamiliarity,
    )
    if verdict.gate >= 0 and live.gate_first:
        verdict = verdict._replace(gate=verdict.gate + live.gate_first)
    class_, confidence, gate, way, reason = verdict
    actuate = 0 if series.sort_delay_us is None else (ticks + series.sort_delay_ticks) % 2**64
    slack = slack_us_one(deadline_ns, now)
    live.outlet.publish(
        series.id, np.array([(seq, ticks, actuate, class_, gate, way, reason, 0, confidence, slack)], DECISION)
    )
    _write_down(live, series, entry_of_one(facts, verdict, predictions.probabilities, series.deciders.code, now))
    if class_ >= 0:
        live.class_totals[class_] += 1
        series.class_mix[class_] += 1
    live.way_totals[way] += 1
    series.way_mix[way] += 1
    series.count_decided_one(reason)
    series.deciders.count_one()
    timed = deadline_ns if series.deadline_after_ns is not None else None
    live.meters.decided_one(now, arrival_ns, trigger_ns, timed)


def settle_unclassified(live: Live, series: Series, facts: Facts, reason: Reason) -> None:
    """Send cells to waste that never came out of the engine: incomplete, shed, faulted or stopped."""
    rows = unclassified_rows(facts, reason, len(live.class_totals))
    if series.deciders.code:
        rows["bundle"] = series.deciders.code
    if series.sorting is not None:
        rows = series.sorting.take(rows)
    publish(live, series, rows, time.monotonic_ns())


def release(live: Live, series: Series) -> None:
    """Publish the wanted cells whose sort windows have told what becomes of them."""
    if series.sorting is None or not series.sorting.due:
        return
    now = time.monotonic_ns()
    rows = series.sorting.release(now, armed=is_armed(live, series))
    if len(rows):
        publish(live, series, rows, now)


def is_armed(live: Live, series: Series) -> bool:
    """Tell whether a wanted cell may be kept: armed, and the journal in order where that is asked for."""
    return live.armed and not (live.config.journal.on_fault == "disarm" and series.journal.health.fault)


def publish(live: Live, series: Series, rows: Rows, now: int) -> None:
    """Send the decisions on these cells, write them down and count them."""
    records = np.zeros(len(rows), DECISION)
    for name in ("seq", "ticks", "class_", "gate", "way", "reason", "confidence"):
        records[name] = rows[name]
    if series.sort_delay_us is not None:
        records["actuate"] = rows["ticks"] + np.uint64(series.sort_delay_ticks)
    records["slack_us"] = slack_us(rows["deadline_ns"], now)
    live.outlet.publish(series.id, records)
    _write_down(live, series, entries_of(rows, len(live.class_totals), now))
    _count(live, series, rows, now)


def _one(predictions: Predictions, at: int) -> Predictions:
    if len(predictions.probabilities) == 1:
        return predictions
    here = slice(at, at + 1)
    probabilities, embedding = predictions.probabilities[here], predictions.embedding[here]
    return Predictions(probabilities, embedding, predictions.measurements[here], predictions.seconds)


def _write_down(live: Live, series: Series, entries: Records) -> None:
    series.journal.append(entries)
    series.tally.add(entries)
    if live.recording is not None:
        live.recording.decided(entries)


def _count(live: Live, series: Series, rows: Rows, now: int) -> None:
    classes = rows["class_"]
    counts = np.bincount(classes[classes >= 0], minlength=len(live.class_totals))
    live.class_totals += counts
    series.class_mix += counts
    ways = np.bincount(rows["way"], minlength=len(live.way_totals))
    live.way_totals += ways
    series.way_mix += ways
    series.count_decided(rows["reason"])
    series.deciders.count(rows)
    timed = rows["deadline_ns"] if series.deadline_after_ns is not None else None
    live.meters.decided(now, rows["arrival_ns"], rows["trigger_ns"], timed)
