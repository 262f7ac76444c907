"""The decision record: 40 bytes, little-endian, no padding. The same layout stands in `docs/protocol.md`."""

from __future__ import annotations

import numpy as np

DECISION = np.dtype(
    [
        ("seq", "<u8"),
        ("ticks", "<u8"),  # trigger time, as received
        ("actuate", "<u8"),  # trigger + sort delay in hardware ticks; 0 without a sort delay
        ("class_", "<i2"),  # index into classes; -1: not classified
        ("gate", "<i2"),  # index into gates; -1: in none
        ("way", "u1"),  # index into ways; 0 is waste
        ("reason", "u1"),  # Reason
        ("reserved", "<u2"),  # 0
        ("confidence", "<f4"),  # probability of class_; 0 where not classified
        ("slack_us", "<i4"),  # deadline minus decision time, saturated; INT32_MAX without a deadline
    ]
)
NO_CLASS = -1
NO_GATE = -1
NO_DEADLINE_SLACK = 2**31 - 1
