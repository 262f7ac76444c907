"""The PyTorch engine, on a GPU where there is one, else on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

import numpy as np

from engines.backends import (
    DEFAULT_LADDER,
    Arithmetic,
    LadderEngine,
    Lane,
    Mode,
    Worker,
    check_ladder,
    last_line,
    threads_for,
)
from engines.bundle import Bundle
from engines.errors import EngineError, MissingExtraError

if TYPE_CHECKING:
    import torch

    from engines.pytorch._graph import Graph

Device = Literal["auto", "cpu", "cuda"]


class TorchEngine(LadderEngine):
    """A bundle's own graph, run operator by operator in PyTorch: the reference for parity, and a GPU engine.

    On a GPU each rung is a CUDA graph with channels-last weights, fed from pinned memory. FP32 is FP32 there too: the
    shortened products (TF32) that GPUs offer stay off.

    Parameters
    ----------
    bundle
        What to run.
    precision
        `fp32` or `int8` for the graph of that name; an int8 graph is computed in float, rounded as it says. `fp16`
        runs the FP32 graph with half precision inside the network, see `Program`.
    threads
        On the CPU, as for `OpenVinoEngine`; PyTorch has one number for the whole process.
    ladder
        Batch sizes to compile.
    mode
        In throughput mode two batches are under way on a GPU, so that one is copied while the other is computed. On
        the CPU both modes are the same.
    device
        `auto` takes the GPU if PyTorch can use one.
    gpu
        Its number; by default the one that is current.
    inline
        See `LadderEngine`.

    Raises
    ------
    MissingExtraError
        PyTorch or onnx is not installed.
    EngineError
        An operator is not supported, the GPU cannot be used or has too little memory.
    BundleError
        The graph's inputs and outputs are not those its manifest states.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        precision: Arithmetic = "fp32",
        threads: int = 0,
        ladder: Sequence[int] = DEFAULT_LADDER,
        mode: Mode = "latency",
        device: Device = "auto",
        gpu: int | None = None,
        inline: bool = True,
    ) -> None:
        if find_spec("torch") is None or find_spec("onnx") is None:
            raise MissingExtraError("the PyTorch engine", "torch")
        import torch

        from engines.pytorch._graph import read_graph

        rungs = check_ladder(ladder)
        place = _device(device, gpu)
        graph = read_graph(bundle, "int8" if precision == "int8" else "fp32")
        half = precision == "fp16"
        worker = Worker("pytorch")
        try:
            if place.type == "cuda":
                from engines.pytorch._cuda import cuda_lanes

                with torch.cuda.device(place):
                    lanes: dict[int, list[Lane]] = cuda_lanes(
                        bundle, graph, rungs, worker, place, half=half, slots=2 if mode == "throughput" else 1
                    )
                what = torch.cuda.get_device_name(place)
            else:
                torch.set_num_threads(threads_for("latency", threads))
                lanes = _cpu_lanes(bundle, graph, rungs, worker, half=half)
                what = "CPU"
        except RuntimeError as error:
            worker.close()
            raise EngineError(f"PyTorch cannot compile {graph.source}: {last_line(error)}") from error
        except BaseException:
            worker.close()
            raise
        name = f"torch {torch.__version__.split('+')[0]} {what} {precision}"
        super().__init__(bundle, name, lanes, partial(_release, worker, place), inline=inline)


def _device(wanted: Device, gpu: int | None) -> torch.device:
    import torch

    if wanted == "cpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        if gpu is not None and not 0 <= gpu < torch.cuda.device_count():
            raise EngineError(f"GPU {gpu}: there are {torch.cuda.device_count()}, numbered from 0")
        return torch.device("cuda", torch.cuda.current_device() if gpu is None else gpu)
    if wanted == "auto" and gpu is None:
        return torch.device("cpu")
    built = torch.version.cuda
    if built is None:
        raise EngineError("PyTorch cannot use a GPU: it was built for the CPU alone; install PyTorch for CUDA")
    raise EngineError(f"PyTorch cannot use a GPU: none, or a driver too old for CUDA {built}; see cellgate doctor")


def _cpu_lanes(
    bundle: Bundle, graph: Graph, rungs: Sequence[int], worker: Worker, *, half: bool
) -> dict[int, list[Lane]]:
    import torch

    from engines.pytorch._cpu import CpuLane
    from engines.pytorch._program import Program

    lanes: dict[int, list[Lane]] = {}
    for rung in rungs:
        frames = np.zeros((rung, *bundle.frame_shape), bundle.dtype)
        with torch.inference_mode():
            program = Program(graph, torch.from_numpy(frames), torch.device("cpu"), half=half)
        lanes[rung] = [CpuLane(worker, bundle, frames, program)]
    return lanes


def _release(worker: Worker, place: torch.device) -> None:
    worker.close()
    if place.type == "cuda":
        import torch

        torch.cuda.empty_cache()
