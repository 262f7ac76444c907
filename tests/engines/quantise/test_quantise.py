import platform
import subprocess
import sys
from collections import Counter

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

pytest.importorskip("onnxruntime")

import onnxruntime

from engines.errors import InputError, MissingExtraError
from engines.quantise import quantise
from engines.quantise._runtime import layers_in_int8
from engines.quiet_openvino import ov
from tests.support.dual_path import FIRST, HEAD, NARROW, SIDE, WIDE, blobs, dual_path

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


# Degenerate cells


def test_one_frame_is_enough_to_make_a_graph_that_runs():
    found = by_openvino(quantise(dual_path(), blobs(1), keep_float=()).model, blobs(50, seed=1))
    assert all(np.isfinite(output).all() for output in found)
    np.testing.assert_allclose(found[0].sum(1), 1, atol=1e-5)


def test_of_many_frames_512_are_taken_evenly():
    frames = blobs(1100)
    made = quantise(dual_path(), frames)
    assert made.calibration_cells == 512
    assert made.model == quantise(dual_path(), frames[np.linspace(0, 1099, 512).round().astype(int)]).model


def test_flat_frames_are_refused():
    flat = np.full((8, 2, SIDE, SIDE), 300, np.uint16)
    with pytest.raises(InputError, match="calibration_frames: found flat frames only"):
        quantise(dual_path(), flat)
    quantise(dual_path(), np.concatenate([flat, blobs(1)]))


@pytest.mark.parametrize(
    "frames",
    [
        blobs(0),
        blobs(4)[0],
        blobs(4)[:, :1],
        blobs(4)[..., 1:],
        blobs(4).astype(np.float32),
        blobs(4).astype(np.uint8),
    ],
    ids=["none", "one cell", "one channel", "narrow", "float32", "uint8"],
)
def test_frames_that_do_not_fit_are_refused(frames):
    with pytest.raises(InputError, match=r"calibration_frames: found .*, expected uint16 \(n, 2, 16, 16\)"):
        quantise(dual_path(), frames)


def test_counts_that_are_not_finite_are_refused():
    frames = blobs(4, dtype="float32")
    quantise(dual_path(dtype="float32"), frames)
    frames[1, 0, 3, 3] = np.nan
    with pytest.raises(InputError, match="counts that are not finite"):
        quantise(dual_path(dtype="float32"), frames)


# Degenerate models


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(value):
    def spoil(weights):
        weights["wide.w"][3, 2, 1, 1] = value

    with pytest.raises(InputError, match=r"wide\.w: found weights that are not finite"):
        quantise(dual_path(change=spoil), blobs(4))


def test_a_dead_kernel_stays_dead_and_the_others_alive():
    def kill(weights):
        weights["wide.w"][5] = 0
        weights["wide.b"][5] = 0
        weights["narrow.w"][2] = 0  # a constant, by its bias
        weights["narrow.b"][2] = 2.5

    model, frames = dual_path(change=kill), blobs(100, seed=2)
    expected = by_onnxruntime(model, frames)
    found = by_openvino(quantise(model, blobs(64), keep_float=()).model, frames)
    assert (found[1][:, 16 + 5] == 0).all()
    np.testing.assert_allclose(found[1][:, 2], 2.5, rtol=0.02)
    assert np.abs(found[0] - expected[0]).mean() < 0.005


@pytest.mark.parametrize(
    "model",
    [b"", b"\x00" * 100, b"not a model", dual_path()[:-2000], dual_path()[500:]],
    ids=["empty", "zeros", "text", "its end missing", "its start missing"],
)
def test_bytes_that_are_no_model_are_refused(model):
    with pytest.raises(InputError, match=r"^quantise: model: found"):
        quantise(model, blobs(4))


def test_a_model_that_keeps_its_weights_elsewhere_is_refused(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"\0" * 100_000)
    model = onnx.load_from_string(dual_path())
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=str(secret))
    with pytest.raises(InputError, match="found weights in another file"):
        quantise(model.SerializeToString(), blobs(4))


def test_a_model_without_layers_is_refused(toy_bundle):
    frames = np.random.default_rng(0).integers(0, 999, (4, 2, 8, 8)).astype(np.uint16)
    with pytest.raises(InputError, match="no layer with constant weights"):
        quantise(toy_bundle.graph().read_bytes(), frames)


def test_nodes_without_names_are_told_apart():
    model = onnx.load_from_string(dual_path())
    for node in model.graph.node:
        node.name = ""
    made = quantise(model.SerializeToString(), blobs(16), keep_float=())
    assert len(made.quantised) == 3
    assert Counter(name.split("_")[0] for name in made.quantised) == {"Conv": 3}


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
