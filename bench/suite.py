"""The benches `cellgate bench all` runs, and how any of them is run: say what is done, measure, write, show, draw.

A bench is a module, or a package's face, with

- `measure(options, say)`: do it with its defaults and return JSON-able figures;
- `tables(figures)`: the rich tables that show them;
- `draw(figures, directory)`, if it has something to draw: write PNG and SVG, return the files.

Its name here makes it part of `all`; its command is registered in `bench/cli.py` and calls `run`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from bench.machine import environment
from engines.errors import InputError

BENCHES: dict[str, str] = {
    "throughput": "bench.throughput",
    "latency": "bench.latency",
    "overhead": "bench.overhead",
    "saturation": "bench.saturation",
    "peers": "bench.peers",
}
"""Name and module, in the order they are run in."""
ALONE: dict[str, str] = {"soak": "bench.soak"}
"""Benches that take so long that they are run by their own command only."""

Figures = dict[str, Any]
Measure = Callable[[Callable[[str], None]], Figures]


def run(name: str, measure: Measure, *, seconds: float, json: Path | None, plot: Path | None) -> Figures:
    """Run one bench and write, show and draw what it found.

    Parameters
    ----------
    measure
        Called with what tells the user what is being done.

    Raises
    ------
    InputError
        A file cannot be written.
    MissingExtraError
        Plots are asked for without matplotlib.
    """
    _check_outputs(json, plot)
    about = _about(name, seconds)
    figures = _measured(measure, name)
    report = {**about, **figures}
    _finish(report, {name: figures}, json, plot)
    return report


def run_all(measures: dict[str, Measure], *, seconds: float, json: Path | None, plot: Path | None) -> Figures:
    """Run these benches one after the other and write one file; see `run`."""
    _check_outputs(json, plot)
    about = _about("all", seconds)
    results = {name: _measured(measure, name) for name, measure in measures.items()}
    report = {**about, "results": results}
    _finish(report, results, json, plot)
    return report


def measure_of(name: str) -> Callable[..., Figures]:
    """Return a bench's `measure`; imported only now, as it loads what it measures."""
    found: Callable[..., Figures] = import_module(_module(name)).measure
    return found


def _module(name: str) -> str:
    return BENCHES.get(name) or ALONE[name]


def _about(name: str, seconds: float) -> Figures:
    return {
        "bench": name,
        "command": " ".join(["cellgate", *sys.argv[1:]]) if sys.argv[1:2] == ["bench"] else f"cellgate bench {name}",
        "date": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "seconds": seconds,
        "environment": environment(),
    }


def _measured(measure: Measure, name: str) -> Figures:
    console = Console(stderr=True)
    status = console.status(f"{name} …") if console.is_terminal else None

    def say(text: str) -> None:
        if status is not None:
            status.update(f"{name}: {text} …")

    began = time.monotonic()
    with status or nullcontext():
        figures = measure(say)
    return {**figures, "took_s": round(time.monotonic() - began, 1)}


def _finish(report: Figures, results: dict[str, Figures], json: Path | None, plot: Path | None) -> None:
    if json is not None:
        _write(report, json)
    console = Console()
    # A row is never cut: a terminal too narrow for it wraps it.
    console = Console(width=max(console.width, 120))
    for name, figures in results.items():
        for table in import_module(_module(name)).tables(figures):
            console.print(table)
            console.print()
    if plot is not None:
        for name, figures in results.items():
            draw = getattr(import_module(_module(name)), "draw", None)
            for file in draw(figures, plot) if draw is not None else ():
                console.print(f"drawn: {file}")


def _check_outputs(json: Path | None, plot: Path | None) -> None:
    """Refuse now what would be refused after minutes of measuring."""
    if plot is not None:
        from bench.plots import require_plot

        require_plot()
    if json is not None and not json.parent.is_dir():
        raise InputError(json, "--json", "no such directory", "a file that can be written")


def _write(report: Figures, path: Path) -> None:
    text = msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"
    try:
        path.write_bytes(text)
    except OSError as error:
        raise InputError(path, "--json", error.strerror or str(error), "a file that can be written") from error
