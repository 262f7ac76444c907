"""What is written beside each frame: the decision on the cell, as numbers that the readers hand out as facts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engines.cells import fact_name
from streamer.journal import NO_DEADLINE, Records
from streamer.wire import Recording

MOST_PROBABILITIES = 64
"""Of more classes than these only the confidence is kept: each would be an array of its own in the file."""

Columns = dict[str, NDArray[np.generic]]
"""One value per cell, by path in the file."""


def columns_of(records: Records, recording: Recording) -> Columns:
    """Return the columns of decided cells.

    `labels` is the class decided on, a prediction. Times are those of a result table: `trigger_s` seconds since the
    start of the series by the cytometer's counter, `arrival_ns` and `decided_ns` since then by the streamer's clock;
    without a deadline `slack_us` is NaN.
    """
    assert recording.schema is not None  # noqa: S101 - a series has one
    numerator, denominator = recording.schema.timebase
    ticks = (records["ticks"] - np.uint64(recording.start_ticks)).astype(np.int64)
    probabilities = records["probabilities"]
    slack = records["slack_ns"]
    start = recording.started_monotonic_ns
    class_ = records["class_"]
    columns: Columns = {
        "labels": class_,
        "trigger_s": ticks * float(numerator) / float(denominator),
        "facts/seq": records["seq"],
        "facts/trigger_ticks": records["ticks"],
        "facts/arrival_ns": records["arrival_ns"] - start,
        "facts/decided_ns": records["decided_ns"] - start,
        "facts/latency_us": (records["decided_ns"] - records["arrival_ns"]) / 1e3,
        "facts/slack_us": np.where(slack == NO_DEADLINE, np.nan, slack / 1e3),
        "facts/way": records["way"],
        "facts/gate": records["gate"],
        "facts/reason": records["reason"],
        "facts/bundle": records["bundle"],
        "facts/confidence": np.take_along_axis(probabilities, np.maximum(class_, 0)[:, None].astype(np.intp), 1)[:, 0],
    }
    if len(recording.classes) <= MOST_PROBABILITIES:
        for at, name in enumerate(recording.classes):
            columns[f"facts/{fact_name(f'p({name})')}"] = probabilities[:, at]
    return columns
