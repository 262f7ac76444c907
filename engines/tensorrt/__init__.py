"""TensorRT on NVIDIA GPUs: a bundle's graph built into a plan on the sorting machine, and run behind `Engine`."""

from engines.tensorrt._build import build_plan
from engines.tensorrt._device import DeviceFacts, devices
from engines.tensorrt._engine import TensorRtEngine
from engines.tensorrt._graph import TrtPrecision
from engines.tensorrt._half import half_inside
from engines.tensorrt._open import open_tensorrt
from engines.tensorrt._plan import Plan, PlanKey

__all__ = [
    "DeviceFacts",
    "Plan",
    "PlanKey",
    "TensorRtEngine",
    "TrtPrecision",
    "build_plan",
    "devices",
    "half_inside",
    "open_tensorrt",
]
