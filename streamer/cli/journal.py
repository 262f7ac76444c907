"""`cellgate journal`: look into the journals of past series, check them, and add them up."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from engines.errors import InputError
from streamer.journal import (
    NO_DEADLINE,
    Journal,
    JournalDecider,
    Records,
    Summary,
    cut_torn_tail,
    deciders_of,
    label_of,
    read_journal,
    summarize,
)

app = typer.Typer(name="journal", help="Look into, check and add up journals.", no_args_is_help=True)

DEFAULT_ROWS = 20

File = Annotated[Path, typer.Argument(metavar="FILE", help="A journal.")]
Json = Annotated[bool, typer.Option("--json", help="JSON for programs instead of a table.")]


@app.command()
def show(
    file: File,
    first: Annotated[int | None, typer.Option(min=0, metavar="N", help="Only the first N.")] = None,
    last: Annotated[int | None, typer.Option(min=0, metavar="N", help="Only the last N.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only cells decided for this reason.")] = None,
    events: Annotated[
        bool, typer.Option("--events", help="The events of the series instead of its decisions.")
    ] = False,
    json: Json = False,
) -> None:
    """Show the decisions of a series, or its events. A table stops after 20 unless told how many; JSON does not."""
    journal = read_journal(file)
    if events:
        for event in _ends(journal.events, first, last):
            typer.echo(msgspec.json.encode(event).decode())
        return
    records = journal.decisions if reason is None else _with_reason(journal, reason)
    if not json and first is None and last is None:
        first = DEFAULT_ROWS
    shown = _ends(records, first, last)
    if json:
        deciders = deciders_of(journal)
        for record in shown:
            typer.echo(msgspec.json.encode(_as_dict(journal, record, deciders)).decode())
        return
    _print_decisions(journal, shown)
    if len(shown) < len(records):
        typer.echo(f"{len(shown)} of {len(records)} decisions; --first and --last choose others")


@app.command()
def verify(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Journals.")],
    cut: Annotated[bool, typer.Option("--cut", help="Cut torn tails off.")] = False,
) -> None:
    """Check every record of journals. Exit code 0: all good (a torn tail is); 1: damage; 2: one is no journal."""
    damaged = False
    unreadable: InputError | None = None
    for file in files:
        try:
            journal = read_journal(file)
            cut_bytes = cut_torn_tail(file) if cut and journal.torn_bytes else 0
        except InputError as error:
            if len(files) > 1:
                typer.echo(str(error))
            unreadable = unreadable or error
            continue
        damaged = damaged or not journal.intact
        typer.echo(f"{file}: {_verdict(journal, cut_bytes)}")
    if unreadable is not None:
        raise unreadable
    if damaged:
        raise typer.Exit(1)


@app.command()
def summary(file: File, json: Json = False) -> None:
    """Add up the records of a series and hold the result against the totals the streamer gave."""
    journal = read_journal(file)
    result = summarize(journal)
    if json:
        typer.echo(msgspec.json.encode(result).decode())
    else:
        _print_summary(journal, result)


def _with_reason(journal: Journal, reason: str) -> Records:
    reasons = journal.header.reasons
    if reason not in reasons:
        raise InputError(journal.path, "--reason", reason, "one of " + ", ".join(reasons))
    chosen: Records = journal.decisions[journal.decisions["reason"] == reasons.index(reason)]
    return chosen


def _ends(rows: Any, first: int | None, last: int | None) -> Any:
    """Return the first and the last of the rows, each once; all where neither is given."""
    count = len(rows)
    head = count if first is None and last is None else min(first or 0, count)
    tail = max(head, count - (last or 0))
    if head == 0 or tail == count:
        return rows[tail:] if head == 0 else rows[:head]
    return np.concatenate([rows[:head], rows[tail:]]) if isinstance(rows, np.ndarray) else rows[:head] + rows[tail:]


def _as_dict(journal: Journal, record: Any, deciders: dict[int, JournalDecider]) -> dict[str, object]:
    header, decider = journal.header, deciders.get(int(record["bundle"]))
    slack, probabilities = int(record["slack_ns"]), record["probabilities"].tolist()
    return {
        "seq": int(record["seq"]),
        "ticks": int(record["ticks"]),
        "arrival_ns": int(record["arrival_ns"]),
        "decided_ns": int(record["decided_ns"]),
        "latency_us": (int(record["decided_ns"]) - int(record["arrival_ns"])) / 1e3,
        "slack_us": None if slack == NO_DEADLINE else slack / 1e3,
        "class": _name(header.classes, int(record["class_"])),
        "probabilities": None if math.isnan(probabilities[0]) else probabilities,
        "gate": _name(header.gates, int(record["gate"])),
        "way": _name(header.ways, int(record["way"])),
        "reason": _name(header.reasons, int(record["reason"])),
        "bundle": int(record["bundle"]),
        "bundle_sha256": None if decider is None else decider.bundle_sha256,
        "engine": None if decider is None else decider.engine,
    }


def _name(labels: tuple[str, ...], code: int) -> str | None:
    return None if code == -1 else label_of(labels, code)


def _print_decisions(journal: Journal, records: Records) -> None:
    title = _plain(f"series {journal.header.series}, bundle {journal.header.bundle}")
    table = Table(title=title, box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column in ("seq", "time s", "latency µs", "slack µs", "p"):
        table.add_column(column, justify="right", no_wrap=True)
    for column in ("class", "gate", "way", "reason"):
        table.add_column(column, overflow="fold")
    deciders = deciders_of(journal)
    for record in records:
        row = _as_dict(journal, record, deciders)
        arrival_s = (int(record["arrival_ns"]) - journal.header.started_monotonic_ns) / 1e9
        chosen = int(record["class_"])
        p = f"{record['probabilities'][chosen]:.3f}" if 0 <= chosen < len(record["probabilities"]) else "-"
        slack = "-" if row["slack_us"] is None else f"{row['slack_us']:.1f}"
        numbers = (str(row["seq"]), f"{arrival_s:.4f}", f"{row['latency_us']:.1f}", slack, p)
        table.add_row(*numbers, *(_plain(row[name] or "-") for name in ("class", "gate", "way", "reason")))
    _console().print(table)


def _print_summary(journal: Journal, result: Summary) -> None:
    account = result.account
    table = Table(title=_plain(f"series {result.series}, bundle {journal.header.bundle}"), show_header=False)
    table.add_column()
    table.add_column(justify="right")
    rows: dict[str, object] = {
        "series closed": f"yes, by {result.ended or '?'}" if result.complete else "no: no totals",
        "sent": account.sent,
        "missing": f"{result.missing} in {result.gap_count} gaps",
        "decided": account.decided,
        "kept": account.kept,
        **{f"not kept: {name}": count for name, count in account.not_kept.items()},
        **{f"way: {name}": count for name, count in result.ways.items()},
        **{f"class: {name}": count for name, count in result.classes.items()},
        **({f"bundle: {name}": count for name, count in result.bundles.items()} if len(result.bundles) > 1 else {}),
        **{f"latency {name}": f"{value:,.1f} µs" for name, value in result.latency_us.items()},
        **{f"slack {name}": f"{value:,.1f} µs" for name, value in result.slack_us.items()},
        "deadline misses": f"{result.deadline_misses} of {result.with_deadline}",
        "duration": f"{result.duration_s:,.3f} s",
        "rate": f"{result.rate_hz:,.1f} cells/s",
    }
    for name, value in rows.items():
        table.add_row(_plain(name), _plain(value))
    _console().print(table)
    for text in result.disagreements:
        typer.echo(f"disagreement: {text}")


def _verdict(journal: Journal, cut_bytes: int) -> str:
    damage = [f"{len(journal.damaged)} damaged records (first: {journal.damaged[0]})"] if journal.damaged else []
    damage += [f"{journal.broken_events} events with pieces missing"] if journal.broken_events else []
    found = [", ".join(damage) or "good", f"{len(journal.decisions)} decisions", f"{len(journal.events)} events"]
    found.append("closed" if journal.complete else "not closed (no totals)")
    if journal.torn_bytes:
        found.append(f"torn tail of {journal.torn_bytes} bytes" + (" cut" if cut_bytes else ""))
    return "; ".join(found)


def _plain(value: object) -> Text:
    """Return the text without markup and without control characters: labels come from a file."""
    return Text("".join(c if c.isprintable() else "�" for c in str(value)))


def _console() -> Console:
    return Console(file=sys.stdout, highlight=False)  # made when it prints, so that a redirected stdout is seen
