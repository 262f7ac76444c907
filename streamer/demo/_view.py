"""What the demo shows while it runs and when it is over."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from streamer.demo._children import Child
from streamer.observer import SnapshotFeed, SnapshotWindow, plain_line, render

REDRAW_S = 0.25


class Show:
    """The demo's words and pictures; `plain` makes them lines of text."""

    def __init__(self, console: Console, *, plain: bool) -> None:
        self._console = console
        self._plain = plain or not console.is_terminal

    def say(self, text: str) -> None:
        """Print one line."""
        self._console.print(Text(text), soft_wrap=True)

    def watch(self, telemetry: str, observer: Child, going_on: Callable[[], bool]) -> None:
        """Show the streamer live for as long as `going_on`."""
        self.say(f"observer: {observer.wait_for('http', 30.0)}")
        window = SnapshotWindow(span_s=1.0)
        with SnapshotFeed(telemetry) as feed:
            feed.wait(2.0)
            if self._plain:
                while going_on():
                    snapshot, age_s = feed.read()
                    window.add(snapshot)
                    self.say(plain_line(snapshot, window.previous, age_s=age_s))
                    _sleep(1.0, going_on)
                return
            with Live(console=self._console, auto_refresh=False, transient=False) as live:
                while going_on():
                    snapshot, age_s = feed.read()
                    window.add(snapshot)
                    live.update(render(snapshot, window.previous, age_s=age_s), refresh=True)
                    _sleep(REDRAW_S, going_on)

    def summary(self, figures: Mapping[str, Any]) -> None:
        """Print what the run amounts to."""
        not_kept = sum(figures["not_kept"].values())
        table = Table(title="Summary", title_style="bold", show_header=False, box=None, padding=(0, 2))
        table.add_column(justify="right", style="dim")
        table.add_column()
        reasons = ", ".join(f"{name} {count:,}" for name, count in sorted(figures["not_kept"].items()))
        latency, arrival = figures["latency_us"], figures["latency_us"]["from_arrival"]
        rows = [
            ("cells", f"{figures['cells']}: {figures['distinct_cells']:,} different, none seen in training"),
            ("bundle, engine", f"{figures['bundle']} {figures['bundle_sha256'][:12]}, {figures['engine']}"),
            (
                "account",
                f"sent {figures['sent']:,} = decided {figures['decided']:,} + missing {figures['missing']:,}   "
                f"{_mark(figures['sent'] == figures['decided'] + figures['missing'])}",
            ),
            (
                "",
                f"decided {figures['decided']:,} = kept {figures['kept']:,} + not kept {not_kept:,}   "
                f"{_mark(figures['decided'] == figures['kept'] + not_kept)}",
            ),
            ("not kept", reasons or "none"),
            ("ways", ", ".join(f"{name} {count:,}" for name, count in figures["ways"].items())),
            ("rate", f"{figures['cells_per_s']:,.0f} cells/s"),
            ("latency, trigger to decision", _spread(latency)),
            ("latency, arrival to decision", _spread(arrival)),
            (
                "kept after their deadline",
                f"{figures['kept_after_deadline']} {_mark(figures['kept_after_deadline'] == 0)}   "
                f"(on time, but with the sorter too late: {figures['kept_received_late']})",
            ),
            ("journal", f"{figures['journal_records']:,} records {_mark(_journal_adds_up(figures))}"),
        ]
        if figures["accuracy"] is not None:
            rows.insert(
                8,
                (
                    "accuracy",
                    f"{figures['accuracy']:.1%}, balanced {figures['balanced_accuracy']:.1%}, "
                    f"over {figures['scored']:,} labelled cells in {len(figures['classes'])} classes",
                ),
            )
        for name, value in rows:
            table.add_row(name, value)
        self._console.print(table, soft_wrap=not self._console.is_terminal)
        self.say(f"look closer: cellgate journal summary {figures['journal_file']}")


def _journal_adds_up(figures: Mapping[str, Any]) -> bool:
    return bool(figures["journal_records"] == figures["decided"])


def _mark(good: bool) -> str:
    return "[green]✓[/]" if good else "[bold red]✗[/]"


def _spread(values: Mapping[str, float]) -> str:
    if not values:
        return "-"
    names = {"p50": "p50", "p90": "p90", "p99": "p99", "p999": "p99.9", "max": "max"}
    return "  ".join(f"{shown} {_duration(values[name])}" for name, shown in names.items())


def _duration(micros: float) -> str:
    return f"{micros:.0f} µs" if micros < 1000 else f"{micros / 1000:.1f} ms"


def _sleep(seconds: float, going_on: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while going_on() and (left := until - time.monotonic()) > 0:
        time.sleep(min(left, 0.05))
