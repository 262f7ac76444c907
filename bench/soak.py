"""Half an hour under load: whether memory stays what it is, and the last minutes are as quick as the first.

A machine is not equally quick for half an hour, a virtual one least of all. So what the streamer's threads spend on
a cell is told beside the latencies of every part: where it rises, the machine has become slower, not the queue longer.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from bench.flow import Flow
from bench.live import Load, Outcome, Streaming, play, spent, thread_seconds
from bench.plots import draw as draw_plot
from bench.sort_delay import sort_delay_for
from bench.subject import Options, Say, subject_of
from bench.tables import PERCENTILES, make_table, percentile_cells
from engines.errors import CellgateError
from streamer.simulator import percentiles

MINUTES, LOAD = 30.0, 0.7
PARTS = 6
"""Of the whole time: the first is warm-up for memory, and the first and the last are compared in latency."""
SAMPLES_PER_PART = 30
FLAT_OUT_S, FLAT_OUT_RATE = 3.0, 2000.0


@dataclass
class _Watch:
    """Resident memory and processor time of a process, sampled beside a measurement."""

    pid: int
    every_s: float
    at_s: list[float] = field(default_factory=list)
    mib: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)

    def __enter__(self) -> _Watch:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="watch", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        began, before = time.monotonic(), thread_seconds(self.pid)
        while not self._over.wait(self.every_s):
            self.at_s.append(time.monotonic() - began)
            self.mib.append(resident_mib(self.pid))
            self.cpu_s.append(sum(spent(before, thread_seconds(self.pid), self.pid).values()))


def resident_mib(pid: int) -> float:
    """Return the resident memory of a process in MiB; Linux only. `CellgateError` if it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError as error:
        raise CellgateError(f"bench: process {pid} is gone ({error.strerror})") from error
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


def measure(
    options: Options, say: Say, *, minutes: float = MINUTES, load: float = LOAD, sort_delay_us: float | None = None
) -> dict[str, object]:
    """Return memory and latencies over `minutes` at `load` times the most the streamer takes in one-cell messages.

    `sort_delay_us`, from trigger to actuation, is by default what suits the engine (`sort_delay_for`).

    `rss_growth` is the most memory after the first part of `PARTS` over what it was at that part's end, less one;
    `p99_last_over_first` compares the last part's 99th percentile with the first's, `cpu_last_over_first` what the
    streamer spent on a cell: the machine's own pace.
    """
    subject = subject_of(options)
    seconds = minutes * 60
    with Streaming(subject.bundle, replace(subject.how)) as streamer:
        say("flat out")
        flow = Flow(1, subject.frames)
        for _ in range(2):  # the first is planned for a guessed rate
            flow.turn(streamer, subject.how.top, flow.rates[-1] if flow.rates else FLAT_OUT_RATE, FLAT_OUT_S)
        rate = load * flow.rates[-1]
        delay_us = sort_delay_us or sort_delay_for(subject.how.top, flow.rates[-1])
        say(f"{minutes:g} minutes at {rate:.0f} cells/s")
        with _Watch(streamer.pid, seconds / (PARTS * SAMPLES_PER_PART)) as watch:
            planned = Load(max(PARTS, int(rate * seconds)), rate, seed=options.seed)
            outcome = play(streamer.target(delay_us), subject.frames, planned)
        streamer.stop()
    if not outcome.decided.any():
        raise CellgateError(f"bench: no decision came on any of {len(outcome)} cells")
    figures = outcome.figures()
    return {
        **subject.about(),
        "minutes": minutes,
        "load": load,
        "flat_out_cells_per_s": round(flow.rates[-1], 1),
        "rate": round(rate, 1),
        "sort_delay_us": round(delay_us, 1),
        **figures,
        "parts": _parts(outcome),
        **_compared(outcome),
        **_pace(watch, rate, seconds),
        **_memory(watch, seconds),
    }


def _latency_by_part(outcome: Outcome) -> list[NDArray[np.float64]]:
    planned = outcome.planned_ns[outcome.decided]
    part = (planned - planned.min()) * PARTS // (int(planned.max() - planned.min()) + 1)
    latency = outcome.latency_us()
    return [latency[part == number] for number in range(PARTS)]


def _parts(outcome: Outcome) -> list[dict[str, float]]:
    return [percentiles(latency) for latency in _latency_by_part(outcome)]


def _compared(outcome: Outcome) -> dict[str, float]:
    latency = _latency_by_part(outcome)
    first, last = (float(np.percentile(part, 99)) for part in (latency[0], latency[-1]))
    return {
        "p99_first_us": round(first, 1),
        "p99_last_us": round(last, 1),
        "p99_last_over_first": round(last / first, 3),
    }


def _pace(watch: _Watch, rate: float, seconds: float) -> dict[str, object]:
    bounds = np.linspace(0.0, seconds, PARTS + 1)
    spent_s = np.diff(np.interp(bounds, [0.0, *watch.at_s], [0.0, *watch.cpu_s]))
    per_cell = spent_s / (rate * seconds / PARTS) * 1e6
    return {
        "cpu_us_per_cell": [round(float(value), 1) for value in per_cell],
        "cpu_last_over_first": round(float(per_cell[-1] / per_cell[0]), 3) if per_cell[0] > 0 else None,
    }


def _memory(watch: _Watch, seconds: float) -> dict[str, object]:
    at, mib = np.array(watch.at_s), np.array(watch.mib)
    warm = at >= seconds / PARTS
    steady = mib[warm] if warm.any() else mib
    return {
        "rss_mib": [round(value, 2) for value in watch.mib],
        "rss_at_s": [round(value, 1) for value in watch.at_s],
        "rss_growth": round(float(steady.max() / steady[0] - 1), 4) if len(steady) else None,
    }


def tables(figures: dict[str, Any]) -> list[Table]:
    """Return the latencies part by part, and the memory."""
    span = figures["minutes"] / PARTS
    rows = [
        [f"{span * number:.3g} – {span * (number + 1):.3g} min", *percentile_cells(part), cpu]
        for number, (part, cpu) in enumerate(zip(figures["parts"], figures["cpu_us_per_cell"], strict=True))
    ]
    title = f"{figures['minutes']:g} minutes at {figures['rate']:,.0f} cells/s ({figures['load']:.0%} of the most), µs"
    memory = figures["rss_mib"]
    about = [
        ["from trigger to actuation, ms", figures["sort_delay_us"] / 1000],
        ["sent", figures["sent"]],
        ["missing", figures["missing"]],
        ["missed their deadline", figures["missed"]],
        ["kept late", figures["kept_late"]],
        ["p99, last part over first", figures["p99_last_over_first"]],
        ["processor time per cell, last part over first", figures["cpu_last_over_first"]],
        ["memory at the end, MiB", memory[-1] if memory else None],
        ["memory's growth after warm-up", figures["rss_growth"]],
    ]
    heads = ("", *PERCENTILES.values(), "CPU µs/cell")
    return [make_table(title, heads, rows), make_table("Account and memory", ("", ""), about)]


def draw(figures: dict[str, Any], directory: Path) -> list[Path]:
    """Draw memory over time."""

    def paint(axes: Any) -> None:
        axes.plot([at / 60 for at in figures["rss_at_s"]], figures["rss_mib"])
        axes.set(xlabel="minutes", ylabel="resident memory (MiB)", ylim=(0, None))
        axes.set(title=f"{figures['rate']:,.0f} cells/s")
        axes.grid(alpha=0.25)

    return draw_plot("soak", directory, paint)
