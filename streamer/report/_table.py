"""A journal as a table of results: a row per decision, for the files of `engines.results`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.results import About, Chunk, Column, Head, Results, distinct, merged_labels
from streamer.journal import NO_DEADLINE, Journal, Records, label_of, summarize
from streamer.report._from_journal import CHUNK, _epochs


def table_of_journal(journal: Journal, *, command: str = "") -> Results:
    """Return the decisions of a journal as a table, in their order; of one still being written, as far as it is.

    Columns: `seq`, `trigger_ticks`, `arrival_ns` and `decided_ns` (since the start of the series), `latency_us`,
    `slack_us` (NaN without a deadline), `class`, `p(NAME)` (NaN where not classified), `gate`, `way`, `reason`; and
    `bundle` where more than one decided. A gate's name is the one it had at the moment of the decision.
    """
    header, records = journal.header, journal.decisions
    gates = _Gates(journal)
    coded = {
        "class": ("class_", header.classes),
        "way": ("way", header.ways),
        "reason": ("reason", header.reasons),
        "bundle": ("bundle", (header.bundle,)),
    }
    if not records["bundle"].any():
        del coded["bundle"]
    labels, codes = {"gate": gates.labels}, {}
    for name, (field, known) in coded.items():
        labels[name], codes[name] = merged_labels(_labels(known, records[field]))
    columns = [
        Column("seq", "uint64"),
        Column("trigger_ticks", "uint64"),
        Column("arrival_ns", "int64", "time", unit="ns"),
        Column("decided_ns", "int64", unit="ns"),
        Column("latency_us", "float64", unit="us"),
        Column("slack_us", "float64", unit="us"),
        Column("class", "code", labels=labels["class"]),
    ]
    chances = distinct([column.name for column in columns] + [f"p({name})" for name in header.classes])[len(columns) :]
    columns += [Column(name, "float32", "probability") for name in chances]
    columns += [Column(name, "code", labels=labels[name]) for name in labels if name != "class"]

    def chunks() -> Iterator[Chunk]:
        for start in range(0, len(records), CHUNK):
            some = records[start : start + CHUNK]
            made = _numbers(some, header.started_monotonic_ns)
            made |= {name: some["probabilities"][:, at] for at, name in enumerate(chances)}
            made |= {name: _coded(some[field], codes[name]) for name, (field, _) in coded.items()}
            made["gate"] = gates.codes(start, some["gate"])
            yield Chunk({column.name: made[column.name] for column in columns})

    return Results(Head(columns=tuple(columns), about=_about(journal, command)), chunks)


class _Gates:
    """The names of gates by code, which may change during a series."""

    def __init__(self, journal: Journal) -> None:
        epochs, _ = _epochs(journal)
        highest = int(journal.decisions["gate"].max(initial=-1))
        names: list[str] = []
        spans: list[tuple[int, list[str]]] = []
        for epoch in epochs:
            old = names[: epoch.first]
            names = old + [""] * (epoch.first - len(old)) + [gate.name for gate in epoch.gates]
            names += [""] * (highest + 1 - len(names))
            spans.append((epoch.start, [name or f"code {code}" for code, name in enumerate(names)]))
        self.labels = tuple(dict.fromkeys(name for _, span in spans for name in span))
        place = {name: code for code, name in enumerate(self.labels)}
        self._spans = [(start, np.array([place[name] for name in span] + [-1], np.int32)) for start, span in spans]

    def codes(self, start: int, codes: NDArray[np.int16]) -> NDArray[np.int32]:
        """Return the codes of the decisions from index `start` on as indices into `labels`."""
        found = np.full(len(codes), -1, np.int32)
        for first, table in self._spans:
            begin = max(0, first - start)
            found[begin:] = table[np.maximum(codes[begin:], -1)]
        return found


def _labels(known: Sequence[str], codes: NDArray[Any]) -> list[str]:
    """Return a label for every code there is."""
    return [label_of(known, code) for code in range(max(len(known), int(codes.max(initial=0)) + 1))]


def _coded(codes: NDArray[Any], table: NDArray[np.int32]) -> NDArray[np.int32]:
    found: NDArray[np.int32] = np.append(table, np.int32(-1))[np.maximum(codes.astype(np.int32), -1)]
    return found


def _numbers(some: Records, started_ns: int) -> dict[str, NDArray[Any]]:
    slack = some["slack_ns"]
    return {
        "seq": some["seq"],
        "trigger_ticks": some["ticks"],
        "arrival_ns": some["arrival_ns"] - started_ns,
        "decided_ns": some["decided_ns"] - started_ns,
        "latency_us": (some["decided_ns"] - some["arrival_ns"]) / 1e3,
        "slack_us": np.where(slack == NO_DEADLINE, np.nan, slack / 1e3),
    }


def _about(journal: Journal, command: str) -> About:
    header, summary = journal.header, summarize(journal)
    account = summary.account
    ended = (journal.totals or {}).get("unix_ns")
    state = [] if journal.complete else ["the journal is not closed: the series runs, or was cut off"]
    return About(
        cells=header.series,
        bundle=header.bundle,
        bundle_sha256=header.bundle_sha256,
        engine=header.engine,
        software=header.software,
        command=command,
        series=header.series,
        started_unix_ns=header.started_unix_ns,
        ended_unix_ns=ended if isinstance(ended, int) else None,
        totals={
            "sent": account.sent,
            "missing": account.missing,
            "decided": account.decided,
            "kept": account.kept,
            **account.not_kept,
        },
        info=header.info,
        notes=(*state, *summary.disagreements),
    )
