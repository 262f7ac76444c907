"""`cellgate report`: the sort report of a series, from its journal."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from engines.errors import InputError
from engines.results import ENDINGS, write_results
from streamer.cli._json import write_json
from streamer.journal import Journal, read_journal
from streamer.report import SortReport, WayReport, report_of, write_page, write_plate
from streamer.report._table import table_of_journal


def report_command(
    journal: Annotated[Path, typer.Argument(metavar="JOURNAL", help="The journal of a series, finished or not.")],
    json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the report as JSON.")] = None,
    out: Annotated[
        list[Path] | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Write an HTML page to print; or, to .fcs, .parquet, .h5ad or .csv, every decision. Once per file.",
        ),
    ] = None,
    plate: Annotated[
        Path | None, typer.Option("--plate", metavar="CSV", help="Write which cell went into which well.")
    ] = None,
) -> None:
    """Report per way what was sorted, what was lost and why, and the purity to expect."""
    outs = out or []
    for option, path in (("--json", json), ("--plate", plate), *(("--out", path) for path in outs)):
        if path is not None and path.exists() and journal.exists() and path.samefile(journal):
            raise InputError(path, option, "the journal itself", "another file")
    recorded = read_journal(journal)
    if plate is not None:
        typer.echo(f"{write_plate(recorded, plate)} cells in wells, {plate}")
    report = report_of(recorded)
    if json is not None:
        write_json(json, report)
    for path in outs:
        _write(recorded, report, path)
    _print(report)


def _write(journal: Journal, report: SortReport, path: Path) -> None:
    if path.suffix.lower() in ENDINGS:
        command = shlex.join(["cellgate", "report", journal.path.name, "--out", path.name])
        rows = write_results(table_of_journal(journal, command=command), path)
        typer.echo(f"{rows} decisions, {path}")
        return
    try:
        write_page(report, path)
    except OSError as error:
        raise InputError(path, "--out", error.strerror or str(error), "a file that can be written") from error


def _print(report: SortReport) -> None:
    console = Console(file=sys.stdout, highlight=False)  # made when it prints, so that a redirected stdout is seen
    table = Table(title=_plain(f"sort report, series {report.series}"), box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    for way in report.ways:
        table.add_column(_plain(way.name), justify="right", overflow="fold")
    columns = [_column(way) for way in report.ways]
    for row in columns[0] if columns else ():
        table.add_row(row, *(_plain(column[row]) for column in columns))
    for reason in dict.fromkeys(reason for way in report.ways for reason in _aborts(way)):
        table.add_row(_plain(reason), *(f"{_aborts(way).get(reason, 0):,}" for way in report.ways))
    if report.ways:
        console.print(table)
    else:
        console.print(_plain(f"series {report.series}: no gate leads to a way"))
    for text in _lines(report):
        console.print(_plain(text), soft_wrap=True)


def _column(way: WayReport) -> dict[str, str]:
    share, purity = way.efficiency_percent, way.purity
    return {
        "mode": way.mode or "-",
        "target": "-" if way.target is None else f"{way.target:,}",
        "in gate": f"{way.in_gate:,}",
        "sorted": f"{way.sorted:,}",
        "sort rate": f"{way.sort_rate_per_s:,.2f}/s",
        "efficiency": "-" if share is None else f"{share:.2f} %",
        "purity, estimated": "-" if purity is None else f"{100 * purity.estimate:.2f} %",
        "purity, 95 %": "-" if purity is None else f"{100 * purity.low:.2f} to {100 * purity.high:.2f} %",
    }


def _aborts(way: WayReport) -> dict[str, int]:
    software = {f"abort: {reason}": cells for reason, cells in way.aborts.software.items()}
    return software | {f"hardware abort: {reason}": cells for reason, cells in way.aborts.hardware.items()}


def _lines(report: SortReport) -> list[str]:
    account, share, missing = report.account, report.processed_percent, report.missing
    processed = "" if share is None else f", processed {share:.2f} %"
    lines = [
        f"elapsed {report.elapsed_s:,.3f} s, total events {report.total_events:,}{processed}",
        f"sent {account.sent:,} = decided {account.decided:,} + pending {account.pending:,} + missing {missing:,}",
        f"decided {account.decided:,} = kept {account.kept:,} + not kept {sum(account.not_kept.values()):,}",
    ]
    lines += [f"way {way.name}: no purity, {way.purity_why}" for way in report.ways if way.purity_why]
    lines += [f"account: {text}" for text in report.account_errors]
    return lines + [f"note: {text}" for text in report.notes]


def _plain(value: object) -> Text:
    """Return the text without markup and without control characters: labels come from a file."""
    return Text("".join(c if c.isprintable() else "�" for c in str(value)))
