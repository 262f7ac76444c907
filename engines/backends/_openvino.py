"""The embedded CPU engine: OpenVINO, FP32 as the graph says."""

from __future__ import annotations

import os
import time
from collections import deque
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.backends._interface import DEFAULT_LADDER, Frames, Predictions
from engines.backends._wakeup import Wakeup
from engines.bundle import Bundle, Precision
from engines.errors import BundleError, EngineError, InputError
from engines.quiet_openvino import ov

OUTPUTS = ("probabilities", "embedding", "measurements")
INLINE_BELOW_S = 300e-6
"""A batch that takes less is run on the calling thread: handing it to another one and being woken costs more."""


class OpenVinoEngine:
    """A bundle on the CPU: one compiled model per rung, one batch under way at a time.

    Parameters
    ----------
    bundle
        What to run.
    precision
        Which of the bundle's graphs.
    threads
        Threads of the inference pool; 0 takes one per core but one, which is left to the loop: with all of them the
        median is a little lower and the tail twice as long.
    ladder
        Batch sizes to compile.

    Raises
    ------
    EngineError
        The graph cannot be compiled; the reason is in the text.
    BundleError
        The graph's inputs and outputs are not those its manifest states.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        precision: Precision = "fp32",
        threads: int = 0,
        ladder: tuple[int, ...] = DEFAULT_LADDER,
    ) -> None:
        self._bundle = bundle
        self._ladder = tuple(sorted(set(ladder)))
        if not self._ladder or self._ladder[0] < 1:
            raise InputError("engine", "ladder", ladder, "one or more batch sizes of 1 or more")
        self._precision = precision
        self._wakeup = Wakeup()
        self._threads = threads
        self._running: _Batch | None = None
        self._done: deque[float] = deque()
        self._closed = False
        self._inline: set[int] = set()
        try:
            self._rungs = self._compile()
        except BaseException:
            self._wakeup.close()
            raise

    def _compile(self) -> dict[int, _Rung]:
        graph = self._bundle.graph(self._precision)
        core = ov.Core()
        rungs = {}
        try:
            model = core.read_model(graph)
            self._check_signature(model)
            for rung in self._ladder:
                model.reshape([rung, *self._bundle.frame_shape])
                compiled = core.compile_model(model, "CPU", self._options())
                request = compiled.create_infer_request()
                # The callback runs in one of OpenVINO's threads: it may only note the time and wake the loop.
                request.set_callback(self._finished, None)
                # Of a fixed shape, so the tensors stay where they are from one batch to the next.
                outputs = tuple(request.get_tensor(name).data for name in OUTPUTS)
                rungs[rung] = _Rung(request, request.get_input_tensor(0).data, outputs)
        except RuntimeError as error:
            raise EngineError(f"OpenVINO cannot compile {graph}: {_first_line(error)}") from error
        return rungs

    def _options(self) -> dict[str, object]:
        # Without the precision hint OpenVINO computes in bfloat16 on CPUs that have it, and answers differently.
        return {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": self._threads or max(1, len(os.sched_getaffinity(0)) - 1),
        }

    def _check_signature(self, model: Any) -> None:
        spec = self._bundle.manifest
        graph = self._bundle.graph(self._precision)
        found = {name for output in model.outputs for name in output.get_names()}
        wanted = set(OUTPUTS)
        if not wanted <= found:
            raise BundleError(graph, "outputs", sorted(found), ", ".join(sorted(wanted)))
        if len(model.inputs) != 1:
            raise BundleError(graph, "inputs", len(model.inputs), "one input, the frames")
        dtype = np.dtype(model.input(0).get_element_type().to_dtype())
        if dtype != self._bundle.dtype:
            raise BundleError(graph, "input dtype", dtype.name, f"{self._bundle.dtype.name}, as the manifest says")
        widths = {"probabilities": len(spec.classes), "embedding": spec.outputs.embedding}
        widths["measurements"] = len(spec.outputs.measurements)
        shape = model.input(0).get_partial_shape()
        for axis, side in enumerate(self._bundle.frame_shape, 1):
            if shape.rank.get_length() != 4 or (shape[axis].is_static and shape[axis].get_length() != side):
                want = f"(n, {', '.join(map(str, self._bundle.frame_shape))}), as the manifest says"
                raise BundleError(graph, "input shape", str(shape), want)
        for name, width in widths.items():
            shape = model.output(name).get_partial_shape()
            if shape.rank.get_length() != 2 or (shape[1].is_static and shape[1].get_length() != width):
                raise BundleError(graph, name, str(shape), f"(n, {width}), as the manifest says")

    @property
    def bundle(self) -> Bundle:
        """The bundle it was compiled from."""
        return self._bundle

    @property
    def name(self) -> str:
        """Backend, device and precision in one line."""
        return f"openvino {ov.__version__.split('-')[0]} CPU {self._precision}"

    @property
    def ladder(self) -> tuple[int, ...]:
        """Batch sizes it was compiled for, ascending."""
        return self._ladder

    def warm(self, repeats: int = 5) -> dict[int, float]:
        """Run every rung a few times; return the best time of each in seconds.

        It also settles which rungs are so quick that they are run on the calling thread.
        """
        best = {}
        self._inline.clear()
        for rung in self._ladder:
            frames = np.zeros((rung, *self._bundle.frame_shape), self._bundle.dtype)
            times = []
            for _ in range(repeats):
                self.submit(frames)
                predictions = self.collect(timeout_s=60.0)
                if predictions is None:
                    raise EngineError(f"{self.name}: a batch of {rung} was not done after 60 s of warm-up")
                times.append(predictions.seconds)
            best[rung] = min(times)
            if best[rung] < INLINE_BELOW_S:
                self._inline.add(rung)
        return best

    def take(self, waiting: int) -> int:
        """Return the largest rung that is filled: on a CPU time grows with the batch, so padding buys nothing."""
        return max((rung for rung in self._ladder if rung <= waiting), default=waiting)

    @property
    def ready(self) -> bool:
        """Whether `submit` can be called now."""
        return not self._closed and self._running is None

    def submit(self, frames: Frames) -> None:
        """Start a batch; see `Engine.submit`."""
        if not self.ready:
            raise EngineError(f"{self.name}: {'closed' if self._closed else 'a batch is under way already'}")
        n = len(frames)
        if n < 1 or frames.shape[1:] != self._bundle.frame_shape or frames.dtype != self._bundle.dtype:
            want = f"{self._bundle.dtype} (n, {', '.join(map(str, self._bundle.frame_shape))})"
            raise EngineError(f"{self.name}: found {frames.dtype} {frames.shape}, expected {want}, n at least 1")
        if n > self._ladder[-1]:
            raise EngineError(f"{self.name}: a batch of {n} is above the top rung {self._ladder[-1]}")
        size = next(rung for rung in self._ladder if rung >= n)
        rung = self._rungs[size]
        # Copied rather than shared: it costs a hundredth of the inference at most, and the request owns its memory.
        rung.frames[:n] = frames
        rung.frames[n:] = 0
        self._running = _Batch(rung, n, time.perf_counter())
        try:
            if size in self._inline:
                rung.request.infer()
                self._finished(None)
            else:
                rung.request.start_async()
        except RuntimeError as error:
            self._running = None
            raise EngineError(f"{self.name}: {_first_line(error)}") from error

    def _finished(self, _: object) -> None:
        self._done.append(time.perf_counter())
        self._wakeup.set()

    def collect(self, timeout_s: float = 0.0) -> Predictions | None:
        """Return the finished batch, or None; see `Engine.collect`."""
        batch = self._running
        if batch is None:
            return None
        request = batch.rung.request
        if not self._done:
            if timeout_s <= 0 or not request.wait_for(int(timeout_s * 1000)):
                return None
            while not self._done:  # the callback trails the result by microseconds
                time.sleep(0)
        self._wakeup.clear()
        finished = self._done.popleft()
        self._running = None
        try:
            request.wait()  # already done: raises here if it failed
        except RuntimeError as error:
            raise EngineError(f"{self.name}: {_first_line(error)}") from error
        probabilities, embedding, measurements = (value[: batch.n].copy() for value in batch.rung.outputs)
        return Predictions(probabilities, embedding, measurements, finished - batch.started)

    def fileno(self) -> int:
        """Return the descriptor that is readable while a finished batch waits."""
        return self._wakeup.fileno()

    def close(self) -> None:
        """Wait for what is under way, then free everything."""
        if self._closed:
            return
        self._closed = True
        if self._running is not None:
            self._running.rung.request.wait()
            self._running = None
        self._rungs.clear()
        self._wakeup.close()


class _Rung(NamedTuple):
    """A compiled batch size: its request, and the request's own memory."""

    request: Any
    frames: Frames
    outputs: tuple[NDArray[np.float32], ...]


class _Batch(NamedTuple):
    """What is under way: n cells on a rung since `started`."""

    rung: _Rung
    n: int
    started: float


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
