"""The head of the dashboard: whether cells are being decided, for which series and by what."""

from __future__ import annotations

import math

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from streamer.observer._format import clock, printable, seconds
from streamer.observer._health import is_fresh
from streamer.observer._pieces import QUIET
from streamer.wire import Snapshot

_STATES = {"armed": "bold white on green", "disarmed": "bold black on yellow", "stopping": "bold black on yellow"}


def header_section(snapshot: Snapshot, age_s: float) -> RenderableType:
    """Return two lines: state, engine, series, bundle and times."""
    table = Table.grid(expand=True, padding=(0, 1))
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis", justify="right")
    up_s = (snapshot.time_ns - snapshot.started_ns) / 1e9
    engine = Text.assemble(("engine ", QUIET), printable(snapshot.engine))
    table.add_row(Text.assemble(_state(snapshot, age_s), ("  up ", QUIET), clock(up_s)), engine)
    bundle = Text.assemble(
        ("bundle ", QUIET), printable(snapshot.bundle), (f" {printable(snapshot.bundle_sha256[:8])}", QUIET)
    )
    table.add_row(_series(snapshot), bundle)
    return table


def silence() -> Text:
    """Return what is shown before the first snapshot."""
    return Text.assemble(
        (" NO SIGNAL ", "bold white on red"),
        "  no snapshot received yet\n",
        ("Is a streamer running, and does it publish telemetry at this endpoint?", QUIET),
    )


def _state(snapshot: Snapshot, age_s: float) -> Text:
    # A state that nobody has confirmed lately is not a state.
    if not is_fresh(snapshot, age_s):
        age = seconds(age_s) if math.isfinite(age_s) else "long"
        return Text.assemble((" NO SIGNAL ", "bold white on red"), (f" for {age}", "bold red"))
    return Text(f" ● {snapshot.state.upper()} ", style=_STATES[snapshot.state])


def _series(snapshot: Snapshot) -> Text:
    if not snapshot.series:
        return Text("between series", style=QUIET)
    running = clock((snapshot.time_ns - snapshot.series_started_ns) / 1e9)
    return Text.assemble(("series ", QUIET), (printable(snapshot.series), "bold"), (f"  {running}", QUIET))
