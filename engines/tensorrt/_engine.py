"""The TensorRT engine: a plan on one GPU, two batches under way, answers in order."""

from __future__ import annotations

import time
from collections import deque
from typing import Any, Literal

import numpy as np

from engines.backends import Predictions
from engines.bundle import Bundle
from engines.errors import EngineError
from engines.tensorrt._device import Gpu
from engines.tensorrt._graph import graph_for
from engines.tensorrt._graphs import load_driver
from engines.tensorrt._lane import Frames, Lane
from engines.tensorrt._load import load_engine, signature_of
from engines.tensorrt._log import Complaints
from engines.tensorrt._need import need_tensorrt
from engines.tensorrt._plan import Plan
from engines.tensorrt._refit import require_same_shape, set_weights
from engines.tensorrt._waiter import Flight, Waiter

LANES = 2
CLOSE_S = 10.0
"""How long `close` waits for a GPU that does not answer before it leaves it alone."""

Wait = Literal["block", "spin"]


class TensorRtEngine:
    """A plan on a GPU: two lanes, each with page-locked memory, a stream, and a context and CUDA graph per rung.

    Parameters
    ----------
    bundle
        What the plan was built from.
    plan
        From `build_plan`, never from elsewhere: loading one is running code.
    device
        Number of the GPU.
    wait
        `block`: the core that waits for the GPU is free meanwhile. `spin`: it polls, for the lowest latency.
    graphs
        Start batches as CUDA graphs. Where they cannot be recorded, batches are started call by call, and `name`
        says why.

    Raises
    ------
    EngineError
        The plan cannot be loaded, or the GPU's memory does not suffice; reason and remedy are in the text.
    BundleError
        The plan's inputs and outputs are not those the bundle's manifest states.
    """

    def __init__(
        self, bundle: Bundle, plan: Plan, *, device: int = 0, wait: Wait = "block", graphs: bool = True
    ) -> None:
        self._trt = need_tensorrt()
        self._bundle, self._plan = bundle, plan
        self._gpu = Gpu(device)
        self._complaints = Complaints(self._trt)
        self._flights: deque[Flight] = deque()
        self._free: deque[Lane] = deque()
        self._lanes: list[Lane] = []
        self._broken: str | None = None
        self._closed = False
        self._graphs_wanted, self._without_graphs = graphs, "" if graphs else "not asked for"
        with self._gpu:
            self._runtime, self._engine = load_engine(self._trt, plan, self._gpu, self._complaints)
            signature = signature_of(self._trt, self._engine, bundle, self._complaints)
            try:
                for _ in range(LANES):
                    self._lanes.append(self._lane(signature, blocking=wait == "block"))
                self._record_graphs()
            except BaseException:
                for lane in self._lanes:
                    lane.close()
                raise
        self._free.extend(self._lanes)
        self._waiter = Waiter(self._gpu)

    def _lane(self, signature: Any, *, blocking: bool) -> Lane:
        return Lane(
            self._gpu,
            self._trt,
            self._engine,
            signature,
            self._plan.key.ladder,
            self._bundle.frame_shape,
            self._bundle.dtype,
            self._complaints,
            blocking=blocking,
        )

    def _record_graphs(self) -> None:
        if not self._graphs_wanted:
            return
        try:
            driver = load_driver()
            for lane in self._lanes:
                lane.record(driver)
            self._without_graphs = ""
        except EngineError as error:
            # All or none: one lane faster than the other would make the times of a rung jump.
            for lane in self._lanes:
                lane.forget_graphs()
            self._without_graphs = str(error)

    @property
    def bundle(self) -> Bundle:
        """The bundle it was compiled from."""
        return self._bundle

    @property
    def name(self) -> str:
        """Backend, device and precision in one line, and whether batches are CUDA graphs."""
        key = self._plan.key
        how = f"no CUDA graphs ({self._without_graphs})" if self._without_graphs else "CUDA graphs"
        return f"tensorrt {key.tensorrt} GPU {self._gpu.ordinal} {key.gpu} {key.precision}, {how}"

    @property
    def ladder(self) -> tuple[int, ...]:
        """Batch sizes it was compiled for, ascending."""
        return self._plan.key.ladder

    @property
    def capacity(self) -> int:
        """How many batches may be under way at a time."""
        return LANES

    def warm(self, repeats: int = 5) -> dict[int, float]:
        """Run every rung a few times on every lane; return the best time of each in seconds."""
        best = {}
        for rung in self.ladder:
            frames = np.zeros((rung, *self._bundle.frame_shape), self._bundle.dtype)
            times = []
            for _ in range(repeats * LANES):
                self.submit(frames)
                predictions = self.collect(timeout_s=60.0)
                if predictions is None:
                    raise EngineError(f"{self.name}: a batch of {rung} was not done after 60 s of warm-up")
                times.append(predictions.seconds)
            best[rung] = min(times)
        return best

    def take(self, waiting: int) -> int:
        """Return all of them, up to the top rung: on a GPU time hardly grows with the batch, so padding is cheap."""
        return min(waiting, self.ladder[-1])

    @property
    def ready(self) -> bool:
        """Whether `submit` can be called now."""
        return not self._closed and self._broken is None and bool(self._free)

    def slots(self) -> Frames:
        """Return the page-locked `(top rung, C, H, W)` memory that the next batch is read from.

        A caller that writes cells here and submits `slots()[:n]` saves the copy. Valid until the next `submit`; raises
        `EngineError` where `ready` is false.
        """
        self._require_ready()
        return self._free[0].frames

    def submit(self, frames: Frames) -> None:
        """Start a batch; see `Engine.submit`. The frames were copied when it returns."""
        self._require_ready()
        n = len(frames)
        if n < 1 or frames.shape[1:] != self._bundle.frame_shape or frames.dtype != self._bundle.dtype:
            want = f"{self._bundle.dtype} (n, {', '.join(map(str, self._bundle.frame_shape))})"
            raise EngineError(f"{self.name}: found {frames.dtype} {frames.shape}, expected {want}, n at least 1")
        if n > self.ladder[-1]:
            raise EngineError(f"{self.name}: a batch of {n} is above the top rung {self.ladder[-1]}")
        started = time.perf_counter()
        rung = next(rung for rung in self.ladder if rung >= n)
        lane = self._free[0]
        if not _is_start_of(frames, lane.frames):
            lane.frames[:n] = frames
        lane.frames[n:rung] = 0
        try:
            with self._gpu:
                lane.start(rung)
        except (EngineError, self._gpu.cuda.Error) as error:
            # What of it is on the stream already cannot be told: this engine is not used again.
            self._broken = str(error)
            raise EngineError(f"{self.name}: {error}") from error
        self._free.popleft()
        flight = Flight(lane, n, started)
        self._flights.append(flight)
        self._waiter.watch(flight)

    def collect(self, timeout_s: float = 0.0) -> Predictions | None:
        """Return the oldest batch, or None; see `Engine.collect`."""
        if not self._flights or not self._waiter.landed(self._flights[0], timeout_s):
            return None
        flight = self._flights.popleft()
        self._waiter.taken(self._flights[0] if self._flights else None)
        self._free.append(flight.lane)
        if flight.fault is not None:
            # A fault of a kernel or of the GPU spoils the context: everything after it fails the same way.
            self._broken = flight.fault
            raise EngineError(f"{self.name}: {flight.fault}")
        probabilities, embedding, measurements = (output[: flight.n].copy() for output in flight.lane.outputs)
        return Predictions(probabilities, embedding, measurements, flight.finished - flight.started)

    def fileno(self) -> int:
        """Return the descriptor that is readable while a finished batch waits."""
        return self._waiter.fileno()

    def refit(self, bundle: Bundle) -> None:
        """Take the weights of a bundle of the same shape, in place; nothing may be under way.

        Raises
        ------
        EngineError
            Batches are under way, the plan was not built refittable, or TensorRT refuses. Refused before anything is
            changed, the engine goes on as it was.
        BundleError
            The bundle's classes, input or outputs differ.
        """
        if self._flights or self._closed or self._broken is not None:
            raise EngineError(f"{self.name}: weights can be exchanged only between batches of a working engine")
        require_same_shape(self._bundle, bundle)
        if not self._plan.key.refittable:
            raise EngineError(f"{self.name}: built without exchangeable weights; build with --refittable")
        model = graph_for(bundle, self._plan.key.precision)
        with self._gpu:
            # What a recorded graph holds of the old weights is TensorRT's secret: recorded anew.
            for lane in self._lanes:
                lane.forget_graphs()
            try:
                set_weights(self._trt, self._engine, model, self._complaints)
                self._bundle = bundle
            finally:
                self._record_graphs()

    def close(self) -> None:
        """Wait for what is under way, then free everything; a GPU that does not answer is left alone after 10 s."""
        if self._closed:
            return
        self._closed = True
        ended = self._waiter.close(CLOSE_S)
        self._flights.clear()
        self._free.clear()
        if not ended:
            return
        with self._gpu:
            for lane in self._lanes:
                lane.close()
            self._lanes.clear()
            # In this order: an engine must not outlive its runtime.
            self._engine = None
            self._runtime = None

    def _require_ready(self) -> None:
        if not self.ready:
            state = "closed" if self._closed else self._broken or f"{LANES} batches are under way already"
            raise EngineError(f"{self.name}: {state}")


def _is_start_of(frames: Frames, memory: Frames) -> bool:
    return frames.ctypes.data == memory.ctypes.data and frames.flags.c_contiguous
