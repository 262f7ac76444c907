"""A bundle judged on labelled cells: predictions, figures, and what cannot be judged."""

import json
from pathlib import Path

import numpy as np
import pytest

from engines.bundle import fingerprints, load_bundle, pretrained, write_bundle
from engines.cells import open_cells
from engines.errors import CellsError, InputError
from engines.evaluation import evaluate, figures, predict
from engines.evaluation._channels import parse_channel_map
from engines.evaluation._merge import parse_merges
from tests.support.judged import SHOWN, TRUE, toy_cells
from tests.support.toy import CLASSES, toy_frames, write_toy_bundle

JURKAT = Path(__file__).parents[4] / "shared" / "data" / "jurkat" / "jurkat.npz"


@pytest.fixture(scope="module")
def trained_toy(tmp_path_factory):
    """The toy bundle, with the fingerprint of a `blinding` cell as one it was trained on and a prior."""
    toy = write_toy_bundle(tmp_path_factory.mktemp("toy") / "plain")
    manifest = toy.manifest
    return write_bundle(
        tmp_path_factory.mktemp("trained") / "toy",
        name="toy",
        classes=manifest.classes,
        inputs=manifest.input,
        outputs=manifest.outputs,
        graphs={"fp32": (toy.graph().read_bytes(), 18)},
        seen=fingerprints(toy_frames(np.array([2]))),
        training={"prior": {"dim": 1, "bright": 1, "blinding": 2}},
    )


# Predictions


@pytest.mark.parametrize("n", [0, 1, 31, 32, 33, 97])
def test_every_cell_gets_its_own_prediction(toy_bundle, n):
    shown = np.arange(n) % 3
    told = []
    cells = toy_cells(frames=toy_frames(shown), labels=shown.astype(np.int16))
    found = predict(toy_bundle, cells, progressed=told.append)
    assert found.probabilities.shape == (n, 3)
    assert found.probabilities.argmax(1).tolist() == shown.tolist()
    np.testing.assert_array_equal(found.measurements, toy_frames(shown).mean((2, 3)))
    assert found.embedding.shape == (n, 2)
    assert sum(told) == n


def test_cells_are_brought_to_the_bundle(toy_bundle):
    # Another size, another order of channels with one more, and narrower counts.
    frames = np.zeros((3, 3, 13, 5), np.uint8)
    frames[:, 2] = np.array([100, 101, 102], np.uint8)[:, None, None]
    frames[:, 0] = 7
    found = predict(toy_bundle, toy_cells(frames=frames, channels=("darkfield", "PI", "brightfield")))
    np.testing.assert_allclose(found.measurements, [[100, 7], [101, 7], [102, 7]])


def test_counts_that_do_not_fit_are_refused(toy_bundle):
    with pytest.raises(InputError, match="counts of float32, expected uint16, as the bundle takes, or narrower"):
        predict(toy_bundle, toy_cells(frames=toy_frames(SHOWN).astype(np.float32)))
    with pytest.raises(InputError, match="channels: found a, b, expected brightfield among them"):
        predict(toy_bundle, toy_cells(channels=("a", "b")))


# Evaluations


def test_toy_cells_end_to_end(toy_bundle):
    found = evaluate(toy_bundle, toy_cells(), command="cellgate evaluate toy toy.npz").found
    assert found.figures.confusion == [[30, 5, 0], [0, 25, 0], [0, 0, 30]]
    assert found.figures.accuracy == pytest.approx(85 / 90)
    assert found.made.bundle == "toy"
    assert found.made.bundle_sha256 == toy_bundle.sha256
    assert found.made.cells == "toy.npz"
    assert (found.cells_read, found.unlabelled, found.left_out_seen, found.seen_cells) == (90, 0, 0, None)
    assert (found.groups, found.unknown_classes, found.classes_without_cells) == (None, [], [])


def test_the_figures_are_those_of_the_predictions(toy_bundle):
    cells = toy_cells()
    found = json.loads(evaluate(toy_bundle, cells, merge={"lit": ("bright", "blinding")}).json())["figures"]
    p = predict(toy_bundle, cells).probabilities
    assert found == figures(p, TRUE, CLASSES, merge={"lit": ("bright", "blinding")})


def test_classes_are_matched_by_name(toy_bundle):
    order = ("odd", "blinding", "dim", "never")
    labels = np.array([2, 0, 1], np.int16)[TRUE]  # what is bright is called odd
    labels[:3] = -1
    found = evaluate(toy_bundle, toy_cells(classes=order, labels=labels)).found
    assert found.unlabelled == 3
    assert found.classes_without_cells == ["bright"]
    (odd,) = found.unknown_classes
    assert (odd.name, odd.cells, odd.called) == ("odd", 25, {"bright": 25})
    assert found.figures.cells == 90 - 25 - 3


def test_cells_of_unknown_classes_are_refused_below_the_threshold(toy_bundle):
    # At 550 counts `dim` and `bright` are equally likely; what is known is sure.
    odd = np.full((20, 2, 8, 8), 550, np.uint16)
    cells = toy_cells(
        frames=np.concatenate([toy_frames(SHOWN), odd]),
        classes=(*CLASSES, "odd"),
        labels=np.concatenate([SHOWN, np.full(20, 3)]).astype(np.int16),
    )
    (found,) = evaluate(toy_bundle, cells).found.unknown_classes
    assert found.mean_confidence == pytest.approx(0.5)
    assert found.refused == {"0.01": 1.0, "0.02": 1.0, "0.05": 1.0}


def test_cells_seen_in_training_are_counted_and_left_out(trained_toy):
    found = evaluate(trained_toy, toy_cells()).found
    assert (found.seen_cells, found.left_out_seen) == (30, 0)
    found = evaluate(trained_toy, toy_cells(), unseen_only=True).found
    assert (found.seen_cells, found.left_out_seen, found.figures.cells) == (0, 30, 60)
    assert found.classes_without_cells == ["blinding"]
    with pytest.raises(CellsError, match="none that the bundle has not seen"):
        evaluate(trained_toy, toy_cells().subset(SHOWN == 2), unseen_only=True)


def test_leaving_out_seen_cells_needs_fingerprints(toy_bundle):
    with pytest.raises(InputError, match="seen: found no fingerprints"):
        evaluate(toy_bundle, toy_cells(), unseen_only=True)


def test_the_prior_is_the_bundles_where_it_states_one(trained_toy, toy_bundle):
    mix = {"dim": 1, "bright": 1, "blinding": 2}
    found = evaluate(trained_toy, toy_cells(), class_mix=mix).figures.at_class_mix
    assert found.prior_from == "the bundle"
    assert found.prior == {"dim": 0.25, "bright": 0.25, "blinding": 0.5}
    assert found.recall_weighted.accuracy == pytest.approx(0.25 * 30 / 35 + 0.75)
    assert evaluate(toy_bundle, toy_cells(), class_mix=mix).figures.at_class_mix.prior_from == "the evaluated cells"


def test_groups_have_figures_of_their_own(toy_bundle):
    groups = np.where(np.arange(90) < 30, "monday", "tuesday")
    groups[89] = ""
    found = {g.name: g for g in evaluate(toy_bundle, toy_cells(groups=groups), groups=True).found.groups}
    assert {name: g.cells for name, g in found.items()} == {"": 1, "monday": 30, "tuesday": 59}
    assert found["monday"].accuracy == pytest.approx(25 / 30)
    assert found["monday"].balanced_accuracy == pytest.approx((10 / 15 + 1 + 1) / 3)
    assert found["tuesday"].accuracy == found[""].accuracy == 1.0
    for none in (None, np.full(90, "")):
        with pytest.raises(CellsError, match="groups: found nothing"):
            evaluate(toy_bundle, toy_cells(groups=none), groups=True)


def test_channels_are_renamed(toy_bundle):
    cells = toy_cells(channels=("Ch1", "Ch6"))
    names = parse_channel_map("brightfield=Ch1, darkfield=Ch6")
    assert evaluate(toy_bundle, cells, channel_map=names).figures.accuracy == pytest.approx(85 / 90)
    for text, message in (
        ("brightfield=Ch1", "expected darkfield among them"),
        ("brightfield=Ch2,darkfield=Ch6", "brightfield: found Ch2, expected one of Ch1, Ch6"),
        ("PI=Ch1", "PI: found PI, expected one of brightfield, darkfield"),
    ):
        with pytest.raises(InputError, match=message):
            evaluate(toy_bundle, cells, channel_map=parse_channel_map(text))
    with pytest.raises(InputError, match="distinct names: map the other one too"):
        evaluate(toy_bundle, toy_cells(), channel_map={"brightfield": "darkfield"})


@pytest.mark.parametrize("text", ["", "a", "a=", "=b", "a=b,", "a=b,a=c", "a=b,c=b"])
def test_bad_channel_maps_are_named(text):
    with pytest.raises(InputError, match="--channels-map"):
        parse_channel_map(text)


def test_merges_are_parsed():
    found = parse_merges(["G1, S,G2=Interphase", "Anaphase,Telophase=Late"])
    assert found == {"Interphase": ("G1", "S", "G2"), "Late": ("Anaphase", "Telophase")}
    for texts in (["G1"], ["=x"], ["G1,S="], ["a=x", "b=x"]):
        with pytest.raises(InputError, match="--merge"):
            parse_merges(texts)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": None, "classes": ()}, "labels: found nothing, expected the class of each cell"),
        ({"labels": np.full(90, -1, np.int16)}, "labels: found no labelled cell, expected cells of dim, bright"),
        ({"classes": ("x", "y", "z")}, "labels: found cells of x, y, z, expected cells of dim, bright, blinding"),
    ],
)
def test_cells_that_cannot_be_judged_are_named(toy_bundle, changes, message):
    with pytest.raises(CellsError, match=message):
        evaluate(toy_bundle, toy_cells(**changes))


@pytest.mark.skipif(not JURKAT.exists(), reason="the recorded Jurkat cells are not beside the repository")
def test_unseen_jurkat_cells_give_the_figures_the_bundle_states():
    bundle = load_bundle(pretrained("jurkat"))
    stated = bundle.manifest.metrics["test"]
    evaluation = evaluate(bundle, open_cells(JURKAT), unseen_only=True)
    found = evaluation.figures
    assert found.cells == stated["cells"]
    # Single cells may fall differently on another processor.
    assert found.accuracy == pytest.approx(stated["accuracy"], abs=0.002)
    assert np.abs(np.array(found.confusion) - stated["confusion"]).sum() <= 4
    assert found.ece == pytest.approx(stated["ece"], abs=0.003)
    assert found.nll == pytest.approx(stated["nll"], abs=0.002)
    assert evaluation.found.seen_cells == 0
