"""Cells and models that are hardly any: quantised where that means something, else refused by name."""

from collections import Counter

import numpy as np
import onnx
import pytest

pytest.importorskip("onnxruntime")


from engines.errors import InputError
from engines.quantise import quantise
from tests.support.dual_path import SIDE, blobs, dual_path
from tests.support.run_graphs import by_onnxruntime, by_openvino

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
