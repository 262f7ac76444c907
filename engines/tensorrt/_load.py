"""Load a plan and compare what it takes and returns with the bundle's manifest."""

from __future__ import annotations

from typing import Any

from engines.bundle import Bundle
from engines.errors import BundleError, EngineError
from engines.tensorrt._device import Gpu
from engines.tensorrt._lane import Signature
from engines.tensorrt._log import Complaints
from engines.tensorrt._plan import Plan

OUTPUTS = ("probabilities", "embedding", "measurements")


def load_engine(trt: Any, plan: Plan, gpu: Gpu, complaints: Complaints) -> tuple[Any, Any]:
    """Return TensorRT's runtime and engine; `EngineError` where the plan is not of this machine or does not load."""
    key, here = plan.key, gpu.facts
    found = (str(trt.__version__), here.name, here.compute_capability, gpu.driver)
    if found != (key.tensorrt, key.gpu, key.compute_capability, key.driver):
        built_for = f"TensorRT {key.tensorrt}, {key.gpu} {key.compute_capability}, CUDA {key.driver}"
        raise EngineError(f"the plan was built for {built_for}; here is {found}: build it anew")
    try:
        runtime = trt.Runtime(complaints.logger)
    except TypeError as error:  # what the bindings make of a null
        raise complaints.error("the runtime cannot start") from error
    engine = runtime.deserialize_cuda_engine(plan.blob)
    if engine is None:
        raise complaints.error("the plan does not load")
    return runtime, engine


def signature_of(trt: Any, engine: Any, bundle: Bundle, complaints: Complaints) -> Signature:
    """Return the engine's input and outputs; `BundleError` where they are not those of the manifest."""
    names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
    inputs = [name for name in names if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
    outputs = {name for name in names if engine.get_tensor_mode(name) == trt.TensorIOMode.OUTPUT}
    source = bundle.graph()
    if len(inputs) != 1:
        raise BundleError(source, "inputs", len(inputs), "one input, the frames")
    if outputs != set(OUTPUTS):
        raise BundleError(source, "outputs", sorted(outputs), ", ".join(OUTPUTS))
    shape, dtype = _expected_input(trt, bundle)
    found = tuple(engine.get_tensor_shape(inputs[0]))[1:]
    if found != shape or engine.get_tensor_dtype(inputs[0]) != dtype:
        raise BundleError(source, "input", f"{engine.get_tensor_dtype(inputs[0])} {found}", f"{dtype} {shape}")
    spec = bundle.manifest
    widths = (len(spec.classes), spec.outputs.embedding, len(spec.outputs.measurements))
    for name, width in zip(OUTPUTS, widths, strict=True):
        found = tuple(engine.get_tensor_shape(name))[1:]
        # Some graphs leave a width open, which is known once the batch is; -1 says so.
        if found not in ((width,), (-1,)) or engine.get_tensor_dtype(name) != trt.DataType.FLOAT:
            raise BundleError(source, name, f"{engine.get_tensor_dtype(name)} {found}", f"float32 ({width},)")
    if engine.num_optimization_profiles < 1:
        raise complaints.error("the plan", "has no optimisation profile")
    return Signature(inputs[0], shape, tuple(zip(OUTPUTS, widths, strict=True)))


def _expected_input(trt: Any, bundle: Bundle) -> tuple[tuple[int, ...], Any]:
    """Return shape and type of the input behind the batch axis; 16-bit counts come as pairs of bytes."""
    if bundle.dtype.name == "uint16":
        return (*bundle.frame_shape, 2), trt.DataType.UINT8
    kind = trt.DataType.UINT8 if bundle.dtype.name == "uint8" else trt.DataType.FLOAT
    return bundle.frame_shape, kind
