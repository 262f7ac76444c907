"""`cellgate bench plan`: whether a machine is enough for a camera."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
from rich.table import Table

from bench.fresh import fresh_network
from bench.plan._answer import ROOM, answer
from bench.plan._camera import Camera, Setup, check_camera
from bench.plan._check import check
from bench.plan._quick import measure_model
from bench.scale import Model, Shape, read_model
from bench.subject import Options, Say
from bench.tables import make_table
from engines.bundle import Bundle, Precision, find_bundle, load_bundle
from engines.errors import InputError

DEFAULT_NETWORK = "deepflow"
SHOWN = 8


@dataclass(frozen=True)
class Asked:
    """What is asked of the machine, as the command line has it; None for what is to be taken as it is."""

    rate: float
    channels: int | None = None
    sides: tuple[int, int] | None = None
    classes: int = 5
    per_message: int = 1
    fit: Path | None = None
    cores: int | None = None
    link_gbit: float | None = None
    sender_here: bool = False
    check: bool = False


def measure(options: Options, say: Say, *, asked: Asked) -> dict[str, object]:
    """Return the answer as JSON-able values; without a fit, streamer and engine are measured first."""
    bundle, camera = _camera(options, asked)
    check_camera(camera)
    options = replace(options, network=options.network or (DEFAULT_NETWORK if bundle is None else None))
    shape = camera.shape
    if asked.fit is None:
        model = measure_model(shape, asked.per_message, options, bundle, say, _others(bundle, options.precision))
    else:
        model = read_model(asked.fit)
    name = _name(bundle, options, fitted=asked.fit is not None)
    setup = Setup(model, model.engine(name, options.precision), asked.cores or model.cores)
    found: dict[str, object] = {
        "camera": msgspec.to_builtins(camera),
        "network": name,
        "precision": options.precision,
        "engine": setup.engine.engine,
        "cores": setup.cores,
        **answer(camera, setup).figures(),
        "model_error": _errors(model, setup),
        "fit": "measured here" if asked.fit is None else asked.fit.name,
    }
    if asked.check:
        say("playing it to a streamer here")
        here = msgspec.structs.replace(setup, cores=len(os.sched_getaffinity(0)))
        found["check"] = check(camera, here, options, bundle or _fresh(options, shape))
    return found


def _camera(options: Options, asked: Asked) -> tuple[Bundle | None, Camera]:
    """Return the bundle, if one is named, and the camera; refuse what does not go together."""
    if options.bundle is not None and options.network is not None:
        raise InputError("plan", "--network", f"{options.network} beside --bundle {options.bundle}", "one of them")
    if asked.link_gbit is not None and not asked.link_gbit > 0:
        raise InputError("plan", "--link-gbit", asked.link_gbit, "above 0")
    if not 0.02 <= options.seconds <= 600:
        raise InputError("plan", "--seconds", options.seconds, "0.02 to 600")
    link = None if asked.link_gbit is None else asked.link_gbit * 1e9 / 8
    bundle = None if options.bundle is None else load_bundle(find_bundle(options.bundle))
    if bundle is not None:
        channels, height, width = bundle.frame_shape
        channels = asked.channels or channels
        height, width = asked.sides or (height, width)
        shape = Shape(channels, height, width, len(bundle.classes), bundle.dtype.itemsize)
    elif asked.channels is None or asked.sides is None:
        raise InputError("plan", "--channels and --size", "one or both missing", "both, where there is no --bundle")
    else:
        shape = Shape(asked.channels, *asked.sides, asked.classes)
    return bundle, Camera(shape, asked.rate, asked.per_message, asked.sender_here, link)


def parse_size(size: str) -> tuple[int, int]:
    """Return height and width of `128` or `96x128`; `InputError` where it is neither."""
    parts = size.lower().replace("×", "x").split("x")
    if len(parts) not in (1, 2) or not all(part.isascii() and part.isdigit() and len(part) < 6 for part in parts):
        raise InputError("plan", "--size", size, "pixels, as in 128 or 96x128")
    return int(parts[0]), int(parts[-1])


def _others(bundle: Bundle | None, precision: str) -> tuple[Precision, ...]:
    """Return the precision to measure beside: int8 where FP32 was asked for and the bundle has it."""
    if precision != "fp32" or bundle is None:
        return ()
    return ("int8",) if any(graph.precision == "int8" for graph in bundle.manifest.graphs) else ()


def _name(bundle: Bundle | None, options: Options, *, fitted: bool) -> str:
    if bundle is None:
        return options.network or DEFAULT_NETWORK
    network = bundle.manifest.training.get("network")
    # A fit knows networks; what was measured here is the bundle.
    return str(network) if fitted and network is not None else bundle.manifest.name


def _fresh(options: Options, shape: Shape) -> Bundle:
    graph: Precision = "int8" if options.precision == "int8" else "fp32"
    sides = (shape.channels, shape.height, shape.width, shape.classes)
    return fresh_network(options.network or DEFAULT_NETWORK, graph, sides)


def _errors(model: Model, setup: Setup) -> dict[str, dict[str, float]]:
    parts = {"loop": model.streaming.loop, "engine": setup.engine.clock}
    return {
        name: {"held_out": part.held_out, "median": part.error_median, "worst": part.error_worst}
        for name, part in parts.items()
    }


def tables(figures: dict[str, Any]) -> list[Table]:
    """Return the verdict, the limits, and what could be changed."""
    camera, rate = figures["camera"], figures["asked_cells_per_s"]
    shape = camera["shape"]
    binds = figures["binds"]
    if figures["mostly"] != binds:
        binds += f", mostly {figures['mostly']}"
    words: list[list[object]] = [
        ["camera", f"{shape['channels']}×{shape['height']}×{shape['width']}, {figures['bytes_per_s'] / 1e6:,.1f} MB/s"],
        ["engine", f"{figures['engine']}, {figures['network']} in {figures['precision']}"],
        ["cores", figures["cores"]],
        ["asked", f"{rate:,g} cells/s, {camera['per_message']} per message"],
        ["maximum", f"{figures['maximum_cells_per_s']:,.0f} cells/s"],
        ["what binds", binds],
        ["verdict", f"{_verdict(figures['maximum_cells_per_s'], rate)}: {figures['headroom']:.2f} times the rate"],
    ]
    if "check" in figures:
        words += [[f"here, {name}", value] for name, value in figures["check"].items()]
    limits = sorted(figures["limits_cells_per_s"].items(), key=lambda pair: float(pair[1]))
    changes = [
        [each["change"], each["maximum_cells_per_s"], _verdict(each["maximum_cells_per_s"], rate)]
        for each in figures["changes"][:SHOWN]
    ]
    found = [make_table("Plan", ("", ""), words), make_table("Limits", ("part", "cells/s"), limits)]
    return [*found, make_table("Changes", ("", "cells/s", ""), changes)] if changes else found


def _verdict(maximum: float, rate: float) -> str:
    if maximum >= rate * ROOM:
        return "enough"
    return "just enough" if maximum >= rate else "not enough"
