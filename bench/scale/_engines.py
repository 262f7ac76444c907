"""What a network costs on an engine: measured over frames, classes and batches, and fitted."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Literal

import msgspec

from bench.fresh import fresh_network
from bench.limit import multiply_adds
from bench.live import frames_for
from bench.offline import run_offline
from bench.scale._fit import LEAST_S, Fitted, fit
from bench.scale._model import EngineModel
from bench.scale._terms import Shape, engine_terms, work_terms
from engines.backends import open_engine
from engines.bundle import Bundle
from engines.errors import InputError

Graph = Literal["fp32", "int8"]
BATCHES = (1, 8, 32)


class EnginePoint(msgspec.Struct, frozen=True):
    """A batch of one shape: seconds of the clock, of the calling thread, of all threads."""

    shape: Shape
    batch: int
    multiply_adds: int
    clock_s: float
    own_s: float
    all_s: float


def measure_network(
    network: str, shapes: Sequence[Shape], *, engine: str, precision: Graph, threads: int, seconds: float
) -> tuple[str, list[EnginePoint]]:
    """Return the engine's name and a point per shape and batch; shapes the network does not take are left out.

    Raises
    ------
    InputError
        It takes none of them, or no network has this name.
    """
    points: list[EnginePoint] = []
    name, refused = "", None
    for shape in shapes:
        try:
            bundle = fresh_network(network, precision, (shape.channels, shape.height, shape.width, shape.classes))
        except InputError as error:
            refused = error
            continue
        name, found = measure_bundle(bundle, engine=engine, precision=precision, threads=threads, seconds=seconds)
        points += found
    if not points:
        raise refused or InputError("scale", "shapes", "none", "one or more")
    return name, points


def measure_bundle(
    bundle: Bundle, *, engine: str, precision: Graph, threads: int, seconds: float
) -> tuple[str, list[EnginePoint]]:
    """Return the engine's name and a point per batch; `seconds` are for each."""
    channels, height, width = bundle.frame_shape
    shape = Shape(channels, height, width, len(bundle.classes), bundle.dtype.itemsize)
    work, frames, points = multiply_adds(bundle), frames_for(bundle), []
    with closing(
        open_engine(bundle, engine, precision=precision, threads=threads, ladder=BATCHES, measure=False)
    ) as opened:
        opened.warm()
        for batch in BATCHES:
            found = run_offline(opened, frames, seconds, batch)
            batches = found.cells / batch
            taken = (max(part / batches, LEAST_S) for part in (found.seconds, found.own_seconds, found.cpu_seconds))
            points.append(EnginePoint(shape, batch, work, *taken))
        return opened.name, points


def fit_engine(network: str, engine: str, precision: str, points: Sequence[EnginePoint]) -> EngineModel:
    """Fit times and multiply-adds; of points of one shape only what a batch and what a multiply-add take."""
    features = [engine_terms(point.shape, point.batch, point.multiply_adds) for point in points]
    shapes = {point.shape: point.multiply_adds for point in points}
    work = [work_terms(shape) for shape in shapes]
    if len(shapes) == 1:
        kept = ("per_batch", "per_multiply_add")
        features = [{name: each[name] for name in kept} for each in features]
    if len(shapes) < len(work[0]):
        work = [{"per_pixel": each["per_pixel"]} for each in work]

    def fitted(name: str) -> Fitted:
        return fit(features, [float(getattr(point, name)) for point in points])

    return EngineModel(
        network=network,
        engine=engine,
        precision=precision,
        clock=fitted("clock_s"),
        own=fitted("own_s"),
        all=fitted("all_s"),
        work=fit(work, [float(count) for count in shapes.values()]),
        top=max(point.batch for point in points),
    )
