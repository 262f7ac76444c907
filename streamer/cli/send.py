"""`cellgate send`: a cytometer that is not there."""

from __future__ import annotations

import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from engines.cells import HINT_HELP, is_digital, open_cells, open_recording, parse_hints
from streamer.cli._json import write_json
from streamer.client import CellSender
from streamer.config import DEFAULT_CELLS
from streamer.simulator import Acquisition, CellSource, Faults, acquire, make_plan, make_source


def send_command(
    cells: Annotated[str, typer.Argument(metavar="CELLS", help="Recorded cells, a file or folder, or digital[:N].")],
    hint: Annotated[list[str] | None, typer.Option("--hint", metavar="NAME=VALUE", help=HINT_HELP)] = None,
    to: Annotated[str, typer.Option("--to", metavar="ENDPOINT", help="The streamer's cells endpoint.")] = DEFAULT_CELLS,
    rate: Annotated[float, typer.Option(help="Cells per second.")] = 1000.0,
    arrivals: Annotated[Literal["poisson", "even"], typer.Option(help="When cells come.")] = "poisson",
    per_message: Annotated[int, typer.Option(min=1, max=65536, help="Cells per message.")] = 1,
    seconds: Annotated[float, typer.Option(help="How long.")] = 10.0,
    count: Annotated[int | None, typer.Option(min=0, help="At most this many cells.")] = None,
    series: Annotated[str | None, typer.Option(help="Name of the series; by default made from the time.")] = None,
    channels: Annotated[str | None, typer.Option(help="Send only these, separated by commas.")] = None,
    sort_delay_us: Annotated[
        float | None, typer.Option(help="Trigger to actuation; by default the streamer's.")
    ] = None,
    actuation_lead_us: Annotated[float | None, typer.Option(help="What the actuator needs before that.")] = None,
    checksum: Annotated[bool, typer.Option("--checksum", help="End each message with a CRC-32.")] = False,
    drop: Annotated[float, typer.Option(help="Share of messages to lose.")] = 0.0,
    duplicate: Annotated[float, typer.Option(help="Share of messages to send twice.")] = 0.0,
    reorder: Annotated[float, typer.Option(help="Share of messages to send after the next.")] = 0.0,
    corrupt: Annotated[float, typer.Option(help="Share of messages to spoil.")] = 0.0,
    stall_every: Annotated[float, typer.Option(help="Stall this often, in seconds; 0 never.")] = 0.0,
    stall_seconds: Annotated[float, typer.Option(help="Length of a stall.")] = 0.5,
    seed: Annotated[int, typer.Option(help="Of order, arrival times and faults.")] = 0,
    server_key: Annotated[Path | None, typer.Option(help="The streamer's public CURVE key.")] = None,
    secret_key: Annotated[Path | None, typer.Option(help="This sender's secret CURVE key.")] = None,
    json: Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the report here.")] = None,
) -> None:
    """Send recorded or digital cells as a cytometer would: open-loop, at times fixed in advance."""
    faults = Faults(drop, duplicate, reorder, corrupt, stall_every, stall_seconds)
    chosen = None if channels is None else tuple(name.strip() for name in channels.split(","))
    hints = parse_hints(hint)
    with ExitStack() as stack:
        source = _source(stack, cells, chosen, seed, hints)
        plan = make_plan(len(source), rate=rate, seconds=seconds, arrivals=arrivals, seed=seed, limit=count)
        stopping: list[bool] = []
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopping.append(True))

        def progress(sent: int) -> None:
            if sys.stderr.isatty():
                typer.echo(f"\r{sent} of {len(plan)} cells", nl=False, err=True)

        how = Acquisition(
            series=series or time.strftime("sim-%Y%m%d-%H%M%S"),
            per_message=per_message,
            sort_delay_us=sort_delay_us,
            actuation_lead_us=actuation_lead_us,
            checksum="crc32" if checksum else "none",
            faults=faults,
            seed=seed,
            on_progress=progress,
            stop=lambda: bool(stopping),
        )
        sender = stack.enter_context(CellSender(to, server_key=server_key, secret_key=secret_key))
        report = acquire(sender, source, plan, how)
    if sys.stderr.isatty():
        typer.echo(err=True)
    if json is not None:
        write_json(json, report)
    account = report.totals.account
    typer.echo(
        f"series {report.series}: sent {account.sent} = decided {account.decided} + missing {report.totals.missing}; "
        f"kept {account.kept}, not kept {sum(account.not_kept.values())}; {report.cells_per_s:g} cells/s, "
        f"lateness p50 {report.lateness_us.get('p50', 0):g} µs, p99 {report.lateness_us.get('p99', 0):g} µs"
    )
    if report.lost:
        reasons = ", ".join(f"{count} {reason}" for reason, count in report.lost.items())
        typer.echo(f"cells that could not be read: {reasons}")


def _source(
    stack: ExitStack, cells: str, channels: tuple[str, ...] | None, seed: int, hints: dict[str, Any]
) -> CellSource:
    """Return the cells to send; a recording stays open until the stack is closed."""
    if is_digital(cells):
        return make_source(open_cells(cells, seed=seed, hints=hints), channels)
    return make_source(stack.enter_context(open_recording(cells, **hints)), channels)
