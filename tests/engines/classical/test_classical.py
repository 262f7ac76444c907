import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("skimage")
pytest.importorskip("sklearn")

from engines.classical import fit_classical
from engines.errors import InputError, MissingExtraError

CLASSES = ("small", "large", "dark")
REPOSITORY = Path(__file__).parents[3]
JURKAT = REPOSITORY.parent / "shared" / "data" / "jurkat" / "jurkat.npz"


def discs(cells, seed):
    """Draw noisy discs that differ in size or sign by class."""
    generator = np.random.default_rng(seed)
    labels = np.arange(cells) % len(CLASSES)
    rows, columns = np.indices((24, 24))
    y, x = generator.uniform(9, 15, (2, cells, 1, 1))
    radius = np.array([3.0, 6.0, 6.0])[labels][:, None, None]
    sign = np.array([1, 1, -1])[labels][:, None, None]
    inside = np.hypot(rows - y, columns - x) <= radius
    frames = 1000 + 300 * sign * inside + generator.normal(0, 25, (cells, 24, 24))
    return frames.astype(np.uint16)[:, None], labels


@pytest.fixture(scope="module")
def fitted():
    return fit_classical(*discs(90, 0), CLASSES, 0, ("brightfield",))


def test_separable_cells_are_learned(fitted):
    frames, labels = discs(60, 1)
    p = fitted.probabilities(frames)
    assert p.shape == (60, 3)
    assert p.dtype == np.float32
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-5)
    assert (p.argmax(axis=1) == labels).mean() >= 0.95
    assert fitted.classes == CLASSES
    assert "brightfield:area" in fitted.names


def test_what_means_nothing_is_not_learned():
    frames, labels = discs(90, 0)
    shuffled = np.random.default_rng(3).permutation(labels)
    found = fit_classical(frames, shuffled, CLASSES, 0).probabilities(discs(60, 1)[0])
    assert (found.argmax(axis=1) == discs(60, 1)[1]).mean() < 0.7


def test_same_seed_gives_the_same_answers_and_another_seed_others(fitted):
    frames = discs(30, 2)[0]
    again = fit_classical(*discs(90, 0), CLASSES, 0, ("brightfield",))
    other = fit_classical(*discs(90, 0), CLASSES, 1, ("brightfield",))
    np.testing.assert_array_equal(fitted.probabilities(frames), again.probabilities(frames))
    assert not np.array_equal(fitted.probabilities(frames), other.probabilities(frames))


def test_cells_without_a_label_do_not_count(fitted):
    frames, labels = discs(90, 0)
    junk = np.random.default_rng(0).integers(0, 65536, (9, 1, 24, 24)).astype(np.uint16)
    mixed = fit_classical(
        np.concatenate((frames, junk)), np.concatenate((labels, np.full(9, -1))), CLASSES, 0, ("brightfield",)
    )
    np.testing.assert_array_equal(mixed.probabilities(frames), fitted.probabilities(frames))


def test_class_without_cells_has_no_probability():
    frames, labels = discs(60, 0)
    found = fit_classical(frames, np.where(labels == 0, 0, 2), ("a", "none", "c"), 0).probabilities(frames)
    assert not found[:, 1].any()
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


def test_rare_class_of_two_cells_can_be_trained():
    frames, labels = discs(60, 0)
    rare = np.flatnonzero(labels == 2)
    keep = np.setdiff1d(np.arange(60), rare[2:])
    found = fit_classical(frames[keep], labels[keep], CLASSES, 0).probabilities(frames[keep])
    assert np.isfinite(found).all()


def test_no_cells_have_no_answers(fitted):
    assert fitted.probabilities(np.zeros((0, 1, 24, 24), np.uint16)).shape == (0, 3)


@pytest.mark.parametrize(
    ("frames", "labels", "field"),
    [
        (np.zeros((6, 24, 24), np.uint16), np.arange(6) % 2, "frames"),
        (np.zeros((6, 1, 24, 24), np.uint16), np.arange(5) % 2, "labels"),
        (np.zeros((6, 1, 24, 24), np.uint16), np.linspace(0, 1, 6), "labels"),
        (np.zeros((6, 1, 24, 24), np.uint16), np.arange(6), "labels: found 5, expected below 3"),
        (np.zeros((6, 1, 24, 24), np.uint16), np.zeros(6, np.int64), "labels: found cells of fewer than two classes"),
        (np.zeros((6, 1, 24, 24), np.uint16), np.full(6, -1), "labels: found cells of fewer than two classes"),
    ],
)
def test_cells_that_cannot_be_trained_on_are_refused(frames, labels, field):
    with pytest.raises(InputError, match=f"classical: {field}"):
        fit_classical(frames, labels, CLASSES, 0)


def test_frames_of_other_channels_are_refused(fitted):
    with pytest.raises(InputError, match="channels"):
        fitted.probabilities(np.zeros((1, 2, 24, 24), np.uint16))


def test_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingExtraError, match=r"cellgate\[classical\]"):
        fit_classical(*discs(6, 0), CLASSES, 0)


def test_importing_the_room_imports_none_of_its_extra():
    extra = ("scipy", "skimage", "sklearn", "torch")
    program = f"import sys, engines.classical; print([m for m in {extra} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.skipif(not JURKAT.exists(), reason="the recorded Jurkat cells are not beside the repository")
def test_jurkat_cells_are_told_apart_without_a_stain():
    with np.load(JURKAT, allow_pickle=False) as archive:
        frames, labels, classes = archive["frames"][:, [0, 2]], archive["labels"].astype(np.int64), archive["classes"]
    chosen = np.random.default_rng(0).permutation(len(labels))[:1200]
    train, test = chosen[:800], chosen[800:]
    model = fit_classical(frames[train], labels[train], tuple(classes.tolist()), 0, ("brightfield", "darkfield"))
    accuracy = (model.probabilities(frames[test]).argmax(axis=1) == labels[test]).mean()
    # Everything called G1 would be 0.645.
    assert accuracy >= 0.72
