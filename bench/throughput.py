"""How many cells per second: the engine alone, and the whole streamer around it, in turns of one run."""

from __future__ import annotations

from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from bench.flow import Flow, stages, stages_table
from bench.limit import share_of_peak
from bench.live import Streaming
from bench.offline import Offline, run_offline
from bench.plots import draw as draw_plot
from bench.subject import Options, Say, Subject, subject_of
from bench.tables import make_table, shape
from engines.backends import open_engine

TURNS = 4
"""The engine and the streamer take turns, so that what else the machine does falls on both alike."""
MESSAGES = (1, 16, 64)
"""Cells per message."""
LARGER = 1.5
"""Frames of so many times the side are sent as well, which the streamer cuts to the bundle's."""


def measure(options: Options, say: Say, *, messages: tuple[int, ...] = MESSAGES, senders: int = 1) -> dict[str, object]:
    """Return the figures.

    `engine_cells_per_s` is of the engine just as the streamer runs it, `engine_all_cores_cells_per_s` of one that is
    opened for throughput. `streamed_cells_per_s` is of the best message size; `streamed_over_engine` the median over
    turns of its rate over the engine's own in the same turn.
    """
    subject = subject_of(options)
    seconds = options.seconds / TURNS
    flows = [Flow(n, subject.frames, senders) for n in messages]
    larger = Flow(messages[len(messages) // 2], _larger(subject.frames), senders)
    alone: list[Offline] = []
    say(f"starting {subject.bundle.manifest.name} in {subject.how.precision}")
    engine = subject.open()
    try:
        with Streaming(subject.bundle, subject.how) as streamer:
            for turn in range(TURNS):
                say(f"turn {turn + 1} of {TURNS}: the engine alone")
                alone.append(run_offline(engine, subject.frames, seconds))
                rate = alone[-1].cells_per_s
                for flow in (*flows, larger):
                    say(f"turn {turn + 1} of {TURNS}: streamed, {flow.per_message} per message")
                    flow.turn(streamer, subject.how.top, rate, seconds, rate)
        name = engine.name
    finally:
        engine.close()
    cells = sum(part.cells for part in alone)
    rate = cells / sum(part.seconds for part in alone)
    say("the engine with all cores")
    all_cores = _all_cores(subject, min(options.seconds, 2.0))
    say("what the machine does at best")
    how, spare = subject.how, min(options.seconds, 2.0)
    share = share_of_peak(subject.bundle, name, how.precision, rate, threads=how.threads, seconds=spare)
    say("where the time goes")
    best = max(flows, key=lambda flow: flow.cells_per_s)
    split = stages(subject.bundle, subject.how, Flow(best.per_message, best.frames), rate, min(options.seconds, 3.0))
    found = best.figures()
    return {
        **subject.about(),
        "engine": name,
        "engine_cells_per_s": round(rate, 1),
        "engine_cpu_us_per_cell": round(sum(part.cpu_seconds for part in alone) / cells * 1e6, 1),
        "engine_all_cores_cells_per_s": round(all_cores, 1),
        **share,
        "streamed_cells_per_s": found["cells_per_s"],
        "streamed_over_engine": found["over_engine"],
        "streamed_per_message": best.per_message,
        "streamed": [flow.figures() for flow in (*flows, larger)],
        "stages": split,
    }


def _larger(frames: NDArray[np.generic]) -> NDArray[np.generic]:
    """Return an eighth as many frames of `LARGER` times the side, the old ones in their middle."""
    more_y, more_x = (ceil(side * (LARGER - 1) / 2) for side in frames.shape[2:])
    some = frames[: max(64, len(frames) // 8)]
    return np.pad(some, ((0, 0), (0, 0), (more_y, more_y), (more_x, more_x)), mode="edge")


def _all_cores(subject: Subject, seconds: float) -> float:
    how = subject.how
    engine = open_engine(
        subject.bundle,
        how.engine,
        precision=how.precision,
        threads=how.threads,
        ladder=(how.top,),
        mode="throughput",
        measure=False,
    )
    try:
        engine.warm()
        return run_offline(engine, subject.frames, seconds).cells_per_s
    finally:
        engine.close()


def tables(figures: dict[str, Any]) -> list[Table]:
    """Return the rates, and where the processor's time goes."""
    rows: list[list[object]] = [
        ["engine alone", figures["engine_cells_per_s"], None, 1.0, figures["engine_cpu_us_per_cell"], None],
        ["engine alone, all cores", figures["engine_all_cores_cells_per_s"], None, None, None, None],
    ]
    for flow in figures["streamed"]:
        cpu = sum(value for name, value in flow["cpu_us_per_cell"].items() if name != "client")
        name = f"streamed, {flow['per_message']} per message, {shape(flow['frame_shape'])}"
        rows.append([name, flow["cells_per_s"], flow["bytes_per_s"] / 1e6, flow["over_engine"], cpu, flow["missing"]])
    title = f"Throughput: {figures['bundle']}, {figures['engine']}"
    rates = make_table(title, ("", "cells/s", "MB/s", "over engine", "CPU µs/cell", "missing"), rows)
    return [rates, stages_table(figures["stages"])]


def draw(figures: dict[str, Any], directory: Path) -> list[Path]:
    """Draw the rates as bars."""
    bars = {"engine alone": figures["engine_cells_per_s"]}
    for flow in figures["streamed"]:
        bars[f"{flow['per_message']} per message\n{shape(flow['frame_shape'])}"] = flow["cells_per_s"]

    def paint(axes: Any) -> None:
        axes.bar(list(bars), list(bars.values()), color=["C7", *["C0"] * (len(bars) - 1)])
        axes.axhline(figures["engine_cells_per_s"], color="C7", linewidth=1, linestyle="--")
        axes.set(ylabel="cells per second", title=f"{figures['bundle']}, {figures['engine']}")

    return draw_plot("throughput", directory, paint)
