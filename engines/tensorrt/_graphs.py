"""CUDA graphs: a batch's copies and kernels recorded once and started with one call.

pycuda (2026.1) cannot record, so the seven calls of NVIDIA's driver interface it takes are made directly, on pycuda's
streams. Names and arguments are those of `cuda.h`.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, byref, c_char_p, c_int, c_ulonglong, c_void_p
from typing import Any

from engines.errors import EngineError

LIBRARY = "libcuda.so.1"
PROTOTYPES: dict[str, tuple[Any, ...]] = {
    "cuStreamBeginCapture_v2": (c_void_p, c_int),
    "cuStreamEndCapture": (c_void_p, POINTER(c_void_p)),
    "cuGraphInstantiateWithFlags": (POINTER(c_void_p), c_void_p, c_ulonglong),
    "cuGraphLaunch": (c_void_p, c_void_p),
    "cuGraphExecDestroy": (c_void_p,),
    "cuGraphDestroy": (c_void_p,),
    "cuGetErrorName": (c_int, POINTER(c_char_p)),
}
"""Each returns a `CUresult`, 0 for success."""
THREAD_LOCAL = 1
"""`CU_STREAM_CAPTURE_MODE_THREAD_LOCAL`: what other threads do meanwhile (PyTorch, say) does not spoil a capture."""


def load_driver() -> Any:
    """Return the driver's library, its functions typed; `EngineError` where one is not there."""
    try:
        library = ctypes.CDLL(LIBRARY)
        for name, arguments in PROTOTYPES.items():
            function = getattr(library, name)
            function.argtypes, function.restype = arguments, c_int
    except (OSError, AttributeError) as error:
        raise EngineError(f"CUDA graphs: {error}") from error
    return library


class Capture:
    """`with` it, what is put on the stream is recorded, not run; then `finish` gives what can be launched."""

    def __init__(self, driver: Any, stream: int) -> None:
        self._driver, self._stream = driver, stream
        self._graph = c_void_p()

    def __enter__(self) -> Capture:
        _check(self._driver, self._driver.cuStreamBeginCapture_v2(self._stream, THREAD_LOCAL), "begin capture")
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        result = self._driver.cuStreamEndCapture(self._stream, byref(self._graph))
        if kind is None:
            _check(self._driver, result, "end capture")
        elif self._graph.value:
            self._driver.cuGraphDestroy(self._graph)

    def finish(self) -> CudaGraph:
        executable = c_void_p()
        try:
            result = self._driver.cuGraphInstantiateWithFlags(byref(executable), self._graph, 0)
            _check(self._driver, result, "instantiate")
        finally:
            self._driver.cuGraphDestroy(self._graph)
        return CudaGraph(self._driver, executable)


class CudaGraph:
    """A recorded batch."""

    def __init__(self, driver: Any, executable: c_void_p) -> None:
        self._driver, self._executable = driver, executable

    def launch(self, stream: int) -> None:
        """Put it on a stream; `EngineError` where the driver refuses."""
        _check(self._driver, self._driver.cuGraphLaunch(self._executable, stream), "launch")

    def close(self) -> None:
        """Free it; nothing of it may be under way."""
        executable, self._executable = self._executable, c_void_p()
        if executable.value:
            self._driver.cuGraphExecDestroy(executable)


def _check(driver: Any, result: int, what: str) -> None:
    if result:
        name = c_char_p()
        driver.cuGetErrorName(result, byref(name))
        raise EngineError(f"CUDA graphs: {what}: {(name.value or b'error %d' % result).decode()}")
