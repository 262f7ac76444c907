"""A built plan and what it is tied to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import msgspec

from engines.tensorrt._graph import TrtPrecision


class PlanKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything a plan depends on; a plan is used only where all of it is the same.

    Attributes
    ----------
    graph_sha256
        Hexadecimal, of the ONNX bytes that were parsed.
    tensorrt
        Version of TensorRT.
    gpu, compute_capability
        Name of the GPU and for instance `9.0`.
    driver
        Version of CUDA the driver speaks, for instance 13000.
    precision
        What the plan computes in.
    ladder
        Batch sizes, one optimisation profile each, ascending.
    refittable
        Whether weights can be exchanged.
    """

    graph_sha256: str
    tensorrt: str
    gpu: str
    compute_capability: str
    driver: int
    precision: TrtPrecision
    ladder: tuple[int, ...]
    refittable: bool = False

    @property
    def file_name(self) -> str:
        """Name of the plan's file in the cache."""
        return f"{hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:32]}.plan"


@dataclass(frozen=True)
class Plan:
    """A serialised TensorRT engine.

    Attributes
    ----------
    key
        What it is tied to.
    blob
        For `Runtime.deserialize_cuda_engine`; running it is running code.
    path
        Its file in the cache.
    built_in_s
        Seconds the build took; 0 if it came from the cache.
    """

    key: PlanKey
    blob: bytes
    path: Path
    built_in_s: float = 0.0
