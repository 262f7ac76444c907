"""The words every room of the streamer uses: reasons, ways and the account of a series."""

from __future__ import annotations

from enum import IntEnum, StrEnum

import msgspec

WASTE = "waste"
"""The way of every cell that is not kept; code 0 everywhere."""


class Reason(IntEnum):
    """Why a cell was kept or not. The code is what the wire and the journal carry; it never changes meaning."""

    KEPT = 0
    NOT_IN_GATE = 1
    UNCERTAIN = 2
    UNFAMILIAR = 3
    COINCIDENT = 4
    INCOMPLETE = 5
    LATE = 6
    OVERLOAD = 7
    ENGINE_FAULT = 8
    DISARMED = 9
    STOPPED = 10
    WASTE_GATE = 11
    TARGET_REACHED = 12
    HARDWARE_ABORT = 13
    RATE_LIMIT = 14
    CLOCK = 15

    @property
    def label(self) -> str:
        """Lower-case name, as metrics, journals and reports print it."""
        return self.name.lower()


class Rejection(StrEnum):
    """Why a received message was set aside. Nothing of a rejected message is used."""

    MALFORMED = "malformed"
    UNKNOWN_TYPE = "unknown_type"
    WRONG_TYPE = "wrong_type"
    UNKNOWN_VERSION = "unknown_version"
    OUT_OF_SERIES = "out_of_series"
    WRONG_SCHEMA = "wrong_schema"
    WRONG_PARTS = "wrong_parts"
    TRUNCATED = "truncated"
    OVERSIZED = "oversized"
    WRONG_SHAPE = "wrong_shape"
    CHECKSUM = "checksum"
    SEQ_RANGE = "seq_range"
    REFUSED = "refused"


class Account(msgspec.Struct):
    """The account of one series. It adds up at every moment: see `balance`.

    All counts are cells but `rejected`, `messages` and `undelivered`, which count messages.
    """

    sent: int = 0
    """Cells the cytometer is known to have sent: highest seq + 1, or what its end message says."""
    received: int = 0
    """Distinct cells accepted."""
    pending: int = 0
    """Accepted and not yet decided."""
    decided: int = 0
    kept: int = 0
    not_kept: dict[str, int] = {}
    duplicates: int = 0
    """Cells received again and set aside."""
    disordered: int = 0
    """Cells accepted after a cell of a higher seq."""
    messages: int = 0
    """Messages received on the cells socket, whatever became of them."""
    rejected: dict[str, int] = {}
    """Messages set aside, by `Rejection`."""
    undelivered: int = 0
    """Decision messages that a subscribed receiver could not take."""

    @property
    def missing(self) -> int:
        """Cells sent but never accepted."""
        return self.sent - self.received

    def balance(self) -> list[str]:
        """Return the sentences of the account that do not hold; empty when it adds up."""
        not_kept = sum(self.not_kept.values())
        rules = (
            (self.missing >= 0, f"missing {self.missing} is negative"),
            (self.received == self.decided + self.pending, "received is not decided + pending"),
            (self.sent == self.decided + self.pending + self.missing, "sent is not decided + pending + missing"),
            (self.decided == self.kept + not_kept, "decided is not kept + not kept"),
        )
        return [text for holds, text in rules if not holds]
