import dataclasses
import sys

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

pytest.importorskip("onnxruntime")

from engines.bundle import fingerprints, load_bundle, pretrained
from engines.cells import open_cells
from engines.cells.digital import PHASES, render
from engines.errors import EngineError, InputError
from engines.quantise import _into_bundle, add_int8, quantise
from engines.quantise.cli import quantise_command
from engines.verify import material, verify
from engines.verify.cli import verify_command


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
    assert [entry.precision for entry in manifest.graphs] == ["fp32", "int8"]
    assert added.bundle.graph().read_bytes() == digital.graph().read_bytes()
    assert {**manifest.metrics, "parity_int8": None} == {**digital.manifest.metrics, "parity_int8": None}
    figures = manifest.metrics["parity_int8"]
    assert figures["passed"] is True
    assert figures["cells"] == 500
    assert figures["seen_cells"] == 0
    assert figures["changed_share"] <= 0.005
    assert figures["share_of_multiply_adds"] > 0.9
    assert [name.rsplit("/", 2)[-2:] for name in added.quantised.kept_float] == [["head", "Gemm"]]


def test_the_int8_engine_opens_and_passes_on_other_cells(added):
    fresh = material(added.bundle, render(600, seed=42, class_mix=dict.fromkeys(PHASES, 1.0)))
    limits = dataclasses.replace(added.verdict.limits, changed_share=0.01, accuracy_loss=0.01)
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
    def badly(model, frames, *, keep_float=None):
        # Ranges from one dim frame: everything brighter is cut off.
        return quantise(model, (frames[:1] // 4).astype(np.uint16), keep_float=keep_float)

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
    verdict = added.verdict
    assert verdict.cells == 669 and added.seen == 0
    assert verdict.changed_classes <= 6
    assert verdict.accuracy > verdict.reference_accuracy - 0.003
    assert verdict.mean_probability_error < 0.002
    assert added.quantised.share > 0.9
