"""The end-of-series report: one JSON file beside the journal."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from streamer.loop._log import logger
from streamer.loop._series import Series
from streamer.wire import Totals


def write_report(series: Series, totals: Totals, classes: tuple[str, ...], ways: tuple[str, ...]) -> Path | None:
    """Write `<series>.report.json` beside the journal; return its path, or None where the disk refused.

    The file appears whole or not at all.
    """
    elapsed = (time.time_ns() - series.started_unix_ns) * 1e-9
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
        "classes": dict(zip(classes, series.class_mix.tolist(), strict=True)),
        "ways": dict(zip(ways, series.way_mix.tolist(), strict=True)),
        "journal": msgspec.to_builtins(series.journal.health) | {"file": totals.journal},
        "info": series.start.info,
    }
    path = series.journal.path.with_suffix(".report.json")
    partial = path.with_suffix(".partial")
    try:
        partial.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
        partial.replace(path)
    except OSError as error:
        logger.error("%s: the report was not written: %s", path, error.strerror or error)
        return None
    return path
