"""The FP16 rewriter, on graphs run by ONNX Runtime."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

pytest.importorskip("onnxruntime")

import onnxruntime

from engines.byte_pairs import as_byte_pairs, byte_pairs
from engines.errors import EngineError
from engines.tensorrt import half_inside


def _run(model, frames):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return dict(
        zip(
            [output.name for output in session.get_outputs()],
            session.run(None, {session.get_inputs()[0].name: frames}),
            strict=True,
        )
    )


def _types(model):
    """Return the element type of every value of the graph."""
    inferred = onnx.shape_inference.infer_shapes(onnx.load_from_string(model), strict_mode=True)
    values = (*inferred.graph.value_info, *inferred.graph.output, *inferred.graph.input)
    types = {value.name: value.type.tensor_type.elem_type for value in values}
    return inferred.graph, {**types, **{tensor.name: tensor.data_type for tensor in inferred.graph.initializer}}


def _small(weight=0.5, *, branch="Relu"):
    """Return counts → conv → an operator → gemm → softmax, the embedding read by measurements as well."""
    node = helper.make_node
    weights = {
        "kernel": np.full((2, 1, 3, 3), weight, np.float32),
        "matrix": np.array([[1, -1], [-1, 1]], np.float32) * 0.01,
        "scale": np.array(0.01, np.float32),
    }
    nodes = [
        node("Cast", ["frames"], ["counts"], to=TensorProto.FLOAT),
        node("Mul", ["counts", "scale"], ["standard"]),
        node("Conv", ["standard", "kernel"], ["maps"]),
        node(branch, ["maps"], ["active"]),
        node("GlobalAveragePool", ["active"], ["pooled"]),
        node("Flatten", ["pooled"], ["embedding"]),
        node("Gemm", ["embedding", "matrix"], ["logits"]),
        node("Softmax", ["logits"], ["probabilities"]),
        node("ReduceMax", ["counts"], ["largest"], axes=[2, 3], keepdims=0),
        node("ReduceSum", ["embedding", "one"], ["sum"], keepdims=1),
        node("Concat", ["largest", "sum"], ["measurements"], axis=1),
    ]
    outputs = {"probabilities": 2, "embedding": 2, "measurements": 2}
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("frames", TensorProto.UINT16, ["n", 1, 6, 6])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width]) for name, width in outputs.items()],
        [
            *(numpy_helper.from_array(value, name) for name, value in weights.items()),
            numpy_helper.from_array(np.array([1], np.int64), "one"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def test_the_network_is_half_and_counts_softmax_and_outputs_are_not():
    graph, types = _types(half_inside(_small()))
    by_kind = {node.op_type: types[node.output[0]] for node in graph.node if node.op_type != "Cast"}
    half = {kind for kind, type_ in by_kind.items() if type_ == TensorProto.FLOAT16}
    assert half == {"Conv", "Relu", "GlobalAveragePool", "Flatten", "Gemm"}
    assert {types[output.name] for output in graph.output} == {TensorProto.FLOAT}
    assert types["kernel/half"] == types["matrix/half"] == TensorProto.FLOAT16
    assert types["scale"] == TensorProto.FLOAT


def test_measurements_of_counts_half_cannot_hold_are_exact():
    frames = np.full((3, 1, 6, 6), 60001, np.uint16)
    frames[1] = 65535
    frames[2] = 2049
    plain, half = (_run(model, frames) for model in (_small(0.01), half_inside(_small(0.01))))
    assert half["measurements"][:, 0].tolist() == [60001, 65535, 2049]
    np.testing.assert_allclose(half["probabilities"], plain["probabilities"], atol=2e-3)
    np.testing.assert_allclose(half["embedding"], plain["embedding"], rtol=2e-3)


def test_operators_not_known_to_be_safe_stay_in_fp32():
    model = half_inside(_small(0.01, branch="Softplus"))
    graph, types = _types(model)
    kinds = {node.op_type: types[node.output[0]] for node in graph.node if node.op_type != "Cast"}
    assert kinds["Softplus"] == TensorProto.FLOAT
    assert kinds["Conv"] == kinds["Gemm"] == TensorProto.FLOAT16
    frames = np.arange(36, dtype=np.uint16).reshape(1, 1, 6, 6)
    expected = _run(_small(0.01, branch="Softplus"), frames)
    np.testing.assert_allclose(_run(model, frames)["probabilities"], expected["probabilities"], atol=2e-3)


def test_it_goes_with_byte_pairs():
    frames = np.random.default_rng(3).integers(0, 65536, (2, 1, 6, 6), np.uint16)
    half = half_inside(_small(0.001))
    found, expected = _run(byte_pairs(half), as_byte_pairs(frames)), _run(half, frames)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)


def test_the_same_graph_gives_the_same_bytes():
    assert half_inside(_small()) == half_inside(_small())


def test_weights_beyond_half_are_refused():
    with pytest.raises(EngineError, match="'kernel' holds 70000, FP16 goes to 65504; build it as fp32"):
        half_inside(_small(70000.0))


def test_a_graph_without_a_network_is_refused(toy_bundle):
    with pytest.raises(EngineError, match="no convolution or fully connected layer leads to 'probabilities'"):
        half_inside(toy_bundle.graph().read_bytes())
