"""`cellgate bench scale`: what a cell costs, by channels, frame size, classes, messages and rate."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any, cast

import msgspec
from rich.table import Table

from bench.limit import copy_rate
from bench.scale._engines import EnginePoint, Graph, fit_engine, measure_network
from bench.scale._model import Model
from bench.scale._streaming import StreamingPoint, fit_streaming, measure_rates, measure_streaming
from bench.scale._terms import Shape
from bench.subject import Options, Say
from bench.tables import make_table, percentile_cells
from engines.errors import InputError

BASE = Shape(2, 64, 64)
SHAPES = (
    BASE,
    Shape(1, 32, 32),
    Shape(4, 64, 64),
    Shape(12, 64, 64),
    Shape(2, 128, 128),
    Shape(2, 64, 64, classes=20),
    Shape(3, 96, 96, classes=10),
    Shape(12, 128, 128),
)
"""One thing after the other, and some together."""
MESSAGES = (1, 16, 64)
ENGINE_SHAPES = (
    BASE,
    Shape(1, 64, 64),
    Shape(4, 64, 64),
    Shape(12, 64, 64),
    Shape(2, 32, 32),
    Shape(2, 96, 96),
    Shape(2, 128, 128),
    Shape(2, 64, 64, classes=20),
    Shape(3, 48, 48, classes=10),
)
RATES = (250.0, 1000.0, 4000.0)
NETWORKS = ("deepflow", "student-micro")
PRECISIONS = ("fp32", "int8")
SHARE = 0.2
_UNITS = {"per_byte": ("ns", 1e9), "per_multiply_add": ("ps", 1e12)}


def measure(
    options: Options,
    say: Say,
    *,
    networks: tuple[str, ...] | None = None,
    precisions: tuple[str, ...] = PRECISIONS,
    quick: bool = False,
) -> dict[str, object]:
    """Return the fitted `Model` with what it was fitted to (`measured`), as JSON-able values.

    Parameters
    ----------
    options
        Each of about fifty measurements takes a fifth of `seconds`. Its bundle is not looked at.
    networks
        By default the one of the options, or else `NETWORKS`; without PyTorch none, and the streamer alone is measured.
    quick
        Few points: shows that it runs, foretells badly.

    Raises
    ------
    InputError
        A network or precision nobody knows.
    """
    for precision in precisions:
        if precision not in PRECISIONS:
            raise InputError("bench", "--precision", precision, " or ".join(PRECISIONS))
    if not 0.05 <= options.seconds <= 3600:
        raise InputError("bench", "--seconds", options.seconds, "0.05 to 3600")
    seconds = options.seconds * SHARE
    if networks is None:
        networks = _networks(options)
    streamed: list[StreamingPoint] = []
    for shape in (SHAPES[1], BASE, SHAPES[2]) if quick else SHAPES:
        say(f"the streamer, {shape.channels}×{shape.height}×{shape.width}")
        streamed += measure_streaming(shape, MESSAGES[::2] if quick else MESSAGES, seconds)
    say("the streamer by rate")
    rates = measure_rates(BASE, RATES[:1] if quick else RATES, seconds)
    engines, batches = [], {}
    for network in networks:
        for precision in precisions:
            say(f"{network} in {precision}")
            name, points = measure_network(
                network,
                ENGINE_SHAPES[:2] if quick else ENGINE_SHAPES,
                engine=options.engine,
                precision=cast("Graph", precision),
                threads=options.threads,
                seconds=seconds / 2,
            )
            engines.append(fit_engine(network, name, precision, points))
            batches[f"{network} {precision}"] = points
    cores = len(os.sched_getaffinity(0))
    model = Model(cores, copy_rate(cores, seconds), fit_streaming(streamed), tuple(engines))
    found: dict[str, object] = msgspec.to_builtins(model)
    return found | {"measured": _measured(streamed, rates, batches)}


def _networks(options: Options) -> tuple[str, ...]:
    if options.network is not None:
        return (options.network,)
    there = all(find_spec(module) is not None for module in ("torch", "onnx", "onnxruntime"))
    return NETWORKS if there else ()


def _measured(
    streamed: list[StreamingPoint], rates: list[StreamingPoint], batches: dict[str, list[EnginePoint]]
) -> dict[str, object]:
    parts = {"streaming": streamed, "rates": rates, "engines": batches}
    return {name: msgspec.to_builtins(part) for name, part in parts.items()}


def tables(figures: dict[str, Any]) -> list[Table]:
    """Return the terms with the errors on points held out, and what a cell costs by rate."""
    parts = [(f"streamer, {name}", fitted) for name, fitted in figures["streaming"].items()]
    parts += [
        (f"{each['network']} {each['precision']}, {each['engine']}, a batch", each["clock"])
        for each in figures["engines"]
    ]
    fits = [
        [name, _sum(fitted["terms"]), fitted["error_median"] * 100, fitted["error_worst"] * 100, fitted["held_out"]]
        for name, fitted in parts
    ]
    heads = ("", "is paid for", "error %, median", "worst", "points held out")
    rates = [
        [f"{point['rate']:,.0f}", point["loop_s"] * 1e6, *percentile_cells(point["latency_us"])]
        for point in figures["measured"]["rates"]
    ]
    by_rate = ("cells/s", "loop µs/cell", "p50 µs", "p90", "p99", "p99.9", "max")
    title = "Single cells at random, with an engine that answers at once"
    return [make_table("What a cell costs", heads, fits), make_table(title, by_rate, rates)]


def _sum(terms: dict[str, float]) -> str:
    parts = []
    for term, value in terms.items():
        unit, factor = _UNITS.get(term, ("µs", 1e6))
        if value > 0:
            parts.append(f"{value * factor:,.3g} {unit} {term.replace('_', ' ')}")
    return " + ".join(parts)
