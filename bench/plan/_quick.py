"""A model of this machine for one camera and one network, measured in under a minute."""

from __future__ import annotations

import os

import msgspec

from bench.limit import copy_rate
from bench.scale import (
    EngineModel,
    Model,
    Shape,
    fit_engine,
    fit_streaming,
    measure_bundle,
    measure_network,
    measure_streaming,
)
from bench.subject import Options, Say
from engines.bundle import Bundle, Precision

SMALL = 16
MANY = 64


def measure_model(
    shape: Shape,
    per_message: int,
    options: Options,
    bundle: Bundle | None,
    say: Say,
    others: tuple[Precision, ...] = (),
) -> Model:
    """Measure the streamer at this camera's frames and at small ones, and the engine at its frames.

    Parameters
    ----------
    options
        `network`, where there is no bundle; engine, precision, threads; `seconds` for each measurement.
    bundle
        Measured as it is: what its graph takes, whatever the camera sends.
    others
        Precisions to measure beside, to be advised.
    """
    messages = tuple(sorted({1, per_message, MANY}))
    small = msgspec.structs.replace(shape, channels=1, height=SMALL, width=SMALL)
    points = []
    for each in dict.fromkeys((shape, small)):
        say(f"the streamer, {each.channels}×{each.height}×{each.width}")
        points += measure_streaming(each, messages, options.seconds)
    engines = []
    graph: Precision = "int8" if options.precision == "int8" else "fp32"
    for precision in dict.fromkeys((graph, *others)):
        say(f"the engine, {precision}")
        engines.append(_engine(shape, options, bundle, precision))
    say("memory")
    cores = len(os.sched_getaffinity(0))
    return Model(cores, copy_rate(cores, options.seconds), fit_streaming(points), tuple(engines))


def _engine(shape: Shape, options: Options, bundle: Bundle | None, precision: Precision) -> EngineModel:
    how = {"engine": options.engine, "precision": precision, "threads": options.threads}
    if bundle is not None:
        name, points = measure_bundle(bundle, seconds=options.seconds, **how)  # type: ignore[arg-type]
        return fit_engine(bundle.manifest.name, name, precision, points)
    network = options.network or "deepflow"
    name, points = measure_network(network, [shape], seconds=options.seconds, **how)  # type: ignore[arg-type]
    return fit_engine(network, name, precision, points)
