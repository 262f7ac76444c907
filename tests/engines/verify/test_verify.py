import numpy as np
import pytest

from engines.backends import open_engine
from engines.bundle import load_bundle, pretrained
from engines.cells import Cells
from engines.cells.digital import render
from engines.errors import BundleError, EngineError, InputError
from engines.verify import LIMITS, ClassGates, Limits, compare, compare_engine, material, verify
from engines.verify._compare import answers
from tests.support.engines import ScriptedEngine
from tests.support.toy import CHANNELS, CLASSES, toy_frames
from tests.support.two_graphs import constant_frames, with_int8


@pytest.fixture
def between():
    """300 cells, 297 of them plainly of a class; three are nearer to `bright` than to `blinding`, not by much."""
    return np.concatenate([toy_frames(np.arange(297) % 3), constant_frames([1900] * 3)])


def test_the_reference_agrees_with_itself(toy_bundle):
    verdict = verify(toy_bundle, toy_frames(np.arange(200) % 3), np.arange(200) % 3)
    assert verdict.passed
    assert (verdict.cells, verdict.changed_classes, verdict.labelled) == (200, 0, 200)
    assert verdict.max_probability_error < 1e-6
    assert verdict.accuracy == verdict.reference_accuracy == 1.0
    assert verdict.figures()["passed"] is True


def test_figures_of_a_graph_that_moved_a_border(toy_bundle, tmp_path, between):
    bundle = with_int8(toy_bundle, tmp_path / "both", (100, 1000, 2700))
    labels = np.concatenate([np.arange(297) % 3, [1, 1, -1]])
    loose = Limits(changed_share=0.01, changed_decision_share=0.01, accuracy_loss=0.01, mean_probability_error=0.01)
    verdict = compare(bundle, between, labels, precision="int8", limits=loose)
    assert verdict.changed_classes == 3
    assert verdict.changed_share == pytest.approx(0.01)
    assert dict(verdict.decisions) == {"p(dim) ≥ 0.5": 0, "p(bright) ≥ 0.5": 3, "p(blinding) ≥ 0.5": 3}
    assert (verdict.changed_decisions, verdict.changed_decision_share) == (3, pytest.approx(0.01))
    assert verdict.max_probability_error == pytest.approx(1.0, abs=1e-3)
    assert verdict.mean_probability_error == pytest.approx(3 * 2 / (300 * 3), rel=0.01)
    assert (verdict.labelled, verdict.reference_accuracy) == (299, 1.0)
    assert verdict.accuracy == pytest.approx(297 / 299)
    assert verdict.max_relative_embedding_error < 1e-6
    assert verdict.passed


def test_a_tampered_graph_is_refused_with_its_figures(toy_bundle, tmp_path, between):
    bundle = with_int8(toy_bundle, tmp_path / "both", (100, 1000, 2700))
    labels = np.concatenate([np.arange(297) % 3, [1, 1, 1]])
    with pytest.raises(EngineError, match=r"int8 does not answer .* on 300 cells: 3 changed classes \(1\.00%") as told:
        verify(bundle, between, labels, precision="int8")
    assert "mean probability error 0.0067" in str(told.value)
    assert "accuracy 0.9900 instead of 1.0000" in str(told.value)


def test_decisions_of_a_gate_count_by_themselves(toy_bundle, tmp_path, between):
    bundle = with_int8(toy_bundle, tmp_path / "both", (100, 1000, 3000.5))
    loose = Limits(changed_share=0.0, changed_decision_share=0.005, accuracy_loss=0.0, mean_probability_error=1.0)
    frames = np.concatenate([between[:297], constant_frames([2000] * 3)])  # halfway: 0.5 and 0.5, or nearly
    expected = compare(bundle, frames, precision="fp32", limits=loose)
    assert (expected.changed_decisions, expected.passed) == (0, True)
    strict = compare(bundle, frames, precision="int8", judge=ClassGates(bundle.classes, 0.5), limits=loose)
    lenient = compare(bundle, frames, precision="int8", judge=ClassGates(bundle.classes, 0.1), limits=loose)
    assert strict.changed_decisions == 3 and lenient.changed_decisions == 0
    assert "3 changed gate decisions (1.00%, at most 0.50%)" in strict.refusals[-1]


def test_half_precision_is_refused_on_processors_before_anything_runs(toy_bundle):
    frames = toy_frames(np.arange(200) % 3)
    for engine in ("openvino", "onnxruntime", "auto"):
        with pytest.raises(EngineError, match=r"on the CPU has no fp16: take the precision fp32 or int8, or an engine"):
            compare(toy_bundle, frames, engine=engine, precision="fp16")


def test_half_precision_by_pytorch_has_limits_of_its_own():
    pytest.importorskip("torch")
    bundle = load_bundle(pretrained("digital"))
    frames = material(bundle, render(220, seed=7)).frames
    verdict = verify(bundle, frames, engine="torch", precision="fp16", ladder=(64,))
    assert "fp16" in verdict.engine and verdict.limits == LIMITS["fp16"]
    assert 0 < verdict.max_probability_error < 0.02


def test_an_open_engine_is_compared_and_left_open(toy_bundle):
    engine = open_engine(toy_bundle, ladder=(1, 8))
    verdict = compare_engine(engine, toy_frames(np.arange(200) % 3), limits=LIMITS["fp32"])
    assert verdict.passed and engine.ready
    engine.close()


def test_gaining_accuracy_is_no_loss(toy_bundle, tmp_path, between):
    bundle = with_int8(toy_bundle, tmp_path / "both", (100, 1000, 2700))
    labels = np.concatenate([np.arange(297) % 3, [2, 2, 2]])
    limits = Limits(changed_share=1.0, changed_decision_share=1.0, accuracy_loss=0.0, mean_probability_error=1.0)
    verdict = compare(bundle, between, labels, precision="int8", limits=limits)
    assert verdict.accuracy > verdict.reference_accuracy
    assert verdict.passed


def test_answers_that_are_no_numbers_are_refused(toy_bundle, tmp_path):
    bundle = with_int8(toy_bundle, tmp_path / "both", (np.nan, np.nan, np.nan))
    verdict = compare(bundle, toy_frames(np.zeros(200, int)), precision="int8", limits=Limits(1.0, 1.0, 1.0, 1.0))
    assert verdict.refusals == ("answers that are no numbers",)


def test_without_labels_there_is_no_accuracy(toy_bundle):
    frames = toy_frames(np.arange(200) % 3)
    for labels in (None, np.full(200, -1)):
        verdict = compare(toy_bundle, frames, labels)
        assert (verdict.labelled, verdict.accuracy, verdict.reference_accuracy) == (0, None, None)


def test_every_rung_is_tried_and_the_order_kept(toy_bundle):
    sizes = []

    class Noting(ScriptedEngine):
        def submit(self, frames):
            sizes.append(len(frames))
            super().submit(frames)

        def collect(self, timeout_s=0.0):
            while (found := super().collect(timeout_s)) is None:
                pass
            return found

    engine = Noting(toy_bundle)
    classes = np.arange(40) % 3
    found = answers(engine, toy_frames(classes))
    engine.close()
    assert set(sizes) >= set(engine.ladder)
    assert sum(sizes) == 40
    np.testing.assert_array_equal(found.probabilities.argmax(1), classes)


@pytest.mark.parametrize(
    ("frames", "labels", "told"),
    [
        (toy_frames(np.zeros(199, int)), None, "cells: found 199, expected 200 or more"),
        (toy_frames(np.zeros(200, int))[:, :1], None, "frames: found uint16"),
        (toy_frames(np.zeros(200, int)).astype(np.float32), None, "frames: found float32"),
        (toy_frames(np.zeros(200, int)), np.zeros(3, int), "labels: found int64 \\(3,\\)"),
        (toy_frames(np.zeros(200, int)), np.full(200, 3), "labels: found 3, expected below 3"),
    ],
)
def test_what_does_not_fit_is_named(toy_bundle, frames, labels, told):
    with pytest.raises(InputError, match=told):
        compare(toy_bundle, frames, labels)


def test_a_bundle_without_the_graph_says_so(toy_bundle):
    with pytest.raises(BundleError, match="a graph of precision int8"):
        compare(toy_bundle, toy_frames(np.zeros(200, int)), precision="int8")


def test_material_matches_channels_classes_and_size_by_name(toy_bundle):
    frames = np.stack([np.full((4, 6, 6), level, np.uint16) for level in (7, 9, 11)], axis=1)
    cells = Cells("mine", frames, ("darkfield", "PI", "brightfield"), ("odd", *CLASSES[::-1]), np.array([0, 1, 3, -1]))
    found = material(toy_bundle, cells)
    assert found.frames.shape == (4, 2, 8, 8)
    assert (found.frames[:, 0] == 11).all() and (found.frames[:, 1] == 7).all()
    assert found.unfitted.shape == (4, 2, 6, 6)
    np.testing.assert_array_equal(found.labels, [-1, 2, 0, -1])
    assert not found.seen.any()
    np.testing.assert_array_equal(found.subset(np.array([1, 2])).labels, [2, 0])


def test_material_refuses_other_channels_and_wider_counts(toy_bundle):
    frames = np.zeros((1, 2, 8, 8), np.uint16)
    with pytest.raises(InputError, match="darkfield among them"):
        material(toy_bundle, Cells("mine", frames, ("brightfield", "PI")))
    with pytest.raises(InputError, match="counts of float32, expected uint16"):
        material(toy_bundle, Cells("mine", frames.astype(np.float32), CHANNELS))
