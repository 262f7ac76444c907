"""Ask OpenVINO which of a graph's layers it runs in int8."""

from __future__ import annotations

from engines.errors import EngineError
from engines.quiet_openvino import ov

_INT8 = ("u8", "i8")


def layers_in_int8(
    model: bytes, layers: tuple[str, ...], frame_shape: tuple[int, int, int], batch: int = 8
) -> set[str]:
    """Return which of these layers OpenVINO computes in int8 on this processor.

    A quantised graph is only a permission: where a scale does not suit it, or the processor has no int8 arithmetic,
    OpenVINO dequantises and computes in float. Raises `EngineError` where the graph does not compile.
    """
    core = ov.Core()
    try:
        read = core.read_model(model)
        read.reshape([batch, *frame_shape])
        compiled = core.compile_model(read, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    except RuntimeError as error:
        raise EngineError(f"OpenVINO cannot compile the int8 graph: {str(error).splitlines()[0]}") from error
    found = set()
    for node in compiled.get_runtime_model().get_ordered_ops():
        facts = node.get_rt_info()
        if str(facts["layerType"].astype(str)) not in ("Convolution", "FullyConnected", "MatMul"):
            continue
        if str(facts["runtimePrecision"].astype(str)) in _INT8:
            found.update(str(facts["originalLayersNames"].astype(str)).split(","))
    return {name for name in layers if any(origin.startswith(name) for origin in found)}
