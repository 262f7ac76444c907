"""What the streamer itself costs: with an engine that answers at once, beside a bare ZeroMQ echo in the same run."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from bench.curve import curve
from bench.flow import Flow, stages, stages_table
from bench.live import Bare, How, Load, Outcome, Streaming, Transport, frames_for, play, write_instant_bundle
from bench.plots import draw as draw_plot
from bench.plots import paint_curves
from bench.subject import Options, Say, subject_of
from bench.tables import PERCENTILES, make_table, percentile_cells, shape
from engines.bundle import Bundle
from streamer.loop import Awake
from streamer.simulator import percentiles

NAMES = {"streamer": "streamer", "echo": "echo", "echo_awake": "echo, processors held awake"}
TURNS = 4
RATE = 1000.0
LADDER = (1, 2, 4, 8, 16, 32, 64)
MESSAGES = (1, 16, 64)
SHAPES = ((1, 32, 32), (4, 128, 128))
"""Frames that the flow is measured with as well; every stage but the copying of frames is the same for all."""
SLOT_BYTES = 256 << 20
FLOW_RATE = 25_000.0
"""Cells per second that the first turn of a flow is planned for; the next ones are planned for what it was."""


def measure(
    options: Options, say: Say, *, rate: float = RATE, transports: tuple[Transport, ...] = ("ipc",)
) -> dict[str, object]:
    """Return the figures: latencies at `rate` one-cell messages per second, and the most cells per second.

    `p50_ratio` and `p99_ratio` are the streamer's over the echo's on the first transport: the median over turns in
    which the two are measured one after the other. Frames are those of the bundle or network given, else 2×64×64.
    """
    with tempfile.TemporaryDirectory(prefix="cg-") as scratch:
        if options.bundle is None and options.network is None:
            shape = (2, 64, 64)
        else:
            shape = subject_of(options).bundle.frame_shape
        bundle = _bundle(Path(scratch) / "instant", shape)
        how = How(ladder=LADDER, instant=True, slots=_slots(bundle))
        compared = {
            transport: _compare(bundle, how, transport, rate, options.seconds, options.seed, say)
            for transport in transports
        }
        first = compared[transports[0]]
        say("flat out")
        flows = _flows(bundle, how, options.seconds, say, MESSAGES)
        for number, other in enumerate(SHAPES):
            more = _bundle(Path(scratch) / f"instant-{number}", other)
            flows += _flows(more, How(ladder=LADDER, instant=True, slots=_slots(more)), options.seconds, say, (16,))
        split = [
            stages(bundle, how, Flow(flow.per_message, flow.frames), flow.cells_per_s, min(options.seconds, 3.0))
            for flow in flows[: len(MESSAGES)]
        ]
        say("the echo, flat out")
        echo = _echo_flat_out(bundle, options.seconds)
    return {
        "frame_shape": bundle.frame_shape,
        "rate": rate,
        "p50_ratio": first["p50_ratio"],
        "p99_ratio": first["p99_ratio"],
        "latency": compared,
        "flat_out": [flow.figures() for flow in flows],
        "echo_flat_out_cells_per_s": round(echo, 1),
        "stages": split,
    }


def _compare(
    bundle: Bundle, how: How, transport: Transport, rate: float, seconds: float, seed: int, say: Say
) -> dict[str, object]:
    frames = frames_for(bundle)
    cells = max(100, int(rate * seconds / TURNS))
    streamed: list[Outcome] = []
    echoed: list[Outcome] = []
    awake: list[Outcome] = []
    holding = Awake(wished=True)
    with Streaming(bundle, how, transport) as streamer, Bare("bench.live.echo", bundle, transport) as echo:
        for target in (streamer.target(), echo.target()):
            play(target, frames, Load(min(cells, 200), rate))  # what is done for the first time takes longer
        for turn in range(TURNS):
            say(f"{transport}, turn {turn + 1} of {TURNS}: {rate:g} cells/s")
            load = Load(cells, rate, seed=seed + turn)
            streamed.append(play(streamer.target(), frames, load))
            echoed.append(play(echo.target(), frames, load))
            # While a series is open the streamer holds the processors awake where it may, which the echo profits from
            # as well: so it is measured with and without.
            holding.hold()
            if holding.held:
                awake.append(play(echo.target(), frames, load))
                holding.release()
    ratios = _ratios(streamed, echoed)
    found: dict[str, object] = {"processors_held_awake": bool(awake)}
    if awake:
        kinder = _ratios(streamed, awake)
        found |= {f"{name}_to_echo_awake": value for name, value in kinder.items()} | {"echo_awake": _together(awake)}
    return {
        **ratios,
        **found,
        "streamer": _together(streamed),
        "echo": _together(echoed),
    }


def _ratios(streamed: list[Outcome], echoed: list[Outcome]) -> dict[str, object]:
    """Return the medians over turns, and each turn's."""
    found: dict[str, object] = {}
    for q in (50, 99):
        by_turn = [_at(one, q) / _at(other, q) for one, other in zip(streamed, echoed, strict=True)]
        found[f"p{q}_ratio"] = round(float(np.median(by_turn)), 3)
        found[f"p{q}_ratio_by_turn"] = [round(ratio, 3) for ratio in by_turn]
    return found


def _together(outcomes: list[Outcome]) -> dict[str, object]:
    """Return the latencies of all turns as one."""
    return {
        "sent": sum(len(outcome) for outcome in outcomes),
        "missing": sum(outcome.missing for outcome in outcomes),
        "account_errors": [error for outcome in outcomes for error in outcome.errors()],
        "latency_us": percentiles(_pooled(outcomes)),
        "curve_us": curve(_pooled(outcomes)),
        "sender_lateness_us": percentiles(
            np.concatenate([(outcome.sent_ns - outcome.planned_ns) / 1e3 for outcome in outcomes])
        ),
    }


def _pooled(outcomes: list[Outcome]) -> NDArray[np.float64]:
    return np.concatenate([outcome.latency_us() for outcome in outcomes])


def _at(outcome: Outcome, q: float) -> float:
    return float(np.percentile(outcome.latency_us(), q))


def _flows(bundle: Bundle, how: How, seconds: float, say: Say, messages: tuple[int, ...]) -> list[Flow]:
    flows = [Flow(n, frames_for(bundle)) for n in messages]
    with Streaming(bundle, how) as streamer:
        for flow in flows:
            say(f"flat out: {'×'.join(map(str, bundle.frame_shape))}, {flow.per_message} per message")
            for _ in range(TURNS):
                rate = flow.rates[-1] if flow.rates else FLOW_RATE
                flow.turn(streamer, how.top, rate, seconds / TURNS)
    return flows


def _echo_flat_out(bundle: Bundle, seconds: float) -> float:
    with Bare("bench.live.echo", bundle) as echo:
        cells = max(1000, int(FLOW_RATE * min(seconds, 2.0)))
        return play(echo.target(), frames_for(bundle), Load(cells, window=512)).steady_cells_per_s


def _bundle(path: Path, shape: tuple[int, int, int]) -> Bundle:
    channels, height, width = shape
    return write_instant_bundle(path, channels=channels, height=height, width=width)


def _slots(bundle: Bundle) -> int:
    channels, height, width = bundle.frame_shape
    return max(512, min(4096, SLOT_BYTES // (channels * height * width * bundle.dtype.itemsize)))


def tables(figures: dict[str, Any]) -> list[Table]:
    """Return the latencies beside the echo's, the rates, and where the processor's time goes."""
    rows: list[list[object]] = []
    for transport, found in figures["latency"].items():
        both = [name for name in ("streamer", "echo", "echo_awake") if name in found]
        rows += [[f"{transport}, {NAMES[name]}", *percentile_cells(found[name]["latency_us"])] for name in both]
        rows.append([f"{transport}, ratio", found["p50_ratio"], None, found["p99_ratio"], None, None])
    title = f"Planned sending to answer at {figures['rate']:g} cells/s, µs: an engine that answers at once"
    flows = [
        [
            f"{shape(flow['frame_shape'])}, {flow['per_message']} per message",
            flow["cells_per_s"],
            flow["bytes_per_s"] / 1e6,
            flow["cpu_us_per_cell"]["loop"],
            flow["cpu_us_per_cell"]["zmq"],
            flow["cpu_us_per_cell"]["client"],
            flow["missing"],
        ]
        for flow in figures["flat_out"]
    ]
    flows.append(["the echo, 1 per message", figures["echo_flat_out_cells_per_s"], *[None] * 5])
    heads = ("", "cells/s", "MB/s", "loop µs/cell", "ZeroMQ µs/cell", "client µs/cell", "missing")
    return [
        make_table(title, ("", *PERCENTILES.values()), rows),
        make_table("Flat out", heads, flows),
        *(stages_table(found) for found in figures["stages"]),
    ]


def draw(figures: dict[str, Any], directory: Path) -> list[Path]:
    """Draw both distributions of latency."""
    curves = {
        f"{name}, {transport}": found[name]["curve_us"]
        for transport, found in figures["latency"].items()
        for name in ("streamer", "echo")
    }
    title = f"{figures['rate']:g} cells/s, an engine that answers at once"
    return draw_plot("overhead", directory, lambda axes: paint_curves(axes, curves, title))
