"""The figures as tables for people."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.table import Table

from bench.peers._verdict import OF_ENGINE, OF_P99, TIMES_THROUGHPUT

PERCENTILES = ("p50", "p99", "p999")


def tables(figures: dict[str, Any]) -> list[Table]:
    """Return what each one does, in cells per second and milliseconds, and how Cellgate compares with each."""
    return [_each(figures), _compared(figures)]


def _each(figures: dict[str, Any]) -> Table:
    shape = " × ".join(map(str, figures["frame_shape"]))
    title = f"{figures['bundle']}, {shape}, {figures['engine']}; p50 / p99 / p99.9 in ms at shares of its own maximum"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("server", "batch, wait, workers"):
        table.add_column(name)
    for name in ("cells/s", "at 25 %", "at 50 %", "at 75 %"):
        table.add_column(name, justify="right")
    cellgate = figures["cellgate"]
    table.add_row("the engine alone", "", f"{cellgate['engine_cells_per_s']:,.0f}")
    table.add_row("Cellgate", "as delivered", *_figures(cellgate))
    for row in figures["peers"]:
        if row["measured"]:
            setting = row["setting"]
            words = f"{setting['batch']}, {setting['wait_ms']:g} ms, {setting['workers']}"
            table.add_row(row["title"], words, *_figures(row))
    return table


def _compared(figures: dict[str, Any]) -> Table:
    share = figures["cellgate"]["streamed_over_engine"]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Cellgate over")
    table.add_column(f"throughput (≥ {TIMES_THROUGHPUT:g}, or ≥ {OF_ENGINE:.0%} of the engine: {share:.1%})")
    table.add_column(f"p99 at half its maximum (≤ {OF_P99:g})")
    for row in figures["peers"]:
        if row["measured"]:
            half = row["latency"]["50%"]["rate"]
            throughput = f"{_times(row['throughput_ratio'])} {_met(row['throughput_met'])}"
            table.add_row(
                row["title"], throughput, f"{_times(row['p99_ratio'])} at {half:,.0f}/s {_met(row['p99_met'])}"
            )
        else:
            table.add_row(row["title"], f"not measured: {row['reason']}")
    return table


def _figures(row: dict[str, Any]) -> list[str]:
    return [f"{row['cells_per_s']:,.0f}", *(_latency(share["latency_us"]) for share in row["latency"].values())]


def _latency(found: dict[str, float]) -> str:
    return " / ".join(f"{found[name] / 1e3:,.2f}" for name in PERCENTILES) if found else "–"


def _times(ratio: float | None) -> str:
    return "unknown" if ratio is None else f"{ratio:.3g}×"


def _met(good: bool) -> str:
    return "met" if good else "NOT MET"
