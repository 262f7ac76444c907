"""Ask OpenVINO which of a graph's layers it runs in int8."""

from __future__ import annotations

import numpy as np

from engines.errors import EngineError
from engines.quiet_openvino import ov

_INT8 = "_I8"


def layers_in_int8(model: bytes, layers: tuple[str, ...], frame_shape: tuple[int, int, int]) -> set[str]:
    """Return which of these layers OpenVINO computes in int8 on this processor.

    A quantised graph is only a permission: where a scale does not suit it, or the processor has no int8 arithmetic,
    OpenVINO dequantises and computes in float. Found by running an empty batch with profiling: the kernels' names tell.
    Raises `EngineError` where the graph does not compile.
    """
    core = ov.Core()
    try:
        read = core.read_model(model)
        read.reshape([8, *frame_shape])
        compiled = core.compile_model(read, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "PERF_COUNT": True})
        request = compiled.create_infer_request()
        tensor = request.get_input_tensor(0)
        tensor.data[...] = np.zeros((), tensor.data.dtype)
        request.infer()
    except RuntimeError as error:
        raise EngineError(f"OpenVINO cannot run the int8 graph: {str(error).splitlines()[0]}") from error
    found = {info.node_name for info in request.get_profiling_info() if info.exec_type.endswith(_INT8)}
    return {name for name in layers if any(kernel == name or kernel.startswith(f"{name}/") for kernel in found)}
