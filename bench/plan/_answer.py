"""The answer: the most cells per second, whether the rate is met, and what each change would bring."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from bench.plan._camera import Camera, Setup
from bench.plan._predict import Costs, Machine, Prediction, predict

ROOM = 1.25
"""The maximum over the rate that is advised: cells come at random, and those that come together wait."""
MESSAGES = (16, 64)
LEAST_SIDE = 16
STEP = 8
MOST_CORES = 256


@dataclass(frozen=True)
class Change:
    """One thing done otherwise, and the maximum it brings."""

    what: str
    maximum: float


@dataclass(frozen=True)
class Answer:
    """What `cellgate bench plan` says; `changes` are those that bring more, the most first."""

    camera: Camera
    costs: Costs
    prediction: Prediction
    changes: tuple[Change, ...]

    def figures(self) -> dict[str, object]:
        """Return it as JSON-able values, times in microseconds."""
        rate, prediction = self.camera.rate, self.prediction
        return {
            "asked_cells_per_s": rate,
            "frame_bytes": self.camera.shape.bytes,
            "bytes_per_s": self.camera.shape.bytes * rate,
            "maximum_cells_per_s": round(prediction.maximum, 1),
            "binds": prediction.binds,
            "mostly": prediction.mostly,
            "met": prediction.met(rate),
            "headroom": round(prediction.headroom(rate), 3),
            "advised_headroom": ROOM,
            "limits_cells_per_s": {name: round(value, 1) for name, value in prediction.limits.items()},
            "costs_us_per_cell": {
                name.removesuffix("_s"): round(value * 1e6, 3)
                for name, value in msgspec.structs.asdict(self.costs).items()
            },
            "changes": [
                {"change": change.what, "maximum_cells_per_s": round(change.maximum, 1), "met": change.maximum >= rate}
                for change in self.changes
            ],
        }


def answer(camera: Camera, setup: Setup) -> Answer:
    """Predict, and try what could be changed."""
    costs = costs_of(camera, setup)
    found = predict(costs, _machine(camera, setup), camera.shape.bytes)
    changes = [change for change in _changes(camera, setup, found) if change.maximum > found.maximum * 1.02]
    return Answer(camera, costs, found, tuple(sorted(changes, key=lambda change: -change.maximum)))


def costs_of(camera: Camera, setup: Setup) -> Costs:
    """Return what a cell of this camera costs on this machine."""
    loop, transport, sender = setup.model.streaming.costs(camera.shape, camera.per_message)
    clock, own, every = setup.engine.costs(camera.shape)
    return Costs(loop, transport, sender if camera.sender_here else 0.0, clock, own, every)


def _machine(camera: Camera, setup: Setup) -> Machine:
    return Machine(setup.cores, setup.model.copy_bytes_per_s, camera.link_bytes_per_s)


def _maximum(camera: Camera, setup: Setup) -> float:
    return predict(costs_of(camera, setup), _machine(camera, setup), camera.shape.bytes).maximum


def _changes(camera: Camera, setup: Setup, found: Prediction) -> Iterator[Change]:
    shape = camera.shape
    for count in MESSAGES:
        if count > camera.per_message:
            what = f"{count} cells per message, at the price of {1e3 * (count - 1) / camera.rate:.3g} ms of waiting"
            yield Change(what, _maximum(msgspec.structs.replace(camera, per_message=count), setup))
    if camera.sender_here:
        elsewhere = msgspec.structs.replace(camera, sender_here=False)
        yield Change("the sender on another machine", _maximum(elsewhere, setup))
    if shape.count_bytes > 1:
        narrow = msgspec.structs.replace(shape, count_bytes=1)
        yield Change("8-bit counts", _maximum(msgspec.structs.replace(camera, shape=narrow), setup))
    yield from _smaller(camera, setup)
    for other in setup.model.engines:
        if other != setup.engine:
            changed = msgspec.structs.replace(setup, engine=other)
            yield Change(f"{other.network} in {other.precision}", _maximum(camera, changed))
    cores = setup.cores
    while found.binds == "cores" and cores < MOST_CORES:
        cores *= 2
        more = _maximum(camera, msgspec.structs.replace(setup, cores=cores))
        if more >= camera.rate * ROOM or cores >= 8 * setup.cores:
            yield Change(f"{cores} cores", more)
            break


def _smaller(camera: Camera, setup: Setup) -> Iterator[Change]:
    """Yield the largest frame that would meet the rate with room, and half the channels."""
    shape = camera.shape
    for side in range(min(shape.height, shape.width) // STEP * STEP, LEAST_SIDE - 1, -STEP):
        share = side / min(shape.height, shape.width)
        height, width = (max(1, math.floor(length * share)) for length in (shape.height, shape.width))
        smaller = msgspec.structs.replace(shape, height=height, width=width)
        maximum = _maximum(msgspec.structs.replace(camera, shape=smaller), setup)
        if share < 1 and maximum >= camera.rate * ROOM:
            yield Change(f"frames of {height}×{width} pixels", maximum)
            break
    if shape.channels > 1:
        fewer = msgspec.structs.replace(shape, channels=shape.channels // 2)
        yield Change(f"{fewer.channels} channels", _maximum(msgspec.structs.replace(camera, shape=fewer), setup))
