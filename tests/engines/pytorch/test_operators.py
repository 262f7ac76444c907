"""Operators one by one against ONNX's own reference, and what cannot be run."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx.reference import ReferenceEvaluator  # noqa: E402

from engines.bundle import InputSpec, OutputSpec, write_bundle  # noqa: E402
from engines.errors import EngineError  # noqa: E402
from engines.pytorch import TorchEngine  # noqa: E402
from tests.support.fresh_networks import ask, noise  # noqa: E402
from tests.support.toy import CLASSES  # noqa: E402


def ints(*values):
    return np.array(values, np.int64)


def model_of(nodes, constants):
    """Return a model whose operators give `y` from the frames as floats, `x`; its sums are the embedding."""
    body = [
        helper.make_node("Cast", ["frames"], ["x"], to=TensorProto.FLOAT),
        *nodes,
        helper.make_node("Cast", ["y"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["floats"], ["flat"]),
        helper.make_node("ReduceSum", ["flat", "one"], ["sum"]),
        helper.make_node("ReduceMax", ["flat", "one"], ["top"]),
        helper.make_node("ReduceMin", ["flat", "one"], ["least"]),
        helper.make_node("Concat", ["sum", "top", "least"], ["embedding"], axis=1),
        helper.make_node("Mul", ["embedding", "small"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        helper.make_node("Slice", ["flat", "zero", "one", "one"], ["measurements"]),
    ]
    values = {"one": ints(1), "zero": ints(0), "small": np.array(1e-3, np.float32), **constants}
    outputs = [("probabilities", 3), ("embedding", 3), ("measurements", 1)]
    graph = helper.make_graph(
        body,
        "one",
        [helper.make_tensor_value_info("frames", TensorProto.UINT8, ["n", 2, 8, 6])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width]) for name, width in outputs],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


def bundle_of(path, model):
    return write_bundle(
        path,
        name="one",
        classes=CLASSES,
        inputs=InputSpec(("a", "b"), "uint8", 8, 6),
        outputs=OutputSpec(3, ("first",)),
        graphs={"fp32": (model.SerializeToString(), 19)},
    )


def node(kind, inputs="x", **attributes):
    return helper.make_node(kind, inputs.split(), ["y"], **attributes)


RNG = np.random.default_rng(0)
KERNEL = RNG.normal(0, 0.1, (4, 2, 3, 2)).astype(np.float32)
CASES = {
    "Conv, uneven padding": ([node("Conv", "x k", pads=[1, 0, 2, 1], strides=[2, 1])], {"k": KERNEL}),
    "Conv, grouped": ([node("Conv", "x k b", group=2)], {"k": KERNEL[:, :1], "b": np.arange(4, dtype=np.float32)}),
    "MaxPool, ceil": ([node("MaxPool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)], {}),
    "MaxPool, uneven padding": ([node("MaxPool", kernel_shape=[2, 2], pads=[0, 1, 1, 0])], {}),
    "AveragePool, padded": ([node("AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1])], {}),
    "GlobalAveragePool": ([node("GlobalAveragePool")], {}),
    "Slice, backwards": ([node("Slice", "x a b c d")], {"a": ints(-1), "b": ints(-9), "c": ints(2), "d": ints(-2)}),
    "Gather, from the end": ([node("Gather", "x i", axis=3)], {"i": ints(-1, 0, 2)}),
    "Transpose": ([node("Transpose", perm=[0, 3, 1, 2])], {}),
    "Reshape, zero and minus one": ([node("Reshape", "x s")], {"s": ints(0, 2, -1)}),
    "Pad": ([node("Pad", "x p v")], {"p": ints(0, 0, 1, 2, 0, 0, 0, 3), "v": np.array(7, np.float32)}),
    "Clip, one-sided": ([node("Clip", "x low")], {"low": np.array(120, np.float32)}),
    "ReduceMean, axes dropped": (
        [helper.make_node("ReduceMean", ["x", "a"], ["m"], keepdims=0), node("Identity", "m")],
        {"a": ints(1, 3)},
    ),
    "TopK": ([helper.make_node("TopK", ["x", "k"], ["y", "where"], axis=2)], {"k": ints(3)}),
    "Where": (
        [helper.make_node("Greater", ["x", "limit"], ["above"]), node("Where", "above x limit")],
        {"limit": np.array(110, np.float32)},
    ),
    "Split": ([helper.make_node("Split", ["x", "s"], ["l", "r"], axis=3), node("Sub", "l r")], {"s": ints(3, 3)}),
    "Quantize, per channel": (
        [
            helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"], axis=1),
            node("DequantizeLinear", "q s z", axis=1),
        ],
        {"s": np.array([2, 0.7], np.float32), "z": np.array([-100, 3], np.int8)},
    ),
    "Expand by a shape of the frames": (
        [
            helper.make_node("Shape", ["x"], ["shape"]),
            helper.make_node("ReduceMax", ["x", "a"], ["m"]),
            node("Expand", "m shape"),
        ],
        {"a": ints(2, 3)},
    ),
}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_operator_means_what_onnx_says(tmp_path, case):
    model = model_of(*CASES[case])
    onnx.checker.check_model(model)
    bundle = bundle_of(tmp_path / "b", model)
    frames = noise(bundle, 3)
    expected = ReferenceEvaluator(model).run(["probabilities", "embedding", "measurements"], {"frames": frames})
    for found, wanted in zip(
        ask(TorchEngine(bundle, threads=1, ladder=(3,), device="cpu"), frames), expected, strict=True
    ):
        assert np.allclose(found, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ([node("Erf")], "operator Erf is not supported"),
        ([node("Conv", "x k", auto_pad="SAME_UPPER")], "operator Conv: auto_pad SAME_UPPER"),
        (
            [
                helper.make_node("ReduceMax", ["x"], ["m"], keepdims=0),
                helper.make_node("Cast", ["m"], ["i"], to=TensorProto.INT64),
                helper.make_node("Reshape", ["i", "one"], ["count"]),
                helper.make_node("TopK", ["x", "count"], ["y", "places"], axis=1),
            ],
            "operator TopK: input 1 depends on the cells",
        ),
    ],
)
def test_what_cannot_be_run_is_named_on_one_line(tmp_path, nodes, said):
    bundle = bundle_of(tmp_path / "b", model_of(nodes, {"k": KERNEL}))
    with pytest.raises(EngineError, match=said) as caught:
        TorchEngine(bundle, threads=1, ladder=(1,), device="cpu")
    assert len(str(caught.value).splitlines()) == 1
