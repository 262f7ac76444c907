"""Whether there is an NVIDIA GPU to choose, without loading anything that would need one."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

DRIVER = Path("/proc/driver/nvidia/version")


def no_gpu() -> str | None:
    """Return why no NVIDIA GPU can be used, or None where one is there."""
    if not DRIVER.exists() and not Path("/dev/nvidia0").exists() and not Path("/dev/dxg").exists():
        return "no NVIDIA driver is loaded"
    return None


def no_tensorrt() -> str | None:
    """Return why TensorRT cannot be used, or None where it is installed."""
    return None if find_spec("tensorrt") is not None else "TensorRT is not installed"


def no_torch_cuda() -> str | None:
    """Return why PyTorch cannot use the GPU, or None where it can. Loads PyTorch."""
    if find_spec("torch") is None:
        return "PyTorch is not installed"
    from importlib import import_module

    cuda = import_module("torch").cuda
    return None if cuda.is_available() else "PyTorch finds no GPU it can use"
