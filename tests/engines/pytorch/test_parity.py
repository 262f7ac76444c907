"""The PyTorch engine gives OpenVINO's answers, on every network Cellgate ships and on real cells."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from engines.backends import open_engine  # noqa: E402
from engines.bundle import load_bundle, pretrained  # noqa: E402
from engines.pytorch import TorchEngine  # noqa: E402
from tests.support.fresh_networks import ask, fresh_bundle, noise, worst  # noqa: E402

SIDES = {"yao-convnet": 64, "deeploc": 16}
KINDS = ("deepflow", "deepflow-released", "deeploc", "yao-convnet", "student", "student-wide", "student-micro")


def both(bundle, frames):
    n = len(frames)
    expected = ask(open_engine(bundle, "openvino", threads=1, ladder=(n,)), frames)
    return ask(TorchEngine(bundle, threads=1, ladder=(n,), device="cpu"), frames), expected


@pytest.mark.parametrize("kind", [*KINDS, "student-deep"])
def test_every_network_gives_the_same_answers(tmp_path, kind):
    bundle = fresh_bundle(tmp_path / "b", kind, SIDES.get(kind, 24))
    found, expected = both(bundle, noise(bundle, 3))
    assert np.ptp(expected[1], axis=0).max() > 0  # the cells are told apart at all
    assert max(worst(found, expected)) < 1e-4


@pytest.mark.parametrize(("front", "symmetries"), [("percentile", 2), ("quantile", 8), (None, 8)])
def test_every_front_and_symmetry_gives_the_same_answers(tmp_path, front, symmetries):
    # Floats, so that no two pixels are equal: which of them comes first is nobody's promise.
    bundle = fresh_bundle(tmp_path / "b", "student-micro", 20, front=front, symmetries=symmetries, dtype="float32")
    frames = noise(bundle, 4) + np.random.default_rng(0).random((4, 2, 20, 20)).astype(np.float32)
    found, expected = both(bundle, frames)
    assert max(worst(found, expected)) < 1e-4


def test_half_precision_is_close_and_leaves_counts_and_measurements_alone(tmp_path):
    bundle = fresh_bundle(tmp_path / "b", "student", 24)
    frames = noise(bundle, 4) * 200  # sums far above float16's 65,504
    expected = ask(TorchEngine(bundle, threads=1, ladder=(4,), device="cpu"), frames)
    found = ask(TorchEngine(bundle, precision="fp16", threads=1, ladder=(4,), device="cpu"), frames)
    errors = worst(found, expected)
    assert 0 < errors[0] < 0.02
    assert 0 < errors[1] < 0.02
    names = bundle.manifest.outputs.measurements
    assert np.allclose(found[2][:, : len(names) - 1], expected[2][:, : len(names) - 1], rtol=1e-5, atol=1e-4)
    assert found[0].dtype == np.float32


@pytest.mark.parametrize("name", ["onnxruntime", "torch"])
def test_the_shipped_digital_bundle_answers_as_openvino_does(name):
    pytest.importorskip(name)
    from engines.cells import open_cells

    bundle = load_bundle(pretrained("digital"))
    frames = open_cells("digital:24").frames
    expected = ask(open_engine(bundle, "openvino", threads=1, ladder=(24,)), frames)
    found = ask(open_engine(bundle, name, threads=1, ladder=(24,)), frames)
    assert len(set(expected[0].argmax(1).tolist())) > 1
    assert max(worst(found, expected)) < 1e-4


@pytest.mark.parametrize("name", ["onnxruntime", "torch"])
def test_real_cells_answer_as_openvino_does(name, jurkat_file):
    pytest.importorskip(name)
    from engines.cells import open_cells
    from engines.fit import fit_frames

    bundle = load_bundle(pretrained("jurkat"))
    spec = bundle.manifest.input
    cells = open_cells(jurkat_file).subset(np.arange(12)).select(spec.channels)
    frames = fit_frames(cells, spec.height, spec.width, spec.fit)
    expected = ask(open_engine(bundle, "openvino", threads=1, ladder=(12,)), frames)
    found = ask(open_engine(bundle, name, threads=1, ladder=(12,)), frames)
    assert max(worst(found, expected)) < 1e-3
