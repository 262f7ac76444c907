"""Graphs made int8: what is quantised, how, for what, and that the answers stay nearly the same."""

import platform
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

pytest.importorskip("onnxruntime")


from engines.errors import InputError, MissingExtraError
from engines.quantise import quantise
from engines.quantise._runtime import layers_in_int8
from tests.support.dual_path import FIRST, HEAD, NARROW, SIDE, WIDE, blobs, dual_path
from tests.support.run_graphs import by_onnxruntime, by_openvino


def constants(model):
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def dequantised_inputs(model):
    """Return for each node that reads dequantised values their types, by the operator's name and input."""
    values = constants(model)
    made = {node.output[0]: values[node.input[2]].dtype.name for node in model.graph.node if node.op_type[:2] == "De"}
    return {
        node.name: [made[name] for name in node.input if name in made]
        for node in model.graph.node
        if any(name in made for name in node.input)
    }


@pytest.fixture(scope="module")
def made():
    """Everything but the last layer quantised."""
    return quantise(dual_path(), blobs(64), keep_float=())


@pytest.mark.parametrize("run", [by_openvino, by_onnxruntime])
@pytest.mark.parametrize("turned", [False, True])
def test_the_answers_are_nearly_those_of_the_float_graph(run, turned):
    model, frames = dual_path(turned=turned), blobs(400, seed=1)
    expected = by_onnxruntime(model, frames)
    found = run(quantise(model, blobs(64), keep_float=()).model, frames)
    error = np.abs(found[0] - expected[0])
    assert expected[0].std() > 0.05, "a network that answers the same to everything shows nothing"
    assert error.mean() < 0.005
    assert (found[0].argmax(1) != expected[0].argmax(1)).mean() < 0.03
    assert 0 < np.abs(found[1] - expected[1]).max() < 0.1 * expected[1].max()
    np.testing.assert_allclose(found[2], expected[2], rtol=1e-4, atol=1e-3)


def test_activations_are_uint8_weights_int8_per_channel_biases_int32(made):
    model = onnx.load_from_string(made.model)
    inputs = dequantised_inputs(model)
    for layer, kernels in ((NARROW, 16), (WIDE, 32)):
        assert inputs[layer] == ["uint8", "int8", "int32"]
        node = next(node for node in model.graph.node if node.name == layer)
        weight = next(other for other in model.graph.node if other.output[0] == node.input[1])
        values = constants(model)
        assert values[weight.input[0]].dtype == np.int8
        assert values[weight.input[1]].shape == (kernels,)
        assert not values[weight.input[2]].any()


def test_only_the_network_is_quantised(made):
    model = onnx.load_from_string(made.model)
    # The mean reads what the dual path puts out; it computes in float.
    assert set(dequantised_inputs(model)) == {FIRST, NARROW, WIDE, "/network/first/Concat", "/network/Concat"} | {
        "/network/first/MaxPool",
        "/network/ReduceMean",
    }
    assert made.kept_float == (HEAD,)
    assert made.quantised == (FIRST, NARROW, WIDE)
    before, after = onnx.load_from_string(dual_path()).graph, model.graph
    for name in ("input", "output"):
        assert [value.name for value in getattr(after, name)] == [value.name for value in getattr(before, name)]
    assert [entry.version for entry in model.opset_import if entry.domain == ""] == [17]
    assert not model.metadata_props


def test_poses_are_joined_before_the_network_in_float():
    model = onnx.load_from_string(quantise(dual_path(turned=True), blobs(64), keep_float=()).model)
    assert "/network/Concat_poses" not in dequantised_inputs(model)
    assert {FIRST, NARROW, WIDE} <= set(dequantised_inputs(model))


def test_the_share_is_that_of_the_multiply_adds(made):
    first, narrow, wide, head = 16 * 2 * 9 * 64, 16 * 18 * 64, 32 * 18 * 9 * 64, 4 * 48
    assert made.share == pytest.approx((first + narrow + wide) / (first + narrow + wide + head))
    assert made.calibration_cells == 64


def test_layers_that_see_the_frames_stay_float_while_they_are_cheap():
    made = quantise(dual_path(), blobs(16))
    # The first sees the frames; so do the other two, through the max pool, but the last of them is too large.
    assert made.kept_float == (FIRST, NARROW, HEAD)
    assert made.quantised == (WIDE,)
    assert "/network/first/Concat" not in dequantised_inputs(onnx.load_from_string(made.model))


def test_layers_can_be_kept_by_the_beginning_of_their_name():
    made = quantise(dual_path(), blobs(16), keep_float=["/network/first", "/network/narrow"])
    assert made.quantised == (WIDE,)
    assert made.kept_float == (FIRST, NARROW, HEAD)
    assert quantise(dual_path(), blobs(16), keep_float=()).kept_float == (HEAD,)


@pytest.mark.parametrize(
    ("keep", "told"),
    [
        (["/network/third"], "found /network/third, expected the beginning of one of"),
        (["/"], "all of which stay float"),
    ],
)
def test_layers_that_cannot_be_kept_are_refused(keep, told):
    with pytest.raises(InputError, match=told):
        quantise(dual_path(), blobs(16), keep_float=keep)


def test_for_a_gpu_everything_is_symmetric_and_biases_stay_float():
    made = quantise(dual_path(), blobs(64), keep_float=(), target="gpu")
    model = onnx.load_from_string(made.model)
    assert dequantised_inputs(model)[WIDE] == ["int8", "int8"]
    values = constants(model)
    points = [
        values[node.input[2]] for node in model.graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")
    ]
    assert points and not any(point.any() for point in points)
    frames = blobs(200, seed=1)
    error = np.abs(by_onnxruntime(made.model, frames)[0] - by_onnxruntime(dual_path(), frames)[0])
    assert error.mean() < 0.01
    with pytest.raises(InputError, match="target: found tpu"):
        quantise(dual_path(), blobs(16), target="tpu")


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="about OpenVINO's kernels on x86")
def test_openvino_runs_the_layers_in_int8(made):
    assert layers_in_int8(made.model, made.quantised, (2, SIDE, SIDE)) == set(made.quantised)
    assert layers_in_int8(dual_path(), made.quantised, (2, SIDE, SIDE)) == set()


def test_the_same_cells_give_the_same_graph(made):
    assert quantise(dual_path(), blobs(64), keep_float=()).model == made.model


# What it needs


def test_without_onnxruntime_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"cellgate\[train\]"):
        quantise(dual_path(), blobs(4))


def test_importing_the_room_imports_neither_onnx_nor_onnxruntime():
    program = (
        "import sys, engines.quantise, engines.quantise.cli, engines.verify.cli\n"
        "print([name for name in ('onnx', 'onnxruntime', 'torch', 'openvino') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Layout


def test_few_pooled_maps_join_many_in_the_layout_of_the_many(monkeypatch):
    made = quantise(dual_path(), blobs(64)).model
    (same,) = [node for node in onnx.load_from_string(made).graph.node if node.name.endswith("/same")]
    assert same.op_type == "Conv"
    monkeypatch.setattr("engines.quantise._static.keep_layout", lambda _: None)
    plain = quantise(dual_path(), blobs(64)).model
    for run in (by_onnxruntime, by_openvino):
        for found, expected in zip(run(made, blobs(40, seed=3)), run(plain, blobs(40, seed=3)), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_graphs_for_gpus_keep_their_layers():
    names = [
        node.name for node in onnx.load_from_string(quantise(dual_path(), blobs(16), target="gpu").model).graph.node
    ]
    assert not [name for name in names if name.endswith("/same")]
