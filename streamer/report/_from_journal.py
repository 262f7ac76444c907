"""The sort report of a series after the fact, from its journal alone; also of one that was cut off."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamer.config import GateSection
from streamer.journal import Journal, Summary, summarize
from streamer.report._build import make_report
from streamer.report._plans import plans_of
from streamer.report._tally import SortTally
from streamer.report._timing import timing_of_summary
from streamer.report._types import SortReport
from streamer.report._wanted import TalliedGate, tallied_gates
from streamer.vocabulary import Reason

CHUNK = 65_536


def report_of(journal: Journal) -> SortReport:
    """Return the sort report of a journal; of one still being written, as far as it is.

    Gates, ways and targets come from the header's configuration, and from events: `gates` says which gates (`gate`,
    tables) follow those before, from code `first`; `ways` holds the `way` tables as they are from then on.
    """
    summary = summarize(journal)
    gates, notes = _gates(journal)
    tally = _tally(journal, gates)
    return make_report(
        journal.header,
        tally,
        summary.account,
        elapsed_s=_elapsed_s(journal),
        ended=summary.ended,
        plans=plans_of(_way_tables(journal)),
        timing=timing_of_summary(summary),
        notes=[*notes, *_state(journal, summary)],
    )


def _tally(journal: Journal, gates: list[TalliedGate]) -> SortTally:
    labels, highest = journal.header.reasons, int(journal.decisions["reason"].max(initial=0))
    labels += tuple(f"code {code}" for code in range(len(labels), highest + 1))
    tally = SortTally(gates, len(journal.header.classes), labels)
    for at in range(0, len(journal.decisions), CHUNK):
        entries = journal.decisions[at : at + CHUNK]
        if int(entries["gate"].min()) < -1:  # not of this streamer's making; in no gate, then
            entries = entries.copy()
            entries["gate"] = np.maximum(entries["gate"], -1)
        tally.add(entries)
    return tally


def _gates(journal: Journal) -> tuple[list[TalliedGate], list[str]]:
    """Return the gates by code as far as any cell names one, and what is not known of them."""
    header, codes = journal.header, journal.decisions["gate"]
    notes: list[str] = []
    found = _described(header.config.get("gate"), header.classes)
    if [gate.name for gate in found] != list(header.gates):
        found = []
    for event in journal.events:
        if event["event"] == "gates" and event.get("first") == len(found):
            found += _described(event.get("gate"), header.classes)
    count = max(len(header.gates), int(codes.max(initial=-1)) + 1)
    for code in range(len(found), count):
        name = header.gates[code] if code < len(header.gates) else f"code {code}"
        found.append(TalliedGate(name, _way_seen(journal, code, codes)))
        notes.append(f"gate {name} is not described in the journal: its way is that of the cells it kept")
    return found, notes


def _described(tables: object, classes: tuple[str, ...]) -> list[TalliedGate]:
    try:
        return list(tallied_gates(msgspec.convert(tables, list[GateSection]), classes))
    except msgspec.ValidationError:
        return []


def _way_seen(journal: Journal, code: int, codes: NDArray[np.int16]) -> str:
    kept = np.flatnonzero((codes == code) & (journal.decisions["reason"] == Reason.KEPT))
    way = int(journal.decisions["way"][kept[0]]) if len(kept) else 0
    return journal.header.ways[way] if way < len(journal.header.ways) else f"way {way}"


def _way_tables(journal: Journal) -> object:
    changed: list[Any] = [event.get("way") for event in journal.events if event["event"] == "ways"]
    return changed[-1] if changed else journal.header.config.get("way")


def _elapsed_s(journal: Journal) -> float:
    header, totals = journal.header, journal.totals
    ended_unix_ns = (totals or {}).get("unix_ns")
    if isinstance(ended_unix_ns, int):
        elapsed = ended_unix_ns - header.started_unix_ns
    else:
        elapsed = int(journal.decisions["decided_ns"].max(initial=0)) - header.started_monotonic_ns
    return max(elapsed, 0) / 1e9


def _state(journal: Journal, summary: Summary) -> list[str]:
    rules = (
        (not journal.complete, "the journal is not closed: the series runs, or was cut off; counts are those so far"),
        (journal.torn_bytes, f"a torn tail of {journal.torn_bytes} bytes is left out"),
    )
    return [text for holds, text in rules if holds] + [f"journal: {text}" for text in summary.disagreements]
