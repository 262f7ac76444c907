"""The end-of-series reports beside the journal: one JSON file for programs, one page to print."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec

from streamer.loop._log import logger
from streamer.loop._series import Series
from streamer.report import SortReport, Timing, WayPlan, make_report, write_page
from streamer.wire import RecordingHealth, Totals


@dataclass(frozen=True)
class Ending:
    """What the loop knows when a series closes, handed to the thread that writes the reports."""

    totals: Totals
    classes: tuple[str, ...]
    ways: tuple[str, ...]
    plans: dict[str, WayPlan]
    timing: Timing | None
    recording: RecordingHealth | None = None


def write_reports(series: Series, ending: Ending) -> None:
    """Write `<series>.report.json` and `<series>.sort.html`; a disk that refuses is logged."""
    totals = ending.totals
    elapsed = (time.time_ns() - series.started_unix_ns) * 1e-9
    sort = make_report(
        series.header,
        series.tally,
        totals.account,
        elapsed_s=elapsed,
        ended=totals.ended,
        plans=ending.plans,
        timing=ending.timing,
    )
    path = series.journal.path
    try:
        _write_json(path.with_suffix(".report.json"), series, ending, sort, elapsed)
        write_page(sort, path.with_suffix(".sort.html"))
    except OSError as error:
        logger.error("%s: the report was not written: %s", path, error.strerror or error)


def _write_json(path: Path, series: Series, ending: Ending, sort: SortReport, elapsed: float) -> None:
    """Write the JSON report; the file appears whole or not at all."""
    totals = ending.totals
    account = totals.account
    report = {
        "series": series.id,
        "ended": totals.ended,
        "started_unix_ns": series.started_unix_ns,
        "elapsed_s": round(elapsed, 3),
        "cells_per_s": round(account.decided / elapsed, 1) if elapsed > 0 else 0.0,
        "account": msgspec.to_builtins(account),
        "missing": totals.missing,
        "account_errors": account.balance(),
        "classes": dict(zip(ending.classes, series.class_mix.tolist(), strict=True)),
        "ways": dict(zip(ending.ways, series.way_mix.tolist(), strict=True)),
        "bundles": [asdict(decider) for decider in series.deciders.all],
        "sort": msgspec.to_builtins(sort),
        "journal": msgspec.to_builtins(series.journal.health) | {"file": totals.journal},
        "recording": msgspec.to_builtins(ending.recording),
        "info": series.start.info,
    }
    partial = path.with_suffix(".partial")
    partial.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    partial.replace(path)
