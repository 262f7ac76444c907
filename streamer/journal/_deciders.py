"""Which bundle, on which engine, made each decision."""

from __future__ import annotations

from typing import NamedTuple

from streamer.journal._reader import Journal


class JournalDecider(NamedTuple):
    """A bundle on an engine."""

    bundle: str
    bundle_sha256: str
    engine: str

    @property
    def label(self) -> str:
        """The bundle's name and the beginning of its hash."""
        return f"{self.bundle} {self.bundle_sha256[:12]}"


def deciders_of(journal: Journal) -> dict[int, JournalDecider]:
    """Return what the field `bundle` of the decisions stands for: the header's, and those the events announce.

    A code that an event announces anew keeps what it stood for first.
    """
    header = journal.header
    found = {0: JournalDecider(header.bundle, header.bundle_sha256, header.engine)}
    for event in journal.events:
        code = event.get("code")
        if event["event"] in ("swap", "engine") and isinstance(code, int) and code >= 0:
            words = (str(event.get(key, "")) for key in JournalDecider._fields)
            found.setdefault(code, JournalDecider(*words))
    return found
