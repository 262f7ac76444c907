"""How long a cell waits for its decision: Poisson arrivals at set rates, against the moment each was to be sent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from bench.curve import curve
from bench.live import Load, Outcome, Streaming, Transport, play
from bench.offline import run_offline
from bench.plots import draw as draw_plot
from bench.plots import paint_curves
from bench.subject import Options, Say, Subject, subject_of
from bench.tables import PERCENTILES, make_table, percentile_cells
from streamer.loop import Realtime
from streamer.simulator import percentiles

SHARES = (0.25, 0.5, 0.75)
"""Of the engine's own rate, where no rates are given."""
SORT_DELAY_US = 20_000.0
WARM_CELLS = 100
PARTS = ("sending", "wait", "engine", "decision", "publish")


def measure(
    options: Options,
    say: Say,
    *,
    rates: tuple[float, ...] = (),
    transports: tuple[Transport, ...] = ("ipc", "tcp"),
    sort_delay_us: float = SORT_DELAY_US,
    per_message: int = 1,
    spin: bool = False,
) -> dict[str, object]:
    """Return percentiles for every transport and rate.

    Parameters
    ----------
    rates
        Cells per second; by default a quarter, a half and three quarters of what the engine does alone.
    sort_delay_us
        From trigger to actuation; a cell whose decision comes later has missed.
    spin
        Whether the streamer's loop never sleeps; see `streamer.spin`.
    """
    subject = subject_of(options)
    subject = replace(subject, how=replace(subject.how, spin=spin))
    chosen = rates or _shares(subject, say)
    found = [
        row
        for transport in transports
        for row in _measure(subject, transport, chosen, options, say, sort_delay_us, per_message)
    ]
    return {
        **subject.about(),
        "sort_delay_us": sort_delay_us,
        "per_message": per_message,
        "spin": spin,
        "realtime": Realtime(wished=True, spinning=spin).granted,
        "latency": found,
    }


def _shares(subject: Subject, say: Say) -> tuple[float, ...]:
    say("what the engine does alone")
    engine = subject.open()
    try:
        alone = run_offline(engine, subject.frames, 0.5).cells_per_s
    finally:
        engine.close()
    return tuple(float(f"{share * alone:.3g}") for share in SHARES)


def _measure(
    subject: Subject,
    transport: Transport,
    rates: tuple[float, ...],
    options: Options,
    say: Say,
    sort_delay_us: float,
    per_message: int,
) -> list[dict[str, object]]:
    say(f"{transport}: starting {subject.bundle.manifest.name} in {subject.how.precision}")
    outcomes = []
    with Streaming(subject.bundle, replace(subject.how, stamps=True), transport) as streamer:
        target = streamer.target(sort_delay_us)
        play(target, subject.frames, Load(WARM_CELLS, rates[0]))
        for place, rate in enumerate(rates):
            say(f"{transport}: {rate:g} cells/s")
            cells = max(per_message, int(rate * options.seconds))
            load = Load(cells, rate, per_message, seed=options.seed + place)
            outcomes.append(play(target, subject.frames, load))
        streamer.stop()
        return [
            {"transport": transport, "rate": rate, **outcome.figures(), "parts_us": _parts(streamer, outcome)}
            | {"curve_us": curve(outcome.latency_us())}
            for rate, outcome in zip(rates, outcomes, strict=True)
        ]


def _parts(streamer: Streaming, outcome: Outcome) -> dict[str, dict[str, float]]:
    """Return the percentiles of each part of the way, of the cells that went all of it.

    `sending`: planned to received by the streamer, so it has the sender's lateness in it. `wait`: to the engine.
    `engine`: to its answer. `decision`: to the socket. `publish`: to the receiver.
    """
    stamps, arrivals = streamer.stamps(outcome.series), streamer.arrivals(outcome.series)
    moments = np.zeros((len(outcome), 6), np.int64)
    moments[:, 0], moments[:, 5] = outcome.planned_ns, outcome.received_ns
    moments[arrivals["seq"], 1] = arrivals["arrival_ns"]
    for column, name in enumerate(("submitted_ns", "answered_ns", "published_ns"), 2):
        moments[stamps["seq"], column] = stamps[name]
    spans = np.diff(moments[(moments > 0).all(1)], axis=1) / 1e3
    return {name: percentiles(spans[:, place]) for place, name in enumerate(PARTS)}


def tables(figures: dict[str, Any]) -> list[Table]:
    """Return the percentiles, and those of each part of the way."""
    rows: list[list[object]] = []
    parts: list[list[object]] = []
    for row in figures["latency"]:
        name = f"{row['transport']}, {row['rate']:g}/s"
        lateness = row["sender_lateness_us"].get("p99")
        rows.append([name, *percentile_cells(row["latency_us"]), row["jitter_us"], row["missed"], lateness])
        parts += [[f"{name}: {part}", *percentile_cells(row["parts_us"][part])] for part in PARTS]
    title = f"Planned sending to decision, µs: {figures['bundle']}, {figures['precision']}"
    heads = ("", *PERCENTILES.values())
    return [
        make_table(title, (*heads, "jitter", "missed", "sender late, p99"), rows),
        make_table("Of which, µs", heads, parts),
    ]


def draw(figures: dict[str, Any], directory: Path) -> list[Path]:
    """Draw the distributions of latency."""
    curves = {f"{row['transport']}, {row['rate']:g} cells/s": row["curve_us"] for row in figures["latency"]}
    title = f"{figures['bundle']}, {figures['precision']}"
    return draw_plot("latency", directory, lambda axes: paint_curves(axes, curves, title))
