"""The engine's answers against the CPU engine's, on the stand-in that runs the graph it was given."""

import dataclasses

import numpy as np
import pytest

from engines.backends import open_engine
from engines.backends._onnxruntime import OnnxRuntimeEngine
from engines.bundle import load_bundle, write_bundle
from engines.cells.digital import render
from engines.errors import EngineError
from engines.quantise import add_int8
from engines.tensorrt import build_plan
from engines.verify import LIMITS, compare_engine, material
from engines.verify._compare import answers
from tests.support.toy import toy_frames, write_toy_bundle

LADDER = (1, 4, 16)


@pytest.mark.parametrize("n", [1, 3, 4, 5, 16])
@pytest.mark.parametrize("graphs", [True, False])
def test_answers_of_every_filling_are_the_cpu_engines(opened, digital, cells, n, graphs):
    frames, expected = cells
    engine = opened(digital, graphs=graphs)
    engine.submit(frames[-n:])
    found = engine.collect(timeout_s=30.0)
    np.testing.assert_allclose(found.probabilities, expected.probabilities[-n:], atol=1e-5)
    np.testing.assert_allclose(found.embedding, expected.embedding[-n:], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(found.measurements, expected.measurements[-n:], rtol=1e-4, atol=1e-2)


def test_fp16_changes_no_class_and_leaves_measurements_alone(opened, digital, cells):
    frames, expected = cells
    engine = opened(digital, "fp16")
    engine.submit(frames)
    found = engine.collect(timeout_s=30.0)
    assert (found.probabilities.argmax(1) == expected.probabilities.argmax(1)).all()
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=5e-3)
    assert np.abs(found.embedding - expected.embedding).max() > 0
    np.testing.assert_allclose(found.measurements, expected.measurements, rtol=1e-4, atol=1e-2)


@pytest.fixture(scope="session")
def with_gpu_int8(digital, tmp_path_factory):
    """The shipped bundle with an int8 graph for GPUs made here, and cells neither was made with."""
    made = material(digital, render(700, seed=41))
    added = add_int8(digital, made, tmp_path_factory.mktemp("int8") / "mine")
    return added.bundle, material(added.bundle, render(300, seed=43)).frames


def test_int8_takes_the_graph_for_gpus(opened, with_gpu_int8):
    bundle, frames = with_gpu_int8
    engine = opened(bundle, "int8")
    same = OnnxRuntimeEngine(bundle, precision="int8", target="gpu", threads=1, ladder=LADDER)
    found, expected = answers(engine, frames), answers(same, frames)
    same.close()
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-5)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_every_precision_decides_as_the_reference_does(opened, with_gpu_int8, precision):
    bundle, frames = with_gpu_int8
    # Of 300 cells one more or less is a third of a percent.
    limits = dataclasses.replace(LIMITS[precision], changed_share=0.02, changed_decision_share=0.02)
    verdict = compare_engine(opened(bundle, precision), frames, limits=limits)
    assert verdict.passed, verdict.refusals
    assert (verdict.max_probability_error > 1e-5) == (precision != "fp32")


def test_an_int8_graph_for_processors_alone_is_refused(machine, digital, tmp_path):
    graphs = {kind: (digital.graph(kind).read_bytes(), 17) for kind in ("fp32", "int8")}
    bundle = write_bundle(
        tmp_path / "cpu",
        name="cpu",
        classes=digital.classes,
        inputs=digital.manifest.input,
        outputs=digital.manifest.outputs,
        graphs=graphs,
    )
    with pytest.raises(EngineError, match=r"quantised for processors \(zero points\).*cellgate quantise"):
        build_plan(bundle, "int8", (1,))


def test_the_rung_is_the_next_above(machine, opened, digital, cells):
    frames, _ = cells
    engine = opened(digital, graphs=False)
    for n, rung in ((1, 1), (2, 4), (4, 4), (5, 16), (16, 16)):
        engine.submit(frames[:n])
        assert engine.collect(timeout_s=30.0).probabilities.shape[0] == n
        assert machine.executed[-1] == rung


def test_graphs_are_launched_where_they_can_be_recorded(machine, opened, digital, cells):
    engine = opened(digital)
    assert engine.name == "tensorrt 11.4.0.106 GPU 0 Stand-in GPU fp32, CUDA graphs"
    engine.submit(cells[0][:3])
    assert engine.collect(timeout_s=30.0) is not None
    assert machine.launched == 1


def test_without_recording_batches_start_call_by_call_and_the_name_says_why(machine, opened, digital, cells):
    machine.capture_refused = True
    engine = opened(digital)
    assert "no CUDA graphs (CUDA graphs: begin capture: CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED)" in engine.name
    engine.submit(cells[0][:3])
    found = engine.collect(timeout_s=30.0)
    np.testing.assert_allclose(found.probabilities, cells[1].probabilities[:3], atol=1e-5)
    assert machine.launched == 0


def test_cells_written_into_the_slots_are_read_from_there(opened, digital, cells):
    frames, expected = cells
    engine = opened(digital)
    for first in (0, 8):
        slots = engine.slots()
        slots[:5] = frames[first : first + 5]
        engine.submit(slots[:5])
    for first in (0, 8):
        found = engine.collect(timeout_s=30.0)
        np.testing.assert_allclose(found.probabilities, expected.probabilities[first : first + 5], atol=1e-5)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_counts_of_every_dtype(opened, tmp_path, dtype):
    bundle = write_toy_bundle(tmp_path / "toy", dtype=dtype)
    frames = toy_frames(np.array([0, 1, 2]), dtype=dtype)
    frames[1, 0, 3, 4] += 9
    reference = open_engine(bundle, "openvino", threads=1, ladder=(4,))
    engine = opened(bundle)
    for each in (reference, engine):
        each.submit(frames)
    expected, found = reference.collect(timeout_s=30.0), engine.collect(timeout_s=30.0)
    reference.close()
    np.testing.assert_allclose(found.measurements, expected.measurements, rtol=1e-6)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-6)


def test_weights_of_a_retrained_bundle_are_taken_in_place(opened, tmp_path, digital, cells):
    frames, expected = cells
    retrained = _retrained(digital, tmp_path / "again")
    engine = opened(digital, "fp16", refittable=True)
    engine.refit(retrained)
    assert engine.bundle is retrained
    assert engine.name.endswith(", CUDA graphs")
    engine.submit(frames)
    found = engine.collect(timeout_s=30.0)
    reference = open_engine(retrained, "openvino", threads=1, ladder=(16,))
    reference.submit(frames)
    wanted = reference.collect(timeout_s=30.0)
    reference.close()
    np.testing.assert_allclose(found.probabilities, wanted.probabilities, atol=5e-3)
    assert np.abs(wanted.probabilities - expected.probabilities).max() > 0.05


def _retrained(bundle, path):
    """Write the bundle with its last layer's weights turned round."""
    import hashlib
    import json
    import shutil

    import onnx
    from onnx import numpy_helper

    shutil.copytree(bundle.path, path)
    model = onnx.load(path / "fp32.onnx")
    head = next(tensor for tensor in model.graph.initializer if tensor.name.endswith("head.weight"))
    head.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(head)[::-1].copy(), head.name))
    (path / "fp32.onnx").write_bytes(model.SerializeToString())
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["graphs"][0]["sha256"] = hashlib.sha256((path / "fp32.onnx").read_bytes()).hexdigest()
    (path / "manifest.json").write_text(json.dumps(manifest))
    return load_bundle(path)
