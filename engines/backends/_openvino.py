"""The embedded CPU engine: OpenVINO, FP32 as the graph says."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

import numpy as np

from engines.backends._interface import DEFAULT_LADDER, Frames, Predictions
from engines.backends._wakeup import Wakeup
from engines.bundle import Bundle, Precision
from engines.errors import BundleError, EngineError, InputError
from engines.quiet_openvino import ov


class OpenVinoEngine:
    """A bundle on the CPU: one compiled model per rung, one batch under way at a time.

    Parameters
    ----------
    bundle
        What to run.
    precision
        Which of the bundle's graphs.
    threads
        Threads of the inference pool; 0 takes one per core.
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
        self._running: deque[tuple[Any, Frames, int, float]] = deque()
        self._done: deque[float] = deque()
        self._closed = False
        try:
            self._requests = self._compile()
        except BaseException:
            self._wakeup.close()
            raise

    def _compile(self) -> dict[int, Any]:
        graph = self._bundle.graph(self._precision)
        core = ov.Core()
        requests = {}
        try:
            model = core.read_model(graph)
            self._check_signature(model)
            for rung in self._ladder:
                model.reshape([rung, *self._bundle.frame_shape])
                compiled = core.compile_model(model, "CPU", self._options())
                request = compiled.create_infer_request()
                # The callback runs in one of OpenVINO's threads: it may only note the time and wake the loop.
                request.set_callback(self._finished, None)
                requests[rung] = request
        except RuntimeError as error:
            raise EngineError(f"OpenVINO cannot compile {graph}: {_first_line(error)}") from error
        return requests

    def _options(self) -> dict[str, object]:
        # Without the precision hint OpenVINO computes in bfloat16 on CPUs that have it, and answers differently.
        options: dict[str, object] = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": "f32",
        }
        if self._threads:
            options["INFERENCE_NUM_THREADS"] = self._threads
        return options

    def _check_signature(self, model: Any) -> None:
        spec = self._bundle.manifest
        graph = self._bundle.graph(self._precision)
        found = {name for output in model.outputs for name in output.get_names()}
        wanted = {"probabilities", "embedding", "measurements"}
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
        """Run every rung a few times; return the best time of each in seconds."""
        best = {}
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
        return best

    def take(self, waiting: int) -> int:
        """Return the largest rung that is filled: on a CPU time grows with the batch, so padding buys nothing."""
        return max((rung for rung in self._ladder if rung <= waiting), default=waiting)

    @property
    def ready(self) -> bool:
        """Whether `submit` can be called now."""
        return not self._closed and not self._running

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
        rung = next(rung for rung in self._ladder if rung >= n)
        padded = frames
        if rung != n:
            padded = np.zeros((rung, *frames.shape[1:]), frames.dtype)
            padded[:n] = frames
        request = self._requests[rung]
        try:
            request.set_input_tensor(ov.Tensor(padded, shared_memory=True))
            # The request does not own the memory: what it reads is kept alive here until it was collected.
            self._running.append((request, padded, n, time.perf_counter()))
            request.start_async()
        except (RuntimeError, ValueError) as error:
            self._running.clear()
            raise EngineError(f"{self.name}: {_first_line(error)}") from error

    def _finished(self, _: object) -> None:
        self._done.append(time.perf_counter())
        self._wakeup.set()

    def collect(self, timeout_s: float = 0.0) -> Predictions | None:
        """Return the finished batch, or None; see `Engine.collect`."""
        if not self._running:
            return None
        request, _, n, started = self._running[0]
        if not self._done:
            if timeout_s <= 0 or not request.wait_for(int(timeout_s * 1000)):
                return None
            while not self._done:  # the callback trails the result by microseconds
                time.sleep(0)
        self._wakeup.clear()
        finished = self._done.popleft()
        self._running.popleft()
        try:
            request.wait()  # already done: raises here if it failed
            outputs = {name: request.get_tensor(name).data for name in ("probabilities", "embedding", "measurements")}
        except RuntimeError as error:
            raise EngineError(f"{self.name}: {_first_line(error)}") from error
        probabilities, embedding, measurements = (value[:n].copy() for value in outputs.values())
        return Predictions(probabilities, embedding, measurements, finished - started)

    def fileno(self) -> int:
        """Return the descriptor that is readable while a finished batch waits."""
        return self._wakeup.fileno()

    def close(self) -> None:
        """Wait for what is under way, then free everything."""
        if self._closed:
            return
        self._closed = True
        for request, _, _, _ in self._running:
            request.wait()
        self._running.clear()
        self._requests.clear()
        self._wakeup.close()


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
