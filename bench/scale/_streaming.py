"""What the streamer itself costs per cell: measured with the engine that answers at once."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.live import How, Load, Outcome, Streaming, frames_for, play, spent, thread_seconds, write_instant_bundle
from bench.scale._fit import LEAST_S, Fitted, fit
from bench.scale._model import StreamingModel
from bench.scale._terms import Shape, streaming_terms
from engines.bundle import Bundle
from engines.errors import CellgateError

LADDER = (1, 8, 64)
LIMIT_S = 60.0
_TRIAL_MESSAGES = 40
_UNDER_WAY_BYTES = 64 << 20
_LEAST_CELLS, _MOST_CELLS = 400, 400_000


class StreamingPoint(msgspec.Struct, frozen=True):
    """What a cell costs in one setting, in seconds of processor time.

    Attributes
    ----------
    loop_s, transport_s, sender_s
        Of the streamer's loop, of its other threads (ZeroMQ's above all), and of the client that sends and receives.
    cells_per_s
        How many came through, sender and streamer sharing this machine; None where a rate was set.
    """

    shape: Shape
    per_message: int
    cells: int
    loop_s: float
    transport_s: float
    sender_s: float
    cells_per_s: float | None = None
    rate: float | None = None
    latency_us: dict[str, float] = {}


def measure_streaming(shape: Shape, per_messages: Sequence[int], seconds: float) -> list[StreamingPoint]:
    """Send flat out for about so long with each number of cells per message, through one streamer."""
    with tempfile.TemporaryDirectory(prefix="cg-") as scratch:
        bundle = _bundle(Path(scratch), shape)
        frames = frames_for(bundle, least=max(per_messages))
        window = _under_way(shape, max(per_messages))
        with Streaming(bundle, How(instant=True, ladder=LADDER, slots=max(64, 2 * window))) as streamer:
            target = streamer.target()

            def go(cells: int, per_message: int) -> tuple[Outcome, dict[str, float]]:
                before = thread_seconds(streamer.pid)
                outcome = play(target, frames, Load(cells, per_message=per_message, window=window), limit_s=LIMIT_S)
                took = spent(before, thread_seconds(streamer.pid), streamer.pid)
                if outcome.errors() or outcome.missing:
                    raise CellgateError(f"bench: {outcome.errors() or f'{outcome.missing} cells were lost'}")
                return outcome, took | {"client": outcome.client_cpu_s}

            points = []
            for per_message in per_messages:
                # What a short load costs is what every load costs: processes that start, a series that opens and ends.
                few = per_message * _TRIAL_MESSAGES
                trial, fixed = go(few, per_message)
                took_s = float(trial.received_ns.max() - trial.planned_ns.min()) * 1e-9
                many = int(min(_MOST_CELLS, max(_LEAST_CELLS, few / took_s * seconds)))
                many = few + many // per_message * per_message + per_message
                outcome, took = go(many, per_message)
                cost = {name: max((took[name] - fixed[name]) / (many - few), LEAST_S) for name in took}
                points.append(
                    StreamingPoint(
                        shape=shape,
                        per_message=per_message,
                        cells=many,
                        loop_s=cost["loop"],
                        transport_s=cost["zmq"] + cost["others"],
                        sender_s=cost["client"],
                        cells_per_s=outcome.steady_cells_per_s,
                    )
                )
            return points


def measure_rates(shape: Shape, rates: Sequence[float], seconds: float) -> list[StreamingPoint]:
    """Send single cells at these rates, at random, and return what a cell then costs and how long it takes.

    At low rates cells are alone in their batches, and the loop's own timers are shared by few: a cell costs more.
    """
    with tempfile.TemporaryDirectory(prefix="cg-") as scratch:
        bundle = _bundle(Path(scratch), shape)
        frames = frames_for(bundle)
        points = []
        with Streaming(bundle, How(instant=True, ladder=LADDER)) as streamer:
            for rate in rates:
                before = thread_seconds(streamer.pid)
                cells = max(20, int(rate * seconds))
                outcome = play(streamer.target(), frames, Load(cells, rate=rate))
                took = spent(before, thread_seconds(streamer.pid), streamer.pid)
                late = outcome.figures()["latency_us"]
                points.append(
                    StreamingPoint(
                        shape=shape,
                        per_message=1,
                        cells=cells,
                        loop_s=took["loop"] / cells,
                        transport_s=(took["zmq"] + took["others"]) / cells,
                        sender_s=0.0,
                        rate=rate,
                        latency_us=late if isinstance(late, dict) else {},
                    )
                )
        return points


def fit_streaming(points: Sequence[StreamingPoint]) -> StreamingModel:
    """Fit the three costs; with one number of classes in all points there is no term for them."""
    features = [streaming_terms(point.shape, point.per_message) for point in points]
    if len({point.shape.classes for point in points}) == 1:
        features = [{name: value for name, value in each.items() if name != "per_class"} for each in features]

    def fitted(name: str) -> Fitted:
        return fit(features, [float(getattr(point, name)) for point in points])

    return StreamingModel(fitted("loop_s"), fitted("transport_s"), fitted("sender_s"))


def _bundle(folder: Path, shape: Shape) -> Bundle:
    names = tuple(f"class {number}" for number in range(shape.classes))
    return write_instant_bundle(
        folder / "bundle", channels=shape.channels, height=shape.height, width=shape.width, classes=names
    )


def _under_way(shape: Shape, per_message: int) -> int:
    """Return how many cells may be under way: enough to keep the streamer busy, and a few dozen megabytes."""
    return max(4 * per_message, 64, min(1024, _UNDER_WAY_BYTES // shape.bytes))
