"""The figures as tables and as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.table import Table

from bench.peers._verdict import OF_ENGINE, OF_P99, TIMES_THROUGHPUT
from bench.plots import draw as draw_plot
from bench.tables import PERCENTILES, make_table, percentile_cells, shape


def tables(figures: dict[str, Any]) -> list[Table]:
    """Return what each one carries, how quickly it answers, and how Cellgate compares."""
    about = f"{figures['bundle']}, {shape(figures['frame_shape'])}, {figures['engine']}"
    cellgate, measured = figures["cellgate"], [row for row in figures["peers"] if row["measured"]]
    limit = cellgate["engine_cells_per_s"]
    carried = [("engine alone", "", limit, 1.0), ("Cellgate", "as delivered", *_rate(cellgate, limit))]
    carried += [(f"{row['title']} {row['version']}", _words(row["setting"]), *_rate(row, limit)) for row in measured]
    latency = [line for row in ({**cellgate, "title": "Cellgate"}, *measured) for line in _latencies(row)]
    met = f"throughput (≥ {TIMES_THROUGHPUT:g}, or ≥ {OF_ENGINE:.0%} of the engine)"
    found = [
        make_table(
            f"Most cells per second, one cell a message: {about}", ("", "setting", "cells/s", "/ engine"), carried
        ),
        make_table(
            "Planned sending to answer at shares of its own maximum, Poisson arrivals, µs",
            ("", "share", "cells/s", *PERCENTILES.values(), "failed", "sender late, p99"),
            latency,
        ),
        make_table("Cellgate over", ("", met, "", f"p99 at half its maximum (≤ {OF_P99:g})", ""), map(_met, measured)),
    ]
    missing = [(row["title"], row["reason"]) for row in figures["peers"] if not row["measured"]]
    return [*found, _not_measured(missing)] if missing else found


def draw(figures: dict[str, Any], directory: Path) -> list[Path]:
    """Draw the rates as bars."""
    cellgate = figures["cellgate"]
    bars = {"engine alone": cellgate["engine_cells_per_s"], "Cellgate": cellgate["cells_per_s"]}
    bars |= {row["title"]: row["cells_per_s"] for row in figures["peers"] if row["measured"]}

    def paint(axes: Any) -> None:
        axes.bar(list(bars), list(bars.values()), color=["C7", "C0", *["C1"] * (len(bars) - 2)])
        axes.axhline(cellgate["engine_cells_per_s"], color="C7", linewidth=1, linestyle="--")
        axes.set(ylabel="cells per second", title=f"{figures['bundle']}, {figures['engine']}")
        axes.tick_params(axis="x", labelrotation=20)

    return draw_plot("peers", directory, paint)


def _rate(row: dict[str, Any], limit: float) -> tuple[float, float]:
    return row["cells_per_s"], row["cells_per_s"] / limit


def _words(setting: dict[str, Any]) -> str:
    return f"batch {setting['batch']}, wait {setting['wait_ms']:g} ms, workers {setting['workers']}"


def _latencies(row: dict[str, Any]) -> list[tuple[object, ...]]:
    return [
        (
            row["title"],
            share,
            each["rate"],
            *percentile_cells(each["latency_us"]),
            each["failed"],
            each["sender_lateness_us"].get("p99"),
        )
        for share, each in row["latency"].items()
    ]


def _met(row: dict[str, Any]) -> tuple[object, ...]:
    words = {True: "met", False: "NOT MET"}
    throughput, p99 = row["throughput_over_peer"], row["p99_ratio"]
    return row["title"], throughput, words[row["throughput_met"]], p99, words[row["p99_met"]]


def _not_measured(missing: list[tuple[str, str]]) -> Table:
    # Reasons are sentences: they may take several lines.
    table = Table("", "because", title="Not measured", title_justify="left", box=None, pad_edge=False)
    for title, reason in missing:
        table.add_row(title, reason)
    return table
