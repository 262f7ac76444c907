"""The sort report of a series after the fact, from its journal alone; also of one that was cut off."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
import numpy as np

from streamer.config import GateSection
from streamer.journal import Journal, Records, Summary, summarize
from streamer.report._build import make_report
from streamer.report._plans import WayPlan, read_plans
from streamer.report._tally import SortTally
from streamer.report._timing import timing_of_summary
from streamer.report._types import SortReport
from streamer.report._wanted import TalliedGate, tallied_gates
from streamer.vocabulary import Reason

CHUNK = 65_536


class Epoch(NamedTuple):
    """Gates, and from which decision on (an index into the journal's) they held; `first` as in `use_gates`."""

    start: int
    gates: list[TalliedGate]
    first: int


def report_of(journal: Journal) -> SortReport:
    """Return the sort report of a journal; of one still being written, as far as it is.

    Gates, ways and targets are those of the header's configuration and of the events `change`, each from its moment on;
    of the ways' plans the last is reported.
    """
    summary = summarize(journal)
    epochs, notes = _epochs(journal)
    return make_report(
        journal.header,
        _tally(journal, epochs),
        summary.account,
        elapsed_s=_elapsed_s(journal),
        ended=summary.ended,
        plans=_plans(journal),
        timing=timing_of_summary(summary),
        notes=[*notes, *_state(journal, summary)],
    )


def _tally(journal: Journal, epochs: list[Epoch]) -> SortTally:
    labels, highest = journal.header.reasons, int(journal.decisions["reason"].max(initial=0))
    labels += tuple(f"code {code}" for code in range(len(labels), highest + 1))
    tally = SortTally((), len(journal.header.classes), labels)
    ends = [*(epoch.start for epoch in epochs[1:]), len(journal.decisions)]
    for epoch, end in zip(epochs, ends, strict=True):
        tally.use_gates(epoch.gates, epoch.first)
        for at in range(epoch.start, end, CHUNK):
            tally.add(_sound(journal.decisions[at : min(at + CHUNK, end)]))
    return tally


def _sound(entries: Records) -> Records:
    if int(entries["gate"].min()) < -1:  # not of this streamer's making; in no gate, then
        entries = entries.copy()
        entries["gate"] = np.maximum(entries["gate"], -1)
    return entries


def _epochs(journal: Journal) -> tuple[list[Epoch], list[str]]:
    """Return the gates as they were from time to time, so that every code there is has one, and what is not known."""
    header, codes = journal.header, journal.decisions["gate"]
    changes = _gate_changes(journal)
    starts = [0, *(_moment(journal, event) for event in changes), len(codes)]
    told = [(header.config.get("gate"), list(header.gates), 0)]
    told += [(_tables(event), _names(event) or [], _first(event)) for event in changes]
    epochs: list[Epoch] = []
    notes: dict[str, None] = {}
    known = 0
    for (tables, names, first), start, end in zip(told, starts, starts[1:], strict=False):
        gates = _described(tables, header.classes)
        if [gate.name for gate in gates] != names:
            gates = []
        first = min(first, known)
        known = max(int(codes[start:end].max(initial=-1)) + 1, first + len(names))
        for code in range(len(gates), known - first):
            name = names[code] if code < len(names) else f"code {first + code}"
            gates.append(TalliedGate(name, _way_seen(journal, first + code, start, end)))
            notes[f"gate {name} is not described in the journal: its way is that of the cells it kept"] = None
        epochs.append(Epoch(start, gates, first))
    return epochs, list(notes)


def _gate_changes(journal: Journal) -> list[dict[str, Any]]:
    """Return the changes after which the gates were others; arming and the like name the gates too."""
    found, before = [], list(journal.header.gates)
    for event in journal.events:
        names = _names(event)
        if event["event"] == "change" and names is not None and (_tables(event) is not None or names != before):
            found.append(event)
            before = names
    return found


def _names(event: dict[str, Any]) -> list[str] | None:
    names = event.get("gates")
    return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else None


def _tables(event: dict[str, Any]) -> object:
    changes = event.get("changes")
    return event.get("gate", changes.get("gate") if isinstance(changes, dict) else None)


def _first(event: dict[str, Any]) -> int:
    first = event.get("first", 0)
    return first if isinstance(first, int) and first >= 0 else 0


def _moment(journal: Journal, event: dict[str, Any]) -> int:
    """Return the index of the first decision after an event; by the monotonic clock where the event says its time."""
    header, moment = journal.header, event.get("monotonic_ns")
    if not isinstance(moment, int):
        moment = int(event.get("unix_ns", 0)) - header.started_unix_ns + header.started_monotonic_ns
    return int(np.count_nonzero(journal.decisions["decided_ns"] <= moment))


def _described(tables: object, classes: tuple[str, ...]) -> list[TalliedGate]:
    try:
        return list(tallied_gates(msgspec.convert(tables, list[GateSection]), classes))
    except msgspec.ValidationError:
        return []


def _way_seen(journal: Journal, code: int, start: int, end: int) -> str:
    some = journal.decisions[start:end]
    kept = np.flatnonzero((some["gate"] == code) & (some["reason"] == Reason.KEPT))
    way = int(some["way"][kept[0]]) if len(kept) else 0
    return journal.header.ways[way] if way < len(journal.header.ways) else f"way {way}"


def _plans(journal: Journal) -> dict[str, WayPlan] | None:
    config = dict(journal.header.config)
    for event in journal.events:
        changes = event.get("changes")
        if event["event"] == "change" and isinstance(changes, dict) and "way" in changes:
            config["way"] = changes["way"]
    return read_plans(config)


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
