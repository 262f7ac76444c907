"""TensorRT and pycuda, imported when they are needed and not before."""

from __future__ import annotations

import importlib
from typing import Any

from engines.errors import EngineError, MissingExtraError

FEATURE = "the TensorRT engine (packages tensorrt and pycuda)"


def need_tensorrt() -> Any:
    """Return the module `tensorrt`; see `_need`."""
    return _need("tensorrt")


def need_cuda() -> Any:
    """Return the module `pycuda.driver`; see `_need`."""
    return _need("pycuda.driver")


def _need(module: str) -> Any:
    """Import a module.

    Raises
    ------
    MissingExtraError
        It is not installed.
    EngineError
        It is installed and cannot be loaded: without NVIDIA's driver pycuda does not find libcuda.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(FEATURE, "gpu") from error
    except ImportError as error:
        remedy = "is NVIDIA's driver installed?" if "libcuda" in str(error) else "install it anew: cellgate[gpu]"
        raise EngineError(f"{module} is installed and cannot be loaded ({error}); {remedy}") from error
