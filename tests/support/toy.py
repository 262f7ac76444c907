"""A bundle small enough to know by heart: it tells dim cells from bright ones by the mean of one channel."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from engines.bundle import Bundle, InputSpec, OutputSpec, write_bundle

CLASSES = ("dim", "bright", "blinding")
CHANNELS = ("brightfield", "darkfield")
LEVELS = (100, 1000, 3000)
"""A frame of this constant count in brightfield is of this class, with probability above 0.99."""


def write_toy_bundle(
    path: Path,
    *,
    height: int = 8,
    width: int = 8,
    dtype: str = "uint16",
    fit: str = "crop-pad",
    name: str = "toy",
    levels: tuple[int, ...] = LEVELS,
    classes: tuple[str, ...] = CLASSES,
    channels: tuple[str, ...] = CHANNELS,
    int8_levels: tuple[int, ...] | None = None,
) -> Bundle:
    """Write the bundle: logits are −(mean − level)² / 10⁴ for the level of each class, mean of brightfield.

    With `int8_levels` it has an int8 graph as well, which is the same with other levels and no int8 at all.
    """
    graphs = {"fp32": _graph(height, width, dtype, levels, len(classes), len(channels))}
    if int8_levels is not None:
        graphs["int8"] = _graph(height, width, dtype, int8_levels, len(classes), len(channels))
    return write_bundle(
        path,
        name=name,
        classes=classes,
        inputs=InputSpec(channels, dtype, height, width, fit),
        outputs=OutputSpec(len(channels), tuple(f"{channel}:mean" for channel in channels)),
        graphs=graphs,
        training={"network": "none", "levels": list(levels)},
    )


def _graph(height: int, width: int, dtype: str, levels: tuple[int, ...], classes: int, channels: int):
    kind = {"uint8": TensorProto.UINT8, "uint16": TensorProto.UINT16, "float32": TensorProto.FLOAT}[dtype]
    constants = {
        "levels": np.array([levels], np.float32),
        "scale": np.array(-1e-4, np.float32),
        "first": np.array([0], np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["frames"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats", "axes"], ["means"], keepdims=0),
        helper.make_node("Gather", ["means", "first"], ["mean"], axis=1),
        helper.make_node("Sub", ["mean", "levels"], ["offset"]),
        helper.make_node("Mul", ["offset", "offset"], ["squared"]),
        helper.make_node("Mul", ["squared", "scale"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        helper.make_node("Identity", ["means"], ["embedding"]),
        helper.make_node("Identity", ["means"], ["measurements"]),
    ]
    constants["axes"] = np.array([2, 3], np.int64)
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("frames", kind, ["n", channels, height, width])],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", classes]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", channels]),
            helper.make_tensor_value_info("measurements", TensorProto.FLOAT, ["n", channels]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString(), 18


def toy_frames(classes: np.ndarray, *, height: int = 8, width: int = 8, dtype: str = "uint16") -> np.ndarray:
    """Return frames `(n, 2, height, width)` that are of these classes."""
    levels = np.array(LEVELS)[np.asarray(classes)]
    if dtype == "uint8":
        levels = levels // 16
    return np.broadcast_to(levels[:, None, None, None], (len(levels), 2, height, width)).astype(dtype)
