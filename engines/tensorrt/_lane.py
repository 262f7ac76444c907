"""A lane: everything one batch needs to be under way on a GPU. Two of them overlap copying and computing."""

from __future__ import annotations

import contextlib
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engines.errors import EngineError
from engines.tensorrt._device import Gpu
from engines.tensorrt._graphs import Capture, CudaGraph
from engines.tensorrt._log import Complaints

Frames = NDArray[np.generic]

NON_BLOCKING = 1
"""`CU_STREAM_NON_BLOCKING`: does not wait for the legacy default stream, on which PyTorch computes."""


class Signature(NamedTuple):
    """The engine's one input, and its outputs in the order of `Predictions` with their widths."""

    input: str
    input_shape: tuple[int, ...]
    outputs: tuple[tuple[str, int], ...]


class Lane:
    """A stream, page-locked host memory, device memory, and one execution context per rung.

    Contexts of one lane share their scratch memory, as batches on one stream never run at the same time. To be made,
    used and closed with the GPU's context current.

    Attributes
    ----------
    frames
        `(top rung, C, H, W)` page-locked counts; what is written here is copied to the GPU without another copy.
    outputs
        Page-locked `(top rung, width)` float32 each.
    event
        Recorded behind each batch.
    """

    def __init__(
        self,
        gpu: Gpu,
        trt: Any,
        engine: Any,
        signature: Signature,
        ladder: tuple[int, ...],
        frame_shape: tuple[int, int, int],
        dtype: np.dtype[np.generic],
        complaints: Complaints,
        *,
        blocking: bool,
    ) -> None:
        cuda = gpu.cuda
        self._cuda, self._complaints = cuda, complaints
        self._allocated: list[Any] = []
        self._contexts: dict[int, Any] = {}
        self._graphs: dict[int, CudaGraph] = {}
        top = ladder[-1]
        try:
            self.frames: Frames = cuda.pagelocked_empty((top, *frame_shape), dtype)
            self.outputs: tuple[NDArray[np.float32], ...] = tuple(
                cuda.pagelocked_empty((top, width), np.float32) for _, width in signature.outputs
            )
            self.stream = cuda.Stream(NON_BLOCKING)
            flags = int(cuda.event_flags.DISABLE_TIMING)
            self.event = cuda.Event(flags | int(cuda.event_flags.BLOCKING_SYNC) if blocking else flags)
            self._input = self._allocate(self.frames.nbytes)
            self._outputs = [self._allocate(output.nbytes) for output in self.outputs]
            scratch = int(engine.device_memory_size_v2)
            memory = self._allocate(max(scratch, 256))
            for profile, rung in enumerate(ladder):
                self._contexts[rung] = self._context(trt, engine, signature, profile, rung, memory, scratch)
            self.stream.synchronize()
        except cuda.Error as error:
            self.close()
            raise _cuda_error(cuda, error) from error
        except EngineError:
            self.close()
            raise
        self.frames.fill(0)

    def _allocate(self, size: int) -> int:
        allocation = self._cuda.mem_alloc(size)
        self._allocated.append(allocation)
        return int(allocation)

    def _context(
        self, trt: Any, engine: Any, signature: Signature, profile: int, rung: int, memory: int, scratch: int
    ) -> Any:
        what = f"no execution context for batches of {rung}"
        context = engine.create_execution_context(trt.ExecutionContextAllocationStrategy.USER_MANAGED)
        if context is None:
            raise self._complaints.error(what)
        context.set_device_memory(memory, max(scratch, 256))
        names = (signature.input, *(name for name, _ in signature.outputs))
        done = context.set_optimization_profile_async(profile, self.stream.handle)
        done = done and context.set_input_shape(signature.input, (rung, *signature.input_shape))
        for name, address in zip(names, (self._input, *self._outputs), strict=True):
            done = done and context.set_tensor_address(name, address)
        if not done:
            raise self._complaints.error(what)
        missing = context.infer_shapes()
        if missing:
            raise self._complaints.error(what, f"shapes of {', '.join(missing)} are not known")
        return context

    def start(self, rung: int) -> None:
        """Put a batch of this rung, read from `frames`, on the stream, and the event behind it; returns at once."""
        try:
            graph = self._graphs.get(rung)
            if graph is None:
                self._enqueue(rung)
            else:
                graph.launch(self.stream.handle)
            self.event.record(self.stream)
        except self._cuda.Error as error:
            raise _cuda_error(self._cuda, error) from error

    def _enqueue(self, rung: int) -> None:
        cuda = self._cuda
        cuda.memcpy_htod_async(self._input, self.frames[:rung], self.stream)
        context = self._contexts[rung]
        if not context.execute_async_v3(self.stream.handle):
            raise self._complaints.error(f"a batch of {rung} was refused")
        for host, address in zip(self.outputs, self._outputs, strict=True):
            cuda.memcpy_dtoh_async(host[:rung], address, self.stream)

    def record(self, driver: Any) -> None:
        """Record a CUDA graph of each rung; raises `EngineError` with none recorded where one cannot be.

        Each rung is run once before: TensorRT settles its state at the first run, which must not be in a recording.
        """
        try:
            for rung in self._contexts:
                self._enqueue(rung)
                self.stream.synchronize()
                with Capture(driver, self.stream.handle) as capture:
                    self._enqueue(rung)
                self._graphs[rung] = capture.finish()
        except self._cuda.Error as error:
            self.forget_graphs()
            raise _cuda_error(self._cuda, error) from error
        except EngineError:
            self.forget_graphs()
            raise

    def forget_graphs(self) -> None:
        """Free the recorded graphs; batches are then started call by call."""
        for graph in self._graphs.values():
            graph.close()
        self._graphs.clear()

    def close(self) -> None:
        """Free everything; nothing may be under way."""
        self.forget_graphs()
        # Contexts first: they hold addresses in the memory freed next.
        self._contexts.clear()
        for allocation in self._allocated:
            # After a fault of the GPU freeing fails as well; the memory is gone with the process.
            with contextlib.suppress(self._cuda.Error):
                allocation.free()
        self._allocated.clear()


def _cuda_error(cuda: Any, error: Exception) -> EngineError:
    if isinstance(error, cuda.MemoryError):
        return EngineError(f"the GPU's memory is used up ({error}); use a smaller ladder, or free the GPU's memory")
    return EngineError(f"CUDA: {error}")
