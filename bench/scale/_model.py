"""A machine's costs as fitted: of the streamer, and of each network on each engine."""

from __future__ import annotations

from pathlib import Path

import msgspec

from bench.scale._fit import Fitted
from bench.scale._terms import Shape, engine_terms, streaming_terms, work_terms
from engines.errors import InputError

EXPECTED = "what `cellgate bench scale --json` writes"


class StreamingModel(msgspec.Struct, frozen=True):
    """Seconds per cell of the streamer's loop, of its other threads, and of a sender; see `streaming_terms`."""

    loop: Fitted
    transport: Fitted
    sender: Fitted

    def costs(self, shape: Shape, per_message: int) -> tuple[float, float, float]:
        """Return the three, for frames of this shape in messages of so many cells."""
        terms = streaming_terms(shape, per_message)
        return self.loop.predict(terms), self.transport.predict(terms), self.sender.predict(terms)


class EngineModel(msgspec.Struct, frozen=True):
    """A network on an engine.

    Attributes
    ----------
    clock, own, all
        Seconds per batch, see `engine_terms`: from one batch to the next when the engine is never idle; of the thread
        that submits and collects, which in the streamer is the loop; of all threads together.
    work
        Multiply-adds per cell, see `work_terms`; its unit is not seconds.
    top
        The largest batch it is compiled for.
    """

    network: str
    engine: str
    precision: str
    clock: Fitted
    own: Fitted
    all: Fitted
    work: Fitted
    top: int

    def costs(self, shape: Shape) -> tuple[float, float, float]:
        """Return seconds per cell of the clock, of the calling thread and of all threads, in the largest batches."""
        terms = engine_terms(shape, self.top, self.work.predict(work_terms(shape)))
        clock, own, every = (part.predict(terms) / self.top for part in (self.clock, self.own, self.all))
        return clock, own, every


class Model(msgspec.Struct, frozen=True):
    """All of a machine that planning needs."""

    cores: int
    copy_bytes_per_s: float
    streaming: StreamingModel
    engines: tuple[EngineModel, ...]

    def engine(self, network: str, precision: str) -> EngineModel:
        """Return the engine of this network and precision; `InputError` where it was not measured."""
        for found in self.engines:
            if (found.network, found.precision) == (network, precision):
                return found
        have = ", ".join(f"{found.network} {found.precision}" for found in self.engines)
        raise InputError("plan", "network", f"{network} {precision}", f"one of those in the fit: {have}")


def read_model(path: Path) -> Model:
    """Return what `cellgate bench scale` or `all` has written with `--json`; `InputError` where it is not that."""
    try:
        found = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise InputError(path, "--fit", error.strerror or str(error), "a file that can be read") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(path, "--fit", str(error), EXPECTED) from error
    if isinstance(found, dict) and isinstance(found.get("results"), dict):
        found = found["results"].get("scale")
    try:
        return msgspec.convert(found, Model)
    except msgspec.ValidationError as error:
        raise InputError(path, "--fit", str(error), EXPECTED) from error
