import dataclasses
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from engines import training  # noqa: E402
from engines.bundle import load_bundle  # noqa: E402
from engines.cells._cells import Cells  # noqa: E402
from engines.errors import CellgateError, CellsError, InputError, MissingExtraError  # noqa: E402
from engines.training import Plan, Recipe, split  # noqa: E402
from engines.training._guide import FORETOLD, guide_targets  # noqa: E402
from engines.training._measure import names  # noqa: E402
from engines.training._parity import run  # noqa: E402

QUICK = Recipe(epochs=2, ema=0.9)


def train(cells, *, out, command="", resume=False, quiet=True, **plan):
    """Train by a plan of these."""
    return training.train(cells, out=out, plan=Plan(**plan), command=command, resume=resume, quiet=quiet)


def discs(n: int, seed: int = 0, size: int = 20) -> Cells:
    """Render cells of two channels and three classes that differ in radius and brightness, on noisy backgrounds."""
    generator = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    rows, columns = np.mgrid[:size, :size]
    centre = (size - 1) / 2 + generator.uniform(-1, 1, (2, n, 1, 1))
    distance = np.hypot(rows - centre[0], columns - centre[1])
    inside = distance < np.array([3.0, 5.0, 5.0])[labels][:, None, None]
    frames = generator.normal(600, 5, (n, 2, size, size))
    frames[:, 0] -= 200 * inside
    frames[:, 1] += np.array([300.0, 100.0, 500.0])[labels][:, None, None] * inside
    return Cells(
        "discs",
        frames.round().astype(np.uint16),
        ("brightfield", "darkfield"),
        ("A", "B", "C"),
        labels.astype(np.int16),
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("trained") / "discs"
    train(discs(300), out=out, network="student", recipe=QUICK, seed=5, quiet=True, command="cellgate train discs")
    return load_bundle(out)


def test_bundle_says_what_the_graph_takes_and_gives(trained):
    manifest = trained.manifest
    assert trained.classes == ("A", "B", "C")
    assert trained.frame_shape == (2, 20, 20)
    assert trained.dtype == np.uint16
    assert manifest.outputs.measurements == (*names(("brightfield", "darkfield")), "unfamiliarity")
    found = run(trained.graph().read_bytes(), discs(7, seed=9).frames)
    assert found["probabilities"].shape == (7, 3)
    assert found["embedding"].shape == (7, manifest.outputs.embedding)
    assert found["measurements"].shape == (7, 15)
    assert all(output.dtype == np.float32 for output in found.values())
    assert found["probabilities"].sum(1) == pytest.approx(np.ones(7), abs=1e-5)


def test_graph_takes_raw_counts_of_the_cells_dtype(trained):
    graph = onnx.load(trained.graph()).graph
    (frames,) = graph.input
    assert frames.name == "frames"
    assert frames.type.tensor_type.elem_type == onnx.TensorProto.UINT16
    assert frames.type.tensor_type.shape.dim[0].dim_param == "cells"
    assert [output.name for output in graph.output] == ["probabilities", "embedding", "measurements"]


def test_graph_gives_what_pytorch_gave(trained):
    figures = trained.manifest.metrics["parity"]
    assert figures["cells"] == 60
    assert figures["changed_classes"] == 0
    assert figures["max_probability_error"] < 1e-5
    assert figures["max_relative_embedding_error"] < 1e-4
    assert figures["max_relative_measurement_error"] < 1e-4


def test_only_test_cells_are_unseen_and_the_figures_are_of_them(trained):
    cells = discs(300)
    parts = split(cells.labels, validation=QUICK.validation, test=QUICK.test, seed=5)
    seen = trained.seen(cells.frames)
    assert seen[parts.train].all()
    assert seen[parts.validation].all()
    assert not seen[parts.test].any()
    p = run(trained.graph().read_bytes(), cells.frames[parts.test])["probabilities"]
    figures = trained.manifest.metrics["test"]
    assert figures["accuracy"] == pytest.approx((p.argmax(1) == cells.labels[parts.test]).mean())
    assert sum(map(sum, figures["confusion"])) == 60


def test_provenance_lets_the_run_be_repeated(trained):
    training = trained.manifest.training
    assert training["network"] == "student"
    assert training["command"] == "cellgate train discs"
    assert training["data"]["name"] == "discs"
    assert len(training["data"]["frames_sha256"]) == 64
    parts = {"seed": 5, "train": 210, "validation": 30, "test": 60, "groups_kept_whole": False}
    assert training["split"] == parts
    assert Recipe(**training["recipe"]) == QUICK
    assert len(training["area_thresholds"]) == 2


def test_int8_graph_is_there_with_its_parity_or_the_reason_why_not(trained, tmp_path):
    # 210 cells were trained on and 60 tested: too few to compare two graphs.
    assert [graph.precision for graph in trained.manifest.graphs] == ["fp32"]
    assert trained.manifest.metrics["int8"].startswith("left out: ")
    pytest.importorskip("onnxruntime")
    recipe = dataclasses.replace(QUICK, epochs=12, test=0.4)
    bundle = train(discs(900), out=tmp_path / "b", network="student", recipe=recipe, quiet=True)
    assert [graph.file for graph in bundle.manifest.graphs] == ["fp32.onnx", "int8.onnx", "int8-gpu.onnx"]
    parity = bundle.manifest.metrics["parity_int8"]
    assert parity["cells"] == 360
    assert parity["seen_cells"] == 0
    assert parity["changed_classes"] <= 2
    assert not bundle.seen(discs(900).frames)[split(discs(900).labels, validation=0.1, test=0.4, seed=0).test].any()


def test_same_seed_same_graph(trained, tmp_path):
    again = train(discs(300), out=tmp_path / "discs", network="student", recipe=QUICK, seed=5, quiet=True)
    other = train(discs(300), out=tmp_path / "other", network="student", recipe=QUICK, seed=6, quiet=True)
    assert again.graph().read_bytes() == trained.graph().read_bytes()
    assert other.graph().read_bytes() != trained.graph().read_bytes()


def test_training_learns_and_leaves_pytorchs_state_alone(tmp_path):
    torch.manual_seed(11)
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    recipe = dataclasses.replace(QUICK, epochs=12)
    bundle = train(discs(300), out=tmp_path / "discs", network="student", recipe=recipe, threads=1, quiet=True)
    assert bundle.manifest.metrics["test"]["accuracy"] > 0.9
    assert bundle.manifest.training["threads"] == 1
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_other_dtypes_and_one_channel(tmp_path, dtype):
    cells = discs(90)
    cells = dataclasses.replace(cells, frames=(cells.frames // 5).astype(dtype))
    recipe = dataclasses.replace(QUICK, epochs=1)
    bundle = train(
        cells, out=tmp_path / "b", network="student-wide", channels=("darkfield",), recipe=recipe, quiet=True
    )
    assert bundle.dtype == np.dtype(dtype)
    assert bundle.frame_shape == (1, 20, 20)
    assert bundle.manifest.metrics["parity"]["max_probability_error"] < 1e-5
    assert bundle.seen(cells.select(("darkfield",))).sum() == 72


def test_unlabelled_cells_and_empty_classes_are_left_out(tmp_path):
    cells = discs(120)
    labels = cells.labels.copy()
    labels[labels == 1] = -1
    cells = dataclasses.replace(cells, labels=labels)
    bundle = train(cells, out=tmp_path / "b", network="student", recipe=QUICK, quiet=True)
    assert bundle.classes == ("A", "C")
    assert not bundle.seen(cells.frames[labels < 0]).any()


def test_everything_can_be_trained_on(tmp_path):
    recipe = dataclasses.replace(QUICK, validation=0.0, test=0.0)
    bundle = train(discs(60), out=tmp_path / "b", network="student", recipe=recipe, quiet=True)
    assert set(bundle.manifest.metrics) == {"int8"}
    assert bundle.manifest.training["temperature"] == 1.0
    assert bundle.seen(discs(60).frames).all()


def test_twins_of_training_cells_are_not_tested_on(tmp_path):
    cells = discs(90)
    frames = cells.frames.copy()
    frames[cells.labels == 1] = frames[1]
    cells = dataclasses.replace(cells, frames=frames)
    bundle = train(cells, out=tmp_path / "b", network="student", recipe=QUICK, quiet=True)
    assert bundle.manifest.training["split"]["test"] == bundle.manifest.metrics["test"]["cells"] == 12
    assert bundle.manifest.metrics["test"]["recall"]["B"] is None


@pytest.mark.parametrize("name", ["my bundle", "-b", "ü", "b" * 65])
def test_name_that_no_bundle_can_have_is_refused_before_training(name, tmp_path):
    with pytest.raises(InputError, match="training: out: found"):
        train(discs(30), out=tmp_path / name, network="student", recipe=QUICK, quiet=True)
    assert not (tmp_path / name).exists()


def test_directory_that_cannot_be_made_is_refused_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="training: out: found Not a directory, expected a directory"):
        train(discs(30), out=tmp_path / "file" / "b", network="student", recipe=QUICK, quiet=True)


def broken(**changes):
    return dataclasses.replace(discs(30), **changes)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (broken(labels=None), "discs: labels: found nothing, expected the class of each cell"),
        (broken(labels=np.zeros(30, np.int16)), "discs: labels: found A, expected cells of two classes or more"),
        (broken(labels=np.full(30, -1, np.int16)), "discs: labels: found no class, expected cells of two classes"),
        (broken(labels=np.array([1] * 28 + [2] * 2, np.int16)), "labels: found 2 of class C, expected 3 or more"),
        (broken(frames=np.zeros((30, 2, 20, 20), np.int64)), "found dtype int64, expected uint8 or uint16 or float32"),
        (broken(frames=np.full((30, 2, 20, 20), np.nan, np.float32)), "channel brightfield: found NaN or infinite"),
        (broken(frames=np.zeros((30, 2, 20, 20), np.uint8)), "channel brightfield: found 0 in every pixel of every"),
        (broken(frames=np.zeros((30, 2, 2, 20), np.uint8)), "found 2×20 pixels, expected at least 3×3"),
    ],
)
def test_cells_that_cannot_be_trained_on_give_one_clear_error(cells, message, tmp_path):
    with pytest.raises(CellsError, match=message):
        train(cells, out=tmp_path / "b", network="student", recipe=QUICK, quiet=True)
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("channels", [("PI",), ("darkfield", "darkfield"), ()])
def test_channels_must_be_there_once(channels, tmp_path):
    with pytest.raises(InputError, match=r"channels: .* expected distinct names among brightfield,darkfield"):
        train(discs(30), out=tmp_path / "b", channels=channels, recipe=QUICK, quiet=True)


@pytest.mark.parametrize(
    ("guide", "channels"),
    [("PI", ("brightfield",)), ("darkfield", ("brightfield", "darkfield")), ("darkfield", ("darkfield",))],
)
def test_guide_must_be_recorded_and_not_shown(guide, channels, tmp_path):
    with pytest.raises(InputError, match=f"guide: found {guide}, expected a channel the network is not shown"):
        train(discs(30), out=tmp_path / "b", channels=channels, guide=guide, recipe=QUICK, quiet=True)


def test_guide_shapes_the_weights_and_leaves_no_trace_in_the_graph(tmp_path):
    plain = train(discs(90), out=tmp_path / "p", network="student", channels=("brightfield",), recipe=QUICK, quiet=True)
    guided = train(discs(90), out=tmp_path / "g", network="student", guide="darkfield", recipe=QUICK, quiet=True)
    assert guided.frame_shape == plain.frame_shape == (1, 20, 20)
    assert guided.manifest.training["guide"] == "darkfield"
    assert guided.manifest.training["parameters"] == plain.manifest.training["parameters"]
    assert guided.graph().read_bytes() != plain.graph().read_bytes()
    assert guided.graph().stat().st_size == plain.graph().stat().st_size


def test_guide_targets_are_standardised_logarithms_of_measurements():
    cells = discs(300)
    targets = guide_targets(cells.select(("darkfield",)))
    assert targets.shape == (300, len(FORETOLD))
    assert targets.dtype == torch.float32
    assert targets.mean(dim=0).tolist() == pytest.approx([0] * 4, abs=0.1)
    brightest = targets[:, FORETOLD.index("max")].reshape(100, 3).mean(dim=0)
    assert brightest.argsort().tolist() == [1, 0, 2]


def test_unknown_network_is_refused(tmp_path):
    with pytest.raises(InputError, match="network: found resnet"):
        train(discs(30), out=tmp_path / "b", network="resnet", recipe=QUICK, quiet=True)


def test_diverging_run_stops_with_advice(tmp_path):
    recipe = dataclasses.replace(QUICK, learning_rate=1e30)
    with pytest.raises(CellgateError, match="lower the learning rate"):
        train(discs(300), out=tmp_path / "b", network="student", recipe=recipe, quiet=True)


@pytest.mark.parametrize("module", ["torch", "onnx"])
def test_missing_extra_is_named(module, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'cellgate\[train\]'"):
        train(discs(30), out=tmp_path / "b")
