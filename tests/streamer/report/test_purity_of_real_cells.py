"""The estimated purity against the true one, on real cells the shipped bundle has not seen."""

from pathlib import Path

import numpy as np
import pytest

import engines
from engines.backends import open_engine
from engines.bundle import load_bundle
from streamer.config import Bound, GateSection
from streamer.journal import record_dtype
from streamer.report import SortTally, purity_interval, tallied_gates
from streamer.vocabulary import Reason

BUNDLE = Path(engines.__file__).parent / "pretrained/jurkat"
MITOSIS = ("Prophase", "Metaphase", "Anaphase", "Telophase")
BATCH = 32


@pytest.fixture(scope="module")
def unseen(jurkat_file):
    """Probabilities and class names of the cells that were held back from the bundle's training."""
    bundle = load_bundle(BUNDLE)
    with np.load(jurkat_file) as data:
        names = data["channels"].tolist()
        frames = data["frames"][:, [names.index(name) for name in bundle.manifest.input.channels]]
        labels = data["classes"][data["labels"]]
    chosen = ~bundle.seen(frames)
    frames, labels = frames[chosen], labels[chosen]
    engine = open_engine(bundle, ladder=(BATCH,))
    answers = []
    for at in range(0, len(frames), BATCH):
        engine.submit(frames[at : at + BATCH])
        answers.append(engine.collect(60.0).probabilities.copy())
    engine.close()
    return bundle.classes, np.concatenate(answers), labels


@pytest.mark.parametrize("least", [0.5, 0.7, 0.9])
def test_the_true_purity_of_a_mitosis_gate_lies_in_the_interval(unseen, least):
    classes, probabilities, labels = unseen
    gate = GateSection(name="mitotic", way="left", where={"+".join(MITOSIS): Bound(min=least)})
    inside = probabilities[:, [classes.index(name) for name in MITOSIS]].sum(axis=1) >= least
    entries = np.zeros(len(labels), record_dtype(len(classes)))
    entries["probabilities"] = probabilities
    entries["gate"] = np.where(inside, 0, -1)
    entries["reason"] = np.where(inside, Reason.KEPT, Reason.NOT_IN_GATE)
    tally = SortTally(tallied_gates([gate], classes), len(classes))
    for part in np.array_split(entries, 50):
        tally.add(part)
    (left,) = tally.ways()
    low, high = purity_interval(left.chances)
    truth = np.isin(labels[inside], MITOSIS).mean()
    assert left.sorted == inside.sum() > 30
    assert low <= truth <= high
    assert high - low < 0.3
