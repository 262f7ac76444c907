"""The embedded CPU engine: OpenVINO, FP32 as the graph says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.backends._checks import OUTPUTS, check_ladder, check_signature, last_line
from engines.backends._cores import Mode, threads_for
from engines.backends._interface import DEFAULT_LADDER
from engines.backends._ladder_engine import LadderEngine
from engines.backends._lanes import Done
from engines.bundle import Bundle, Precision
from engines.errors import EngineError
from engines.quiet_openvino import ov


class OpenVinoEngine(LadderEngine):
    """A bundle on the CPU: one compiled model per rung.

    Parameters
    ----------
    bundle
        What to run.
    precision
        Which of the bundle's graphs.
    threads
        Threads of the inference pool; 0 takes one per core but one, which is left to the loop: with all of them the
        median is a little lower and the tail twice as long. In throughput mode 0 takes one per core.
    ladder
        Batch sizes to compile.
    mode
        `latency` puts all threads on one batch. `throughput` has a batch under way per thread, which is more cells
        per second and longer for each.
    pin
        Whether each thread stays on a core; None leaves it to OpenVINO.
    measure
        Whether the measurements are computed.

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
        ladder: Sequence[int] = DEFAULT_LADDER,
        mode: Mode = "latency",
        pin: bool | None = None,
        measure: bool = True,
    ) -> None:
        rungs = check_ladder(ladder)
        graph = bundle.graph(precision)
        threads = threads_for(mode, threads)
        streams = threads if mode == "throughput" else 1
        core = ov.Core()
        lanes = {}
        try:
            model = core.read_model(graph)
            _check(bundle, graph, model)
            if not measure:
                model = _without_measurements(model)
            width = len(bundle.manifest.outputs.measurements)
            for rung in rungs:
                model.reshape([rung, *bundle.frame_shape])
                compiled = core.compile_model(model, "CPU", _options(mode, threads, streams, pin))
                left_out = None if measure else np.full((rung, width), np.nan, np.float32)
                lanes[rung] = [_OpenVinoLane(compiled.create_infer_request(), left_out) for _ in range(streams)]
        except RuntimeError as error:
            raise EngineError(f"OpenVINO cannot compile {graph}: {last_line(error)}") from error
        super().__init__(bundle, f"openvino {ov.__version__.split('-')[0]} CPU {precision}", lanes)


class _OpenVinoLane:
    """An inference request, which has its own memory and thread; `left_out` stands for measurements it has not."""

    def __init__(self, request: Any, left_out: NDArray[np.float32] | None) -> None:
        self._request = request
        self._done: Done | None = None
        self._asked = False
        # Of a fixed shape, so the tensors stay where they are from one batch to the next.
        self.frames = request.get_input_tensor(0).data
        names = OUTPUTS if left_out is None else OUTPUTS[:-1]
        self.outputs = tuple(request.get_tensor(name).data for name in names)
        if left_out is not None:
            self.outputs += (left_out,)
        # The callback runs in one of OpenVINO's threads: it may only note the time and wake the loop.
        request.set_callback(self._called, None)

    def run(self) -> None:
        # Shared: otherwise every output is copied, and they are read from `outputs`.
        self._request.infer(share_outputs=True)

    def start(self, done: Done) -> None:
        self._done, self._asked = done, True
        self._request.start_async()

    def wait(self, timeout_s: float | None) -> bool:
        try:
            if timeout_s is not None:
                return bool(self._request.wait_for(int(timeout_s * 1000)))
            self._request.wait()
        except RuntimeError:
            pass  # over, and `finish` says how
        return True

    def finish(self) -> None:
        if self._asked:
            self._asked = False
            self._request.wait()  # already done: raises here if it failed

    def _called(self, _: object) -> None:
        done, self._done = self._done, None
        if done is not None:
            done()


def _without_measurements(model: Any) -> Any:
    """Return the model that ends in the other outputs; what only the measurements needed is not compiled."""
    kept = [output.node for output in model.outputs if output.get_names().isdisjoint({OUTPUTS[-1]})]
    return ov.Model(kept, model.get_parameters())


def _options(mode: Mode, threads: int, streams: int, pin: bool | None) -> dict[str, object]:
    # Without the precision hint OpenVINO computes in bfloat16 on CPUs that have it, and answers differently.
    options: dict[str, object] = {
        "PERFORMANCE_HINT": mode.upper(),
        "NUM_STREAMS": streams,
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": threads,
    }
    return options if pin is None else options | {"ENABLE_CPU_PINNING": pin}


def _check(bundle: Bundle, graph: Path, model: Any) -> None:
    inputs = [(np.dtype(given.get_element_type().to_dtype()), _shape(given)) for given in model.inputs]
    check_signature(
        bundle, graph, inputs, {name: _shape(output) for output in model.outputs for name in output.get_names()}
    )


def _shape(port: Any) -> tuple[int | None, ...]:
    shape = port.get_partial_shape()
    if shape.rank.is_dynamic:
        return ()
    return tuple(side.get_length() if side.is_static else None for side in shape)
