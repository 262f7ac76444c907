"""What a recorded file says of itself: attributes of its root."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from engines.cells import FRAMES_FORMAT, FRAMES_VERSION, RECORDED
from streamer.recorder._choice import Choice
from streamer.wire import Handed, Recording, Taken

UNHEARD = "unheard"
"""How a series ended whose end was not heard: the streamer was lost, or the recorder stopped before."""


def about(recording: Recording, choice: Choice) -> dict[str, str | int | float]:
    """Return what is known when the series begins."""
    attributes: dict[str, str | int | float] = {
        "format": FRAMES_FORMAT,
        "version": FRAMES_VERSION,
        "series": recording.series,
        "started": datetime.fromtimestamp(recording.started_unix_ns / 1e9, UTC).isoformat(timespec="milliseconds"),
        "labels_are": f"predictions of bundle {recording.bundle}, not ground truth",
        "frames_are": f"raw counts as the engine got them: its channels, its size ({recording.fit})",
        "bundle": recording.bundle,
        "bundle_sha256": recording.bundle_sha256,
        "engine": recording.engine,
        "software": recording.software,
        "offered_are": Choice(recording.what, recording.fraction, recording.seed).text,
        "recorded_are": f"of these: {choice.text}",
        "schema": _json(recording.schema),
        "info": _json(recording.info),
        "actuation_lead_us": recording.actuation_lead_us,
        "ended": UNHEARD,
        **codes(recording),
    }
    if recording.sort_delay_us is not None:
        attributes["sort_delay_us"] = recording.sort_delay_us
    pixel = _number(recording.info.get("pixel_um", ""))
    if pixel is not None:
        attributes["pixel_um"] = pixel
    return attributes


def codes(recording: Recording) -> dict[str, str]:
    """Return what the numbers in `facts/gate`, `way` and `reason` mean: JSON lists. They grow within a series."""
    return {name: _json(getattr(recording, name)) for name in ("gates", "ways", "reasons")}


def account_of(handed: Handed, taken: Taken, earlier: int, received: int) -> dict[str, int]:
    """Return what has become of the cells that were to be recorded: `offered` is the sum of all the others.

    Parameters
    ----------
    earlier
        Cells of the series handed over before this file was opened.
    received
        Cells that have come.
    """
    dropped = {reason: taken.dropped.get(reason, 0) for reason in ("undecided", "damaged", "disk")}
    return {
        "offered": handed.offered,
        RECORDED: taken.recorded,
        **{f"skipped_{reason}": handed.skipped.get(reason, 0) for reason in ("no_recorder", "behind")},
        "handed_earlier": earlier,
        "not_asked": taken.not_asked,
        "lost": taken.lost,
        **{f"dropped_{reason}": count for reason, count in dropped.items()},
        "under_way": received - taken.recorded - taken.not_asked - sum(dropped.values()),
    }


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value < float("inf") else None


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
