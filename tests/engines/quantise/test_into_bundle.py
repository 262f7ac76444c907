import dataclasses
import sys

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

pytest.importorskip("onnxruntime")

from engines.backends._onnxruntime import OnnxRuntimeEngine
from engines.bundle import fingerprints, load_bundle, pretrained
from engines.cells import open_cells
from engines.cells.digital import PHASES, render
from engines.errors import EngineError, InputError
from engines.quantise import _into_bundle, add_int8, quantise
from engines.quantise.cli import quantise_command
from engines.verify import material, verify
from streamer.cli.verify import verify_command


@pytest.fixture(scope="module")
def digital():
    return load_bundle(pretrained("digital"))


@pytest.fixture(scope="module")
def rendered(digital):
    return material(digital, render(1000, seed=41, class_mix=dict.fromkeys(PHASES, 1.0)))


@pytest.fixture(scope="module")
def added(digital, rendered, tmp_path_factory):
    return add_int8(digital, rendered, tmp_path_factory.mktemp("int8") / "mine")


def test_the_new_bundle_has_both_graphs_and_says_how_they_compare(digital, added):
    manifest = added.bundle.manifest
    assert manifest.name == "mine"
    assert [(entry.precision, entry.target) for entry in manifest.graphs] == [
        ("fp32", "any"),
        ("int8", "any"),
        ("int8", "gpu"),
    ]
    assert added.bundle.graph().read_bytes() == digital.graph().read_bytes()
    parities = dict.fromkeys(("parity_int8", "parity_int8_gpu"))
    assert {**manifest.metrics, **parities} == {**digital.manifest.metrics, **parities}
    for name, target in (("parity_int8", "cpu"), ("parity_int8_gpu", "gpu")):
        figures = manifest.metrics[name]
        assert (figures["passed"], figures["cells"], figures["seen_cells"]) == (True, 500, 0)
        assert figures["target"] == target
        assert figures["changed_share"] <= 0.005
        assert figures["share_of_multiply_adds"] > 0.9
    assert [name.rsplit("/", 2)[-2:] for name in added.cpu.quantised.kept_float] == [["head", "Gemm"]]


def test_the_graph_for_gpus_is_around_zero_and_runs_in_onnx_runtime(added, rendered):
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(added.bundle.graph("int8", "gpu")).graph
    values = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    pairs = [node for node in graph.node if node.op_type in ("QuantizeLinear", "DequantizeLinear")]
    assert len(pairs) >= 4
    for node in pairs:
        assert values[node.input[2]].dtype == np.int8 and not values[node.input[2]].any()
    weights = [node for node in pairs if node.input[0] in values]
    assert all(values[node.input[1]].size == values[node.input[0]].shape[0] > 1 for node in weights), (
        "one scale a kernel"
    )
    engine = OnnxRuntimeEngine(added.bundle, precision="int8", target="gpu", threads=1, ladder=(16,))
    assert engine.name.endswith("CPU int8 for gpu")
    engine.close()


def test_a_graph_for_gpus_that_answers_differently_is_left_out_and_its_figures_kept(
    digital, rendered, tmp_path, monkeypatch
):
    def badly(model, frames, *, keep_float=None, target="cpu"):
        return quantise(model, frames if target == "cpu" else (frames[:1] // 4).astype(np.uint16), target=target)

    monkeypatch.setattr(_into_bundle, "quantise", badly)
    added = add_int8(digital, rendered, tmp_path / "half")
    assert [(entry.precision, entry.target) for entry in added.bundle.manifest.graphs] == [
        ("fp32", "any"),
        ("int8", "any"),
    ]
    assert added.bundle.manifest.metrics["parity_int8_gpu"]["passed"] is False
    assert not (tmp_path / "half" / "int8-gpu.onnx").exists()


def test_a_graph_for_gpus_is_tried_again_with_more_in_float(digital, rendered, tmp_path, monkeypatch):
    asked = []

    def first_badly(model, frames, *, keep_float=None, target="cpu"):
        if target == "gpu":
            asked.append(keep_float)
            frames = frames if len(asked) > 1 else (frames[:1] // 4).astype(np.uint16)
        return quantise(model, frames, keep_float=keep_float, target=target)

    monkeypatch.setattr(_into_bundle, "quantise", first_badly)
    added = add_int8(digital, rendered, tmp_path / "again")
    assert added.gpu.verdict.passed and len(asked) == 2
    assert [name.rsplit("/", 2)[-2] for name in added.gpu.quantised.kept_float] == ["features.0", "head"]
    assert len(added.cpu.quantised.kept_float) == 1


def test_the_layer_that_stays_float_for_gpus_is_that_of_every_member_of_an_ensemble():
    layers = ("/net/members.0/a/Conv", "/net/members.0/b/Conv", "/net/members.1/a/Conv", "/net/members.1/b/Conv")
    assert _into_bundle._first_of_each(layers) == ["/net/members.0/a/Conv", "/net/members.1/a/Conv"]
    assert _into_bundle._first_of_each(("/net/a/Conv", "/net/b/Conv")) == ["/net/a/Conv"]


def test_the_int8_engine_opens_and_passes_on_other_cells(added):
    fresh = material(added.bundle, render(600, seed=42, class_mix=dict.fromkeys(PHASES, 1.0)))
    limits = dataclasses.replace(added.cpu.verdict.limits, changed_share=0.01, accuracy_loss=0.01)
    verdict = verify(added.bundle, fresh.frames, fresh.labels, precision="int8", limits=limits)
    assert "int8" in verdict.engine and "fp32" in verdict.reference
    assert verdict.max_probability_error > 1e-5, "int8 answers are never exactly the float ones"


def test_cells_the_ranges_are_from_count_as_seen(digital, rendered, added):
    assert not rendered.seen.any()
    seen = added.bundle.seen(rendered.unfitted)
    np.testing.assert_array_equal(seen, np.arange(1000) % 2 == 0)
    old = np.fromfile(digital.path / digital.manifest.seen.file, "<u8")
    new = np.fromfile(added.bundle.path / added.bundle.manifest.seen.file, "<u8")
    assert set(old) < set(new)
    assert set(fingerprints(rendered.unfitted[::2])) == set(new) - set(old)


def test_ranges_are_from_cells_of_the_training_and_figures_from_others(rendered, monkeypatch):
    known = dataclasses.replace(rendered, seen=np.arange(1000) < 600)
    calibration, test = _into_bundle._split(known)
    assert len(calibration) == 512 and calibration.max() < 600
    np.testing.assert_array_equal(test, np.arange(600, 1000))
    # Too few others: all that the ranges are not from.
    known = dataclasses.replace(rendered, seen=np.arange(1000) < 900)
    calibration, test = _into_bundle._split(known)
    assert len(test) == 488 and not set(test) & set(calibration)


def test_too_few_cells_are_refused(digital, rendered, tmp_path):
    with pytest.raises(InputError, match="at least 200 besides the 150"):
        add_int8(digital, rendered.subset(np.arange(300)), tmp_path / "few")
    assert not (tmp_path / "few").exists()


def test_the_bundles_own_directory_is_refused(digital, rendered):
    before = {path.name: path.stat().st_mtime_ns for path in digital.path.iterdir()}
    with pytest.raises(InputError, match="another directory"):
        add_int8(digital, rendered, digital.path)
    assert {path.name: path.stat().st_mtime_ns for path in digital.path.iterdir()} == before


def test_nothing_is_written_when_the_graph_answers_differently(digital, rendered, tmp_path, monkeypatch):
    def badly(model, frames, *, keep_float=None, target="cpu"):
        # Ranges from one dim frame: everything brighter is cut off.
        return quantise(model, (frames[:1] // 4).astype(np.uint16), keep_float=keep_float, target=target)

    monkeypatch.setattr(_into_bundle, "quantise", badly)
    with pytest.raises(EngineError, match=r"does not answer as .* changed classes"):
        add_int8(digital, rendered, tmp_path / "bad")
    assert not (tmp_path / "bad").exists()


def test_commands_quantise_and_verify(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command("quantise")(quantise_command)
    app.command("verify")(verify_command)
    monkeypatch.setattr(sys.modules["engines.quantise._speed"], "_SECONDS", 0.05)
    made = CliRunner().invoke(app, ["quantise", "digital", "--cells", "digital:2500"], catch_exceptions=False)
    assert made.exit_code == 0
    assert "2 of 3 layers quantised" in made.output
    assert "for GPUs: " in made.output and "left out" not in made.output
    assert "batch 32" in made.output
    assert "written: digital-int8" in made.output
    checked = CliRunner().invoke(
        app, ["verify", "digital-int8", "--precision", "int8", "--cells", "digital:2500"], catch_exceptions=False
    )
    assert checked.exit_code == 0
    assert "none the bundle was trained on" in checked.output
    assert "answers as the reference does" in checked.output


@pytest.mark.slow
def test_the_jurkat_bundle_in_int8_answers_alike_on_cells_it_has_not_seen(jurkat_file, tmp_path):
    bundle = load_bundle(pretrained("jurkat"))
    added = add_int8(bundle, material(bundle, open_cells(jurkat_file)), tmp_path / "jurkat")
    verdict = added.cpu.verdict
    assert verdict.cells == 669 and added.seen == 0
    assert verdict.changed_classes <= 6
    assert verdict.accuracy > verdict.reference_accuracy - 0.003
    assert verdict.mean_probability_error < 0.002
    assert added.cpu.quantised.share > 0.9
    assert added.gpu.verdict.passed
