"""A graph run once by either library, without an engine around it."""

import numpy as np
import onnxruntime

from engines.quiet_openvino import ov

OUTPUTS = ("probabilities", "embedding", "measurements")


def by_openvino(model, frames):
    core = ov.Core()
    found = core.compile_model(core.read_model(model), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(frames)
    return tuple(np.array(found[name]) for name in OUTPUTS)


def by_onnxruntime(model, frames):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return session.run(list(OUTPUTS), {"frames": frames})
