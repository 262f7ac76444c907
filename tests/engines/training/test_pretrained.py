from pathlib import Path

import numpy as np
import pytest

import engines
from engines.bundle import load_bundle
from engines.cells import open_cells, read_npz

pytest.importorskip("torch")
pytest.importorskip("onnx")

from engines.networks import cost, create
from engines.training._parity import run

PRETRAINED = Path(engines.__file__).parent / "pretrained"
JURKAT = Path(__file__).parents[4] / "shared" / "data" / "jurkat" / "jurkat.npz"
PHASES = ("G1", "S", "G2", "Prophase", "Metaphase", "Anaphase", "Telophase")


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("jurkat", ("brightfield", "darkfield")),
        ("jurkat-student", ("brightfield", "darkfield")),
        ("digital", ("brightfield", "PI", "darkfield")),
    ],
)
def test_shipped_bundle_is_whole_and_says_how_it_was_made(name, channels):
    bundle = load_bundle(PRETRAINED / name)
    assert bundle.manifest.name == name
    assert bundle.manifest.input.channels == channels
    assert bundle.frame_shape[1:] == (40, 40)
    assert bundle.dtype == np.uint16
    assert set(bundle.classes) == set(PHASES)
    assert bundle.manifest.seen is not None
    assert bundle.manifest.metrics["parity"]["changed_classes"] == 0
    assert bundle.manifest.metrics["parity"]["max_probability_error"] < 1e-4
    assert bundle.manifest.training["command"].startswith("cellgate train ")
    assert bundle.manifest.outputs.measurements[-1] == "unfamiliarity"
    assert bundle.manifest.weights is not None
    assert bundle.manifest.metrics["parity_int8"]["passed"]


@pytest.mark.skipif(not JURKAT.exists(), reason="the recorded Jurkat cells are not beside the repository")
@pytest.mark.parametrize(("name", "least"), [("jurkat", 0.84), ("jurkat-student", 0.83)])
def test_jurkat_bundle_knows_cells_it_has_not_seen(name, least):
    bundle = load_bundle(PRETRAINED / name)
    cells = read_npz(JURKAT)
    frames = cells.select(bundle.manifest.input.channels)
    unseen = ~bundle.seen(frames)
    assert unseen.mean() == pytest.approx(0.1, abs=0.005)
    p = run(bundle.graph().read_bytes(), frames[unseen])["probabilities"]
    found = np.array(bundle.classes)[p.argmax(1)]
    accuracy = (found == np.array(cells.classes)[cells.labels[unseen]]).mean()
    assert accuracy >= least
    assert accuracy == pytest.approx(bundle.manifest.metrics["test"]["accuracy"], abs=0.002)


def test_digital_bundle_knows_fresh_cells():
    bundle = load_bundle(PRETRAINED / "digital")
    cells = open_cells("digital:1400", seed=987, uniform_mix=True)
    frames = cells.select(bundle.manifest.input.channels)
    assert not bundle.seen(frames).any()
    p = run(bundle.graph().read_bytes(), frames)["probabilities"]
    found = np.array(bundle.classes)[p.argmax(1)]
    assert (found == np.array(cells.classes)[cells.labels]).mean() >= 0.88


@pytest.mark.skipif(not JURKAT.exists(), reason="the recorded Jurkat cells are not beside the repository")
def test_student_follows_the_jurkat_bundle_at_a_twentieth_of_its_cost():
    teacher, student = load_bundle(PRETRAINED / "jurkat"), load_bundle(PRETRAINED / "jurkat-student")
    assert student.manifest.training["teacher"] == {"name": "jurkat", "sha256": teacher.sha256}
    names = [str(bundle.manifest.training["network"]) for bundle in (teacher, student)]
    large, small = (cost(create(name, 2, 7, 40, 40), 2, 40, 40).multiply_adds for name in names)
    assert small * 20 <= large * int(teacher.manifest.training["recipe"]["members"])
    accuracies = [bundle.manifest.metrics["test"]["accuracy"] for bundle in (teacher, student)]
    assert accuracies[1] >= accuracies[0] - 0.03


@pytest.mark.skipif(not JURKAT.exists(), reason="the recorded Jurkat cells are not beside the repository")
@pytest.mark.parametrize("name", ["jurkat", "jurkat-student"])
def test_doublets_and_noise_are_less_familiar_than_cells(name):
    bundle = load_bundle(PRETRAINED / name)
    frames = read_npz(JURKAT).select(bundle.manifest.input.channels)
    cells = frames[~bundle.seen(frames)]
    # Two cells side by side in one frame, and light that is no cell at all.
    doublets = cells.copy()
    doublets[:, :, :, 20:] = np.roll(cells, 1, axis=0)[:, :, :, 10:30]
    random = np.random.default_rng(0)
    noise = random.integers(0, 4000, cells[:200].shape).astype(np.uint16)

    def unfamiliarity(counts):
        return run(bundle.graph().read_bytes(), counts)["measurements"][:, -1]

    ordinary = unfamiliarity(cells)
    assert (ordinary > 1).mean() < 0.04
    assert np.median(unfamiliarity(doublets)) > np.quantile(ordinary, 0.9)
    assert (unfamiliarity(noise) > 1).mean() > 0.99
