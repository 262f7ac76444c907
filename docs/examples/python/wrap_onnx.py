"""Make a bundle from an ONNX network that takes float images and returns logits.

    python wrap_onnx.py network.onnx --out mine --classes alive,dead --channels brightfield --offset 100 --scale 400

The network's one input must be `(n, C, H, W)` float32 with a free first axis, its first output `(n, classes)` logits.
What is put in front of it is (counts − offset) / scale, behind it a softmax. The embedding is the logits, the
measurements are the mean of each channel. Needs the package `onnx` (`pip install 'cellgate[train]'` brings it).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

from engines.bundle import InputSpec, OutputSpec, write_bundle

TYPES = {"uint8": TensorProto.UINT8, "uint16": TensorProto.UINT16, "float32": TensorProto.FLOAT}


def front(spec: InputSpec, opset: int, offset: float, scale: float) -> onnx.ModelProto:
    """Return the graph from raw counts `frames` to scaled `images` and the channels' means."""
    size = (len(spec.channels), spec.height, spec.width)
    constants = {
        "offset": np.array(offset, np.float32),
        "scale": np.array(scale, np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["frames"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("GlobalAveragePool", ["floats"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["measurements"]),
        helper.make_node("Sub", ["floats", "offset"], ["centred"]),
        helper.make_node("Div", ["centred", "scale"], ["images"]),
    ]
    graph = helper.make_graph(
        nodes,
        "front",
        [helper.make_tensor_value_info("frames", TYPES[spec.dtype], ["n", *size])],
        [
            helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", *size]),
            helper.make_tensor_value_info("measurements", TensorProto.FLOAT, ["n", size[0]]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def back(classes: int, opset: int) -> onnx.ModelProto:
    """Return the graph from `scores` to `probabilities` and `embedding`."""
    graph = helper.make_graph(
        [
            helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
            helper.make_node("Identity", ["scores"], ["embedding"]),
        ],
        "back",
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", classes])],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", classes]),
            helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", classes]),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def main() -> None:
    """Write the bundle and say what it is."""
    options = argparse.ArgumentParser(description="Make a bundle from an ONNX network.")
    options.add_argument("network", type=Path)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--classes", required=True, help="names, separated by commas, in the order of the logits")
    options.add_argument("--channels", required=True, help="names, separated by commas, in the order of the input")
    options.add_argument("--dtype", choices=sorted(TYPES), default="uint16", help="of the camera's counts")
    options.add_argument("--fit", choices=["crop-pad", "resize"], default="crop-pad", help="for cells of other sizes")
    options.add_argument("--offset", type=float, default=0.0, help="counts to subtract")
    options.add_argument("--scale", type=float, default=1.0, help="counts to divide by")
    chosen = options.parse_args()

    network = onnx.load(chosen.network)
    opset = next(entry.version for entry in network.opset_import if entry.domain in ("", "ai.onnx"))
    _, _, height, width = (axis.dim_value for axis in network.graph.input[0].type.tensor_type.shape.dim)
    classes = tuple(chosen.classes.split(","))
    spec = InputSpec(tuple(chosen.channels.split(",")), chosen.dtype, height, width, chosen.fit)
    entrance, scores = network.graph.input[0].name, network.graph.output[0].name

    # Names get a prefix each, so that the three graphs cannot clash, and lose it where they are the bundle's.
    network = compose.add_prefix(network, "net_")
    network.ir_version = onnx.IR_VERSION
    ahead, behind = front(spec, opset, chosen.offset, chosen.scale), back(len(classes), opset)
    whole = compose.merge_models(
        ahead, network, [("images", f"net_{entrance}")], outputs=[f"net_{scores}", "measurements"]
    )
    whole = compose.merge_models(
        whole, behind, [(f"net_{scores}", "scores")], outputs=["probabilities", "embedding", "measurements"]
    )
    onnx.checker.check_model(whole, full_check=True)
    bundle = write_bundle(
        chosen.out,
        name=chosen.out.name,
        classes=classes,
        inputs=spec,
        outputs=OutputSpec(len(classes), tuple(f"{channel}:mean" for channel in spec.channels)),
        graphs={"fp32": (whole.SerializeToString(), opset)},
        training={"made_from": chosen.network.name},
    )
    print(f"{bundle.path}: {bundle.manifest.name} {bundle.sha256[:12]}")


if __name__ == "__main__":
    main()
