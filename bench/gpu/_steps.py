"""The steps: every GPU item of the plan, each a command with a time limit and a way to read what it left."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from bench.gpu._rows import Row, read_rows

MESSAGE_CELLS = 64
RATE = 10_000
FOLDS = 5
LADDER = "1,8,32,64,128"
TRIED = "student-micro"
"""What a dry run takes for the networks."""

THROUGHPUT = (
    "engine_cells_per_s",
    "engine_all_cores_cells_per_s",
    "streamed_cells_per_s",
    "streamed_over_engine",
    "share_of_peak",
    "engine_cpu_us_per_cell",
    "streamed.0.missing",
    "took_s",
)
LATENCY = (
    *(f"latency.0.latency_us.{part}" for part in ("p50", "p90", "p99", "p999", "max")),
    "latency.0.jitter_us",
    "latency.0.sender_lateness_us.p999",
    *(f"latency.0.{part}" for part in ("rate", "sent", "missing", "in_time")),
)


class Step(NamedTuple):
    """A command, the most seconds it may take, the file it writes, and the rows in it.

    `reason` says why there is nothing to run; the step is then skipped.
    """

    name: str
    seconds: float
    command: list[str]
    out: Path
    read: Callable[[Path], list[Row]]
    reason: str | None = None


def steps(folder: Path, *, dry: bool, cells: Path | None) -> list[Step]:
    """Return all steps, in order of what would be missed most; their limits add up to less than 25 minutes.

    Parameters
    ----------
    folder
        For what they write.
    dry
        Tiny, on the processor.
    cells
        The labelled Jurkat cells; without them nothing is trained.
    """
    return [
        _item("limits", 45, folder, dry=dry),
        _item("networks", 300, folder, dry=dry),
        _throughput("deepflow", 100, folder, dry=dry),
        _latency("deepflow", MESSAGE_CELLS, 60, folder, dry=dry),
        _latency("deepflow", 1, 60, folder, dry=dry),
        _throughput("student-micro", 80, folder, dry=dry),
        _item("pycuda", 45, folder, dry=dry),
        _training("deepflow", 260, folder, dry=dry, cells=cells),
        _training("deepflow-released", 300, folder, dry=dry, cells=cells),
        _item("tensorrt", 180, folder, dry=dry),
    ]


def _item(name: str, seconds: float, folder: Path, *, dry: bool) -> Step:
    out = folder / f"{name}.rows"
    command = [sys.executable, "-m", "bench.gpu.items", name, str(out), *(["--dry-run"] if dry else [])]
    return Step(name, seconds, command, out, read_rows)


def _throughput(network: str, seconds: float, folder: Path, *, dry: bool) -> Step:
    """Return the streamer around the PyTorch engine, fed as fast as it takes cells."""
    name = f"throughput {network}"
    more = ["--messages", str(MESSAGE_CELLS), "--seconds", "0.2" if dry else "6"]
    reason = "as student-micro, which is tried" if dry and network != TRIED else None
    return _live(name, "throughput", network, more, seconds, folder, THROUGHPUT, reason, dry=dry)


def _latency(network: str, per_message: int, seconds: float, folder: Path, *, dry: bool) -> Step:
    """Return how long each cell takes at a rate, open-loop."""
    name = f"latency {network}, {per_message} per message"
    more = ["--rates", "200" if dry else str(RATE), "--per-message", str(per_message), "--transport", "ipc"]
    more += ["--seconds", "0.5" if dry else "20"]
    reason = "as in larger messages, which is tried" if dry and per_message == 1 else None
    return _live(name, "latency", TRIED if dry else network, more, seconds, folder, LATENCY, reason, dry=dry)


def _live(
    name: str,
    bench: str,
    network: str,
    more: list[str],
    seconds: float,
    folder: Path,
    figures: tuple[str, ...],
    reason: str | None,
    *,
    dry: bool,
) -> Step:
    out = folder / f"{name.replace(' ', '-')}.json"
    command = [sys.executable, "-m", "bench", bench, "--engine", "torch", "--network", network]
    command += ["--precision", "fp32" if dry else "fp16", "--ladder", "1,64" if dry else LADDER]
    command += [*more, "--json", str(out)]
    return Step(name, seconds, command, out, lambda path: _figures(name, path, figures), reason)


def _training(network: str, seconds: float, folder: Path, *, dry: bool, cells: Path | None) -> Step:
    """Return the network trained in full, five-fold, label-free, as `cellgate crossval` does."""
    out = folder / f"crossval-{network}.json"
    source = "digital:120" if dry else str(cells)
    command = [sys.executable, "-m", "streamer.cli", "crossval", source, "--network", network]
    command += ["--out", str(folder / network), "--channels", "brightfield,darkfield", "--json", str(out)]
    if dry:
        command += ["--folds", "2", "--epochs", "1", "--device", "cpu"]
    else:
        # All folds at a time: one of them leaves most of a GPU idle.
        command += ["--folds", str(FOLDS), "--jobs", str(FOLDS), "--device", "cuda", "--guide", "PI"]
    reason = None if dry or cells is not None else "no cells given: --cells jurkat.npz"
    if dry and network != "deepflow":
        reason = "as deepflow, which is tried"
    return Step(
        f"crossval {network}", seconds, command, out, lambda path: _trained(f"crossval {network}", path), reason
    )


def _figures(name: str, path: Path, wanted: tuple[str, ...]) -> list[Row]:
    """Return these figures of a bench's JSON as rows; a figure is a path of keys, `0` the first of a list."""
    found = msgspec.json.decode(path.read_bytes()) if path.exists() else None
    rows = []
    for figure in wanted:
        value: Any = found
        for key in figure.split("."):
            value = value[int(key)] if isinstance(value, list) else None if value is None else value.get(key)
        if value is not None:
            rows.append(Row(name, figure, float(value), _unit(figure)))
    return rows


def _unit(figure: str) -> str:
    for ending, unit in (("cells_per_s", "cells/s"), ("us_per_cell", "µs"), ("ops_per_s", "op/s")):
        if figure.endswith(ending):
            return unit
    return "µs" if "_us" in figure else ""


def _trained(name: str, path: Path) -> list[Row]:
    if not path.exists():
        return []
    found = msgspec.json.decode(path.read_bytes())
    rows = []
    for figure in ("accuracy", "balanced_accuracy", "ece"):
        spread = found["mean"].get(figure)
        if spread is not None:
            rows.append(Row(name, f"{figure}, mean of folds", spread["mean"], ""))
            if spread["sd"] is not None:
                rows.append(Row(name, f"{figure}, deviation", spread["sd"], ""))
        if figure in found["pooled"]:
            rows.append(Row(name, f"{figure}, all answers", found["pooled"][figure], ""))
    return rows
