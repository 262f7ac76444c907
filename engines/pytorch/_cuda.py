"""Lanes of the PyTorch engine on an NVIDIA GPU: pinned memory, a stream, and a CUDA graph per rung."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from engines.backends import Done, Lane, Worker, WorkerLane, last_line
from engines.bundle import Bundle
from engines.errors import EngineError
from engines.pytorch._graph import Graph
from engines.pytorch._program import Program

_WARM_RUNS = 3
"""Runs before the capture: libraries choose their kernels and take their memory in them."""


def cuda_lanes(
    bundle: Bundle, graph: Graph, rungs: Sequence[int], worker: Worker, device: torch.device, *, half: bool, slots: int
) -> dict[int, list[Lane]]:
    """Return for each rung as many lanes as `slots`; the lanes of a slot share a stream and memory.

    Raises
    ------
    EngineError
        The GPU has too little memory.
    """
    # A stream per slot: what is on it is done in order, so the graphs of a slot may share their scratch memory.
    streams = [torch.cuda.Stream(device) for _ in range(slots)]  # type: ignore[no-untyped-call]
    pools = [torch.cuda.graph_pool_handle() for _ in range(slots)]
    lanes: dict[int, list[Lane]] = {}
    try:
        # The largest first: the others then fit into the memory it took.
        for rung in sorted(rungs, reverse=True):
            with torch.inference_mode():
                example = torch.from_numpy(np.zeros((rung, *bundle.frame_shape), bundle.dtype))
                program = Program(graph, _readable(example), device, half=half)
                lanes[rung] = [
                    CudaLane(worker, bundle, example, program, stream, pool)
                    for stream, pool in zip(streams, pools, strict=True)
                ]
    except torch.cuda.OutOfMemoryError as error:
        free, total = (size >> 20 for size in torch.cuda.mem_get_info(device))
        raise EngineError(
            f"too little GPU memory: {free} of {total} MiB are free on {torch.cuda.get_device_name(device)}; "
            f"take a shorter engine.ladder than up to {max(rungs)}, or free the GPU"
        ) from error
    return lanes


class CudaLane(WorkerLane):
    """A captured batch size. The calling thread launches it; the worker waits for the GPU."""

    def __init__(
        self,
        worker: Worker,
        bundle: Bundle,
        example: torch.Tensor,
        program: Program,
        stream: torch.cuda.Stream,
        pool: Any,
    ) -> None:
        self._stream = stream
        self._host = torch.zeros_like(example).pin_memory()
        self._frames = torch.zeros_like(example, device=stream.device)
        with _exact():
            stream.wait_stream(torch.cuda.current_stream(stream.device))
            with torch.cuda.stream(stream):
                for _ in range(_WARM_RUNS):
                    program(_readable(self._frames))
            stream.synchronize()
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph, pool=pool, stream=stream):
                self._answers = program(_readable(self._frames))
        # The captured launches read the program's constants for as long as they are replayed.
        self._program = program
        self._landed = [torch.zeros(answer.shape, dtype=torch.float32).pin_memory() for answer in self._answers]
        # One that sleeps while it waits: a spinning one would take a core from the loop.
        self._event = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        super().__init__(worker, self._host.numpy(), tuple(landed.numpy() for landed in self._landed))

    def run(self) -> None:
        """Run, and wait on the calling thread."""
        self._launch()
        self._complete()

    def start(self, done: Done) -> None:
        """Launch at once; the worker only waits."""
        self._launch()
        super().start(done)

    def _launch(self) -> None:
        try:
            with torch.cuda.stream(self._stream):
                self._frames.copy_(self._host, non_blocking=True)
                self._graph.replay()
                for landed, answer in zip(self._landed, self._answers, strict=True):
                    landed.copy_(answer, non_blocking=True)
                self._event.record(self._stream)
        except torch.cuda.OutOfMemoryError as error:
            raise RuntimeError(f"too little GPU memory: {last_line(error)}") from error

    def _complete(self) -> None:
        self._event.synchronize()


def _readable(frames: torch.Tensor) -> torch.Tensor:
    """Return frames of a dtype all kernels know: PyTorch can hold uint16 on a GPU, and do little with it."""
    if frames.dtype == torch.uint16:
        return frames.view(torch.int16).to(torch.int32).bitwise_and(0xFFFF)
    return frames


def _exact() -> Any:
    """Return the context in which cuDNN chooses its quickest kernels, among those that compute in full FP32."""
    return torch.backends.cudnn.flags(
        enabled=True, benchmark=True, deterministic=False, allow_tf32=False, fp32_precision="ieee"
    )
