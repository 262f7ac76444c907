"""A small network of DeepFlow's shape with raw counts in, written node by node: reduction, dual path, mean, head."""

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

CHANNELS, CLASSES, SIDE = ("brightfield", "darkfield"), 4, 16
KINDS = {"uint16": TensorProto.UINT16, "float32": TensorProto.FLOAT}
FIRST, NARROW, WIDE, HEAD = "/network/first/Conv", "/network/narrow/Conv", "/network/wide/Conv", "/network/head/Gemm"


def dual_path(*, dtype="uint16", turned=False, change=None, seed=0):
    """Return the serialised model.

    `turned` puts each cell and its mirror image into the batch and answers with the mean. `change` may alter the dict
    of weights before they are used.
    """
    rng = np.random.default_rng(seed)

    def kernels(out, maps, size):
        return rng.normal(0, (2 / (maps * size * size)) ** 0.5, (out, maps, size, size)).astype(np.float32)

    weights = {
        "first.w": kernels(16, 2, 3),
        "first.b": rng.normal(0, 0.1, 16).astype(np.float32),
        "narrow.w": kernels(16, 18, 1),
        "narrow.b": rng.normal(0, 0.1, 16).astype(np.float32),
        "wide.w": kernels(32, 18, 3),
        "wide.b": rng.normal(0, 0.1, 32).astype(np.float32),
        "head.w": rng.normal(0, 1.0, (CLASSES, 48)).astype(np.float32),
        "head.b": np.zeros(CLASSES, np.float32),
        "edge.w": np.array([[[[0, 1, 0], [1, -4, 1], [0, 1, 0]]]] * 2, np.float32),
        "scale": np.array(1 / 80, np.float32),
        "low": np.array(-10, np.float32),
        "high": np.array(10, np.float32),
    }
    if change is not None:
        change(weights)
    constants = {"halves": np.array([2, -1, 48], np.int64), "backwards": np.arange(SIDE)[::-1].copy()}
    node = helper.make_node
    nodes = [
        node("Cast", ["frames"], ["counts"], name="/Cast", to=TensorProto.FLOAT),
        node("ReduceMean", ["counts"], ["background"], name="/background/ReduceMean", axes=[2, 3], keepdims=1),
        node("Sub", ["counts", "background"], ["above"], name="/Sub"),
        node("Mul", ["above", "scale"], ["scaled"], name="/Mul"),
        node("Clip", ["scaled", "low", "high"], ["standardised"], name="/Clip"),
    ]
    start = "standardised"
    if turned:
        nodes += [
            node("Gather", ["standardised", "backwards"], ["mirrored"], name="/network/Gather", axis=3),
            node("Concat", ["standardised", "mirrored"], ["poses"], name="/network/Concat_poses", axis=0),
        ]
        start = "poses"
    nodes += [
        node("Conv", [start, "first.w", "first.b"], ["c1"], name=FIRST, strides=[2, 2], pads=[1] * 4),
        node("Relu", ["c1"], ["r1"], name="/network/first/Relu"),
        node(
            "MaxPool",
            [start],
            ["p1"],
            name="/network/first/MaxPool",
            kernel_shape=[3, 3],
            strides=[2, 2],
            pads=[1] * 4,
        ),
        node("Concat", ["r1", "p1"], ["m1"], name="/network/first/Concat", axis=1),
        node("Conv", ["m1", "narrow.w", "narrow.b"], ["c2"], name=NARROW),
        node("Relu", ["c2"], ["r2"], name="/network/narrow/Relu"),
        node("Conv", ["m1", "wide.w", "wide.b"], ["c3"], name=WIDE, pads=[1] * 4),
        node("Relu", ["c3"], ["r3"], name="/network/wide/Relu"),
        node("Concat", ["r2", "r3"], ["m2"], name="/network/Concat", axis=1),
        node(
            "ReduceMean",
            ["m2"],
            ["means" if turned else "embedding"],
            name="/network/ReduceMean",
            axes=[2, 3],
            keepdims=0,
        ),
    ]
    if turned:
        nodes += [
            node("Reshape", ["means", "halves"], ["pairs"], name="/network/Reshape"),
            node("ReduceMean", ["pairs"], ["embedding"], name="/network/ReduceMean_1", axes=[0], keepdims=0),
        ]
    nodes += [
        node("Gemm", ["embedding", "head.w", "head.b"], ["logits"], name=HEAD, transB=1),
        node("Softmax", ["logits"], ["probabilities"], name="/Softmax", axis=1),
        node("Conv", ["above", "edge.w"], ["edges"], name="/measure/Conv", group=2),
        node("ReduceMean", ["edges"], ["measurements"], name="/measure/ReduceMean", axes=[2, 3], keepdims=0),
    ]
    outputs = {"probabilities": CLASSES, "embedding": 48, "measurements": 2}
    graph = helper.make_graph(
        nodes,
        "dual path",
        [helper.make_tensor_value_info("frames", KINDS[dtype], ["cells", 2, SIDE, SIDE])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["cells", width]) for name, width in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in (weights | (constants if turned else {})).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model, full_check=True)
    return model.SerializeToString()


def blobs(n, *, seed=0, dtype="uint16"):
    """Return `(n, 2, 16, 16)` frames of a round spot of varying place, size and brightness on noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, :SIDE]
    place, size = rng.uniform(5, 11, (n, 2, 1, 1)), rng.uniform(1.5, 4, (n, 1, 1))
    spot = np.exp(-((y - place[:, 0]) ** 2 + (x - place[:, 1]) ** 2) / (2 * size**2))
    bright = rng.uniform(-200, 600, (n, 2, 1, 1))
    return (rng.normal(300, 8, (n, 2, SIDE, SIDE)) + bright * spot[:, None]).clip(0, 4000).astype(dtype)
