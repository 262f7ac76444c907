"""The GPUs, and the one context per GPU that pycuda, TensorRT and PyTorch can share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engines.errors import EngineError
from engines.tensorrt._need import need_cuda

_RETAINED: dict[tuple[Any, int], Any] = {}
"""Primary contexts by pycuda module and GPU, kept until the process ends: giving one back and taking it again resets
the GPU's state under whoever else in this process uses it, and pycuda leaves a released one on the thread's stack."""


@dataclass(frozen=True)
class DeviceFacts:
    """A GPU: its number, name, compute capability (for instance `9.0`) and memory in bytes."""

    ordinal: int
    name: str
    compute_capability: str
    memory: int


class Gpu:
    """A GPU whose primary context is current inside `with`, in any thread; may be entered again inside itself.

    Contexts belong to threads: everything that allocates, frees or enqueues does so inside.
    """

    def __init__(self, ordinal: int) -> None:
        cuda = need_cuda()
        self.cuda = cuda
        self.ordinal = ordinal
        try:
            cuda.init()
            count = cuda.Device.count()
            if not 0 <= ordinal < count:
                raise EngineError(f"GPU {ordinal}: there are {count}, numbered from 0")
            device = cuda.Device(ordinal)
            self.facts = _facts(device, ordinal)
            if (cuda, ordinal) not in _RETAINED:
                _RETAINED[cuda, ordinal] = device.retain_primary_context()
            self._primary = _RETAINED[cuda, ordinal]
            self.driver = int(cuda.get_driver_version())
        except cuda.Error as error:
            raise EngineError(f"GPU {ordinal}: {error}; check NVIDIA's driver with nvidia-smi") from error

    def __enter__(self) -> Gpu:
        self._primary.push()
        return self

    def __exit__(self, *_: object) -> None:
        self._primary.pop()


def devices() -> tuple[DeviceFacts, ...]:
    """Return the GPUs of this machine, none where the driver finds none; `EngineError` where it fails."""
    cuda = need_cuda()
    try:
        cuda.init()
        return tuple(_facts(cuda.Device(i), i) for i in range(cuda.Device.count()))
    except cuda.Error as error:
        if "no device" in str(error).lower():
            return ()
        raise EngineError(f"GPUs: {error}; check NVIDIA's driver with nvidia-smi") from error


def _facts(device: Any, ordinal: int) -> DeviceFacts:
    major, minor = device.compute_capability()
    return DeviceFacts(ordinal, str(device.name()), f"{major}.{minor}", int(device.total_memory()))
