"""The result as a table for people."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from bench.peers._verdict import OF_ENGINE, OF_P99, TIMES_THROUGHPUT


def show(result: dict[str, Any], console: Console) -> None:
    """Print the result: rates in cells per second, latencies in milliseconds."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("server", "setting"):
        table.add_column(name)
    heads = ("cells/s", "25 %: p50", "p99", "p99.9", "50 %: p50", "p99", "p99.9", "75 %: p50", "p99", "p99.9")
    for name in heads:
        table.add_column(name, justify="right")
    cellgate = result["cellgate"]
    table.add_row("engine alone", "", f"{cellgate['engine_cells_per_s']:,.0f}")
    table.add_row("Cellgate", "as delivered", *_figures(cellgate))
    for row in result["peers"]:
        if not row["measured"]:
            continue
        setting = row["setting"]
        wait = f" {setting['wait_ms']:g} ms" if setting["batch"] > 1 else ""
        table.add_row(row["title"], f"{setting['batch']}{wait} ×{setting['workers']}", *_figures(row))
    console.print(
        f"{result['bundle']}, {' × '.join(map(str, result['frame_shape']))}, {result['engine']}, threads per network: "
        f"{result['threads']}; latencies in ms from planned sending, at shares of each one's own maximum"
    )
    console.print(table)
    for row in result["peers"]:
        console.print(_sentence(row, cellgate), soft_wrap=True)


def _figures(row: dict[str, Any]) -> list[str]:
    found = [f"{row['cells_per_s']:,.0f}"]
    for share in row["latency"].values():
        latency = share["latency_us"]
        found += [f"{latency[name] / 1e3:,.2f}" if latency else "–" for name in ("p50", "p99", "p999")]
    return found


def _sentence(row: dict[str, Any], cellgate: dict[str, Any]) -> str:
    if not row["measured"]:
        return f"{row['title']}: not measured: {row['reason']}"
    share = cellgate["streamed_over_engine"]
    half = row["latency"]["50%"]["rate"]
    throughput = f"throughput {_times(row['throughput_ratio'])}, {share:.0%} of the engine"
    wanted = f"≥ {TIMES_THROUGHPUT:g}× or ≥ {OF_ENGINE:.0%}"
    p99 = f"p99 {_times(row['p99_ratio'])} at {half:,.0f} cells/s (≤ {OF_P99:g}×: {_met(row['p99_met'])})"
    return f"Cellgate / {row['title']}: {throughput} ({wanted}: {_met(row['throughput_met'])}); {p99}"


def _times(ratio: float | None) -> str:
    return "unknown" if ratio is None else f"{ratio:.3g}×"


def _met(good: bool) -> str:
    return "met" if good else "NOT MET"
