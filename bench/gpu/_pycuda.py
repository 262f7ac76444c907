"""Item: pycuda's part of the TensorRT engine, run for real, with a small kernel in place of the network.

The engine's own lane does the work: page-locked slots, a stream, an event behind each batch, a CUDA graph per rung.
What TensorRT would run in the middle is a kernel whose answers are known.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from bench.gpu._rows import Setting, Skip
from engines.errors import CellgateError
from engines.tensorrt._device import Gpu
from engines.tensorrt._graphs import load_driver
from engines.tensorrt._lane import Lane, Signature

LADDER = (1, 8, 32, 128, 512)
FRAME = (2, 64, 64)
OUTPUTS = (("probabilities", 7), ("embedding", 336), ("measurements", 15))
_THREADS = 128

# out[cell, k] = in[cell, k] / 2, a block per cell. As text that the driver compiles, so that no compiler is needed.
PTX = b"""
.version 6.0
.target sm_50
.address_size 64
.visible .entry halve(.param .u64 frames, .param .u64 answers, .param .u32 frame, .param .u32 width)
{
    .reg .pred %p;
    .reg .b16 %h;
    .reg .b32 %cell, %k, %step, %frame, %width, %at, %to, %count;
    .reg .f32 %value;
    .reg .b64 %in, %out, %offset, %address;
    ld.param.u64 %in, [frames];
    ld.param.u64 %out, [answers];
    ld.param.u32 %frame, [frame];
    ld.param.u32 %width, [width];
    cvta.to.global.u64 %in, %in;
    cvta.to.global.u64 %out, %out;
    mov.u32 %cell, %ctaid.x;
    mov.u32 %k, %tid.x;
    mov.u32 %step, %ntid.x;
next:
    setp.ge.u32 %p, %k, %width;
    @%p bra done;
    mad.lo.u32 %at, %cell, %frame, %k;
    mul.wide.u32 %offset, %at, 2;
    add.u64 %address, %in, %offset;
    ld.global.u16 %h, [%address];
    cvt.u32.u16 %count, %h;
    cvt.rn.f32.u32 %value, %count;
    mul.f32 %value, %value, 0f3F000000;
    mad.lo.u32 %to, %cell, %width, %k;
    mul.wide.u32 %offset, %to, 4;
    add.u64 %address, %out, %offset;
    st.global.f32 [%address], %value;
    add.u32 %k, %k, %step;
    bra next;
done:
    ret;
}
"""

Launch = Callable[[int, int, int, int], None]
"""Run the kernel for so many cells, from this address to that, with this width, on the lane's stream."""


def pycuda(setting: Setting) -> None:
    """Run each rung through a lane, call by call and as CUDA graphs: times, and whether answers are right."""
    if setting.dry:
        raise Skip("needs a GPU")
    try:
        gpu = Gpu(0)
    except CellgateError as error:
        raise Skip(str(error)) from error
    with gpu:
        kernel = gpu.cuda.module_from_buffer(PTX).get_function("halve")
        network = Network(len(LADDER))
        lane = lane_around(gpu, network)
        frame = math.prod(FRAME)

        def launch(cells: int, frames: int, answers: int, width: int) -> None:
            numbers = (np.uint64(frames), np.uint64(answers), np.uint32(frame), np.uint32(width))
            kernel(*numbers, block=(_THREADS, 1, 1), grid=(cells, 1), stream=lane.stream)

        network.launch = launch
        try:
            try_rungs(lane, "call by call", setting)
            lane.record(load_driver())
            try_rungs(lane, "CUDA graph", setting)
        finally:
            lane.close()
    torch = import_module("torch")
    beside = bool((torch.ones(4, device="cuda") * 2).sum().item() == 8.0)
    setting.add("pycuda", "PyTorch computes beside it", float(beside), "1 = yes")


def lane_around(gpu: Gpu, network: Network) -> Lane:
    """Return the TensorRT engine's lane with this in the network's place."""
    signature = Signature("frames", FRAME, OUTPUTS)
    no_complaints: Any = None
    return Lane(gpu, _Enums, network, signature, LADDER, FRAME, np.dtype(np.uint16), no_complaints, blocking=False)


def try_rungs(lane: Lane, how: str, setting: Setting, seconds: float = 1.0) -> None:
    """Time batches of every rung, event waited for, and compare every answer with what it must be."""
    random = np.random.default_rng(0)
    for rung in LADDER:
        lane.frames[:rung] = random.integers(0, 65536, (rung, *FRAME), np.uint16)
        for output in lane.outputs:
            output.fill(-1)
        best, until = math.inf, time.perf_counter() + seconds
        while best == math.inf or time.perf_counter() < until:
            began = time.perf_counter()
            lane.start(rung)
            lane.event.synchronize()
            best = min(best, time.perf_counter() - began)
        flat = lane.frames[:rung].reshape(rung, -1)
        wanted = (flat[:, : output.shape[1]].astype(np.float32) / 2 for output in lane.outputs)
        right = all(np.array_equal(output[:rung], want) for output, want in zip(lane.outputs, wanted, strict=True))
        setting.add("pycuda", f"{how}, {rung} cells of 2×64×64: in, kernels, out, event", best * 1e6, "µs")
        setting.add("pycuda", f"{how}, {rung} cells: every answer is right", float(right), "1 = yes")


class Network:
    """What the lane takes for a TensorRT engine: it runs `launch` once per output."""

    device_memory_size_v2 = 0

    def __init__(self, profiles: int) -> None:
        self.profiles = profiles
        self.launch: Launch | None = None

    def create_execution_context(self, strategy: object) -> _Context:
        """Return a context, as TensorRT's engine does."""
        return _Context(self)


class _Context:
    def __init__(self, network: Network) -> None:
        self._network = network
        self._addresses: dict[str, int] = {}
        self._cells = 0

    def set_device_memory(self, memory: int, size: int) -> None:
        pass  # it needs none

    def set_optimization_profile_async(self, profile: int, stream: int) -> bool:
        return 0 <= profile < self._network.profiles

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self._cells = shape[0]
        return name == "frames"

    def set_tensor_address(self, name: str, address: int) -> bool:
        self._addresses[name] = address
        return True

    def infer_shapes(self) -> list[str]:
        return []

    def execute_async_v3(self, stream: int) -> bool:
        if self._network.launch is None:
            return False
        for name, width in OUTPUTS:
            self._network.launch(self._cells, self._addresses["frames"], self._addresses[name], width)
        return True


class _Enums:
    class ExecutionContextAllocationStrategy:
        USER_MANAGED = 2
