from pathlib import Path

import numpy as np
import pytest

import engines
from engines.bundle import load_bundle
from engines.cells._npz import read_npz

pytest.importorskip("torch")
pytest.importorskip("onnx")

from engines.training._parity import run
from engines.training.cli import load

PRETRAINED = Path(engines.__file__).parent / "pretrained"
JURKAT = Path(__file__).parents[4] / "shared" / "data" / "jurkat" / "jurkat.npz"
PHASES = ("G1", "S", "G2", "Prophase", "Metaphase", "Anaphase", "Telophase")


@pytest.mark.parametrize(
    ("name", "channels"), [("jurkat", ("brightfield", "darkfield")), ("digital", ("brightfield", "PI", "darkfield"))]
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


@pytest.mark.skipif(not JURKAT.exists(), reason="the recorded Jurkat cells are not beside the repository")
def test_jurkat_bundle_knows_cells_it_has_not_seen():
    bundle = load_bundle(PRETRAINED / "jurkat")
    cells = read_npz(JURKAT)
    frames = cells.select(bundle.manifest.input.channels)
    unseen = ~bundle.seen(frames)
    assert unseen.mean() == pytest.approx(0.2, abs=0.005)
    p = run(bundle.graph().read_bytes(), frames[unseen])["probabilities"]
    found = np.array(bundle.classes)[p.argmax(1)]
    accuracy = (found == np.array(cells.classes)[cells.labels[unseen]]).mean()
    assert accuracy >= 0.80
    assert accuracy == pytest.approx(bundle.manifest.metrics["test"]["accuracy"], abs=0.002)


def test_digital_bundle_knows_fresh_cells():
    bundle = load_bundle(PRETRAINED / "digital")
    cells = load("digital:1400", 987)
    frames = cells.select(bundle.manifest.input.channels)
    assert not bundle.seen(frames).any()
    p = run(bundle.graph().read_bytes(), frames)["probabilities"]
    found = np.array(bundle.classes)[p.argmax(1)]
    assert (found == np.array(cells.classes)[cells.labels]).mean() >= 0.88
