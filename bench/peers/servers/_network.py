"""The bundle's graph, compiled by OpenVINO with the options that Cellgate's own engine takes: serving is compared."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.peers.servers._order import Order

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type] # it would report that it is used
import openvino as ov  # noqa: E402

Frames = NDArray[np.generic]
Probabilities = NDArray[np.float32]


class Network:
    """A graph compiled for batches of 1, 2, 4 … up to what is ordered, as Cellgate's ladder is.

    Called with raw counts `(n, C, H, W)`, n ≤ the ordered batch, it returns probabilities `(n, classes)` float32. A
    batch that is no power of two is run in pieces that are: time on a CPU grows with the batch, so padding buys
    nothing.
    """

    def __init__(self, order: Order) -> None:
        core = ov.Core()
        model = core.read_model(order.graph)
        # Those of engines/backends/_openvino.py in latency mode.
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": order.threads,
        }
        self._requests: dict[int, Any] = {}
        rung = 1
        while rung <= order.batch:
            model.reshape([rung, *order.shape])
            self._requests[rung] = core.compile_model(model, "CPU", options).create_infer_request()
            self(np.zeros((rung, *order.shape), order.dtype))
            rung *= 2
        self._rungs = sorted(self._requests, reverse=True)

    def __call__(self, frames: Frames) -> Probabilities:
        """Return the probabilities of a batch."""
        size = len(frames)
        if size in self._requests:
            return self._run(frames).copy()
        answers, at = [], 0
        while at < size:
            rung = next(rung for rung in self._rungs if rung <= size - at)
            answers.append(self._run(frames[at : at + rung]).copy())
            at += rung
        return np.concatenate(answers)

    def _run(self, frames: Frames) -> Probabilities:
        request = self._requests[len(frames)]
        request.get_input_tensor(0).data[:] = frames
        request.infer()
        answer: Probabilities = request.get_tensor("probabilities").data
        return answer
