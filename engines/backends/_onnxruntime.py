"""ONNX Runtime on the CPU: ahead of OpenVINO on the smallest graphs, and a second opinion on all others."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engines.backends._checks import OUTPUTS, check_ladder, check_signature, last_line
from engines.backends._cores import Mode, cores, pin_thread, threads_for
from engines.backends._interface import DEFAULT_LADDER, Frames
from engines.backends._ladder_engine import LadderEngine
from engines.backends._lanes import Outputs, Worker, WorkerLane
from engines.backends._unmeasured import without_measurements
from engines.bundle import Bundle, GraphTarget, Precision
from engines.errors import EngineError, MissingExtraError

_DTYPES = {"tensor(uint8)": np.uint8, "tensor(uint16)": np.uint16, "tensor(float)": np.float32}


class OnnxRuntimeEngine(LadderEngine):
    """A bundle on the CPU, one session for all rungs, each with its inputs and outputs bound once.

    Parameters
    ----------
    bundle, precision, ladder
        As for `OpenVinoEngine`.
    threads
        As for `OpenVinoEngine`; the thread that runs the session counts.
    mode
        As for `OpenVinoEngine`; in throughput mode each batch has a session of one thread.
    pin
        Whether each thread stays on a core.
    spin
        Whether threads that wait for work keep their cores busy: quicker by microseconds, at the cost of whoever
        else wants those cores.
    measure
        Whether the measurements are computed; leaving them out takes the package onnx.
    target
        `gpu` runs the int8 graph that is for GPUs: slowly, to compare its answers where there is none. They do not
        depend on how this processor adds up bytes.

    Raises
    ------
    MissingExtraError
        ONNX Runtime, or for an engine without measurements onnx, is not installed.
    EngineError, BundleError
        As for `OpenVinoEngine`.
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
        spin: bool = True,
        measure: bool = True,
        target: GraphTarget = "any",
    ) -> None:
        rungs = check_ladder(ladder)
        graph = bundle.graph(precision, target)
        threads = threads_for(mode, threads)
        width, each = (threads, 1) if mode == "throughput" else (1, threads)
        # Session number i has the cores from i * each on; with more threads than cores they share.
        places = [_places(i, each) if pin else () for i in range(width)]
        read: str | bytes = str(graph) if measure else without_measurements(bundle, graph)
        sessions = [_session(graph, read, each, place, spin=spin, exact=target == "gpu") for place in places]
        computed = OUTPUTS if measure else OUTPUTS[:-1]
        _check(bundle, graph, sessions[0], computed)
        workers = [Worker("onnxruntime", partial(pin_thread, place[0]) if place else None) for place in places]
        lanes = {
            rung: [
                _OnnxLane(
                    worker,
                    session,
                    np.zeros((rung, *bundle.frame_shape), bundle.dtype),
                    _room(bundle, rung),
                    computed,
                )
                for worker, session in zip(workers, sessions, strict=True)
            ]
            for rung in rungs
        }
        what = precision if target == "any" else f"{precision} for {target}"
        name = f"onnxruntime {_library().__version__} CPU {what}"
        super().__init__(bundle, name, lanes, partial(_close, workers))


class _OnnxLane(WorkerLane):
    """A session's binding to memory that stays where it is."""

    def __init__(self, worker: Worker, session: Any, frames: Frames, outputs: Outputs, computed: Sequence[str]) -> None:
        super().__init__(worker, frames, outputs)
        self._session, self._binding = session, session.io_binding()
        self._bind(self._binding.bind_input, session.get_inputs()[0].name, frames)
        for name, output in zip(computed, outputs, strict=False):
            if output.size:  # an empty array has no memory to bind
                self._bind(self._binding.bind_output, name, output)

    def run(self) -> None:
        try:
            self._session.run_with_iobinding(self._binding)
        except Exception as error:  # its errors have no base of their own
            raise RuntimeError(last_line(error)) from error

    @staticmethod
    def _bind(bind: Any, name: str, array: NDArray[np.generic]) -> None:
        bind(name, "cpu", 0, array.dtype.type, list(array.shape), array.ctypes.data)


def _room(bundle: Bundle, rung: int) -> Outputs:
    """Return memory for the outputs of a rung; where nothing is written, it says that it is not known."""
    outputs = bundle.manifest.outputs
    widths = (len(bundle.classes), outputs.embedding, len(outputs.measurements))
    return tuple(np.full((rung, width), np.nan, np.float32) for width in widths)


def _close(workers: Sequence[Worker]) -> None:
    for worker in workers:
        worker.close()


def _library() -> Any:
    try:
        # By name, as the live path must not depend on it unless a configuration asks for it.
        return import_module("onnxruntime")
    except ImportError as error:
        raise MissingExtraError("the ONNX Runtime engine", "onnxruntime") from error


def _session(
    graph: Path, read: str | bytes, threads: int, places: Sequence[int], *, spin: bool, exact: bool = False
) -> Any:
    """Compile a graph; `exact` has int8 layers computed in float, from the integers, and rounded as the graph says.

    Processors without VNNI add products of bytes in 16 bits, in which large sums are cut off; no GPU does that.
    """
    library = _library()
    options = library.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what goes wrong is raised; nothing but ours is written to stderr
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spin else "0")
    if exact:
        options.add_session_config_entry("session.disable_quant_qdq", "1")
    if len(places) > 1:
        # For its own threads, which are one less: the first is the caller's. Processors are counted from 1 there.
        text = ";".join(str(place + 1) for place in places[1:])
        options.add_session_config_entry("session.intra_op_thread_affinities", text)
    try:
        return library.InferenceSession(read, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no base of their own
        raise EngineError(f"ONNX Runtime cannot compile {graph}: {last_line(error)}") from error


def _places(i: int, each: int) -> tuple[int, ...]:
    available = cores()
    return tuple(available[(i * each + j) % len(available)] for j in range(each))


def _check(bundle: Bundle, graph: Path, session: Any, computed: Sequence[str]) -> None:
    inputs = [(np.dtype(_DTYPES.get(given.type, np.void)), _shape(given)) for given in session.get_inputs()]
    check_signature(bundle, graph, inputs, {output.name: _shape(output) for output in session.get_outputs()}, computed)


def _shape(port: Any) -> tuple[int | None, ...]:
    return tuple(side if isinstance(side, int) else None for side in port.shape)
