"""What a gate may be drawn over, and what is said of anything else."""

import numpy as np
import pytest

from engines.backends import Predictions
from engines.bundle import InputSpec, Manifest, OutputSpec
from engines.errors import InputError
from streamer.config import Bound, DecisionSection, GateSection, Polygon
from streamer.decision import Gates, Spec, check_abstention, decide
from streamer.decision._features import Features
from streamer.vocabulary import Reason

SPEC = Spec(("G1", "G2", "M"), 4, ("bf:area", "bf:mean", "unfamiliarity"))
BARE = Spec(("G1", "G2", "M"), 4, ("bf:area",))


@pytest.fixture
def predictions():
    rng = np.random.default_rng(0)
    return Predictions(
        rng.dirichlet(np.ones(3), 50).astype(np.float32),
        rng.normal(size=(50, 4)).astype(np.float32),
        rng.normal(size=(50, 3)).astype(np.float32),
        0.0,
    )


def test_every_feature_is_what_its_name_says(predictions):
    p = predictions.probabilities
    top, second = np.sort(p, axis=1)[:, ::-1][:, :2].T
    expected = {
        "margin": top - second,
        "embedding[3]": predictions.embedding[:, 3],
        "unfamiliarity": predictions.measurements[:, 2],
        "G1": p[:, 0],
        "class[G1+M]": np.isin(p.argmax(axis=1), (0, 2)),
        "G1 + M": p[:, 0] + p[:, 2],
        "bf:mean": predictions.measurements[:, 1],
        "class[M]": p.argmax(axis=1) == 2,
        "top": top,
        "embedding[0]": predictions.embedding[:, 0],
    }
    features = Features(dict.fromkeys(expected, ("g", "where")), SPEC)
    values = features(predictions)
    assert values.dtype == np.float32
    for name, column in expected.items():
        assert np.array_equal(values[:, features.column[name]], column.astype(np.float32)), name


def test_a_nan_among_the_probabilities_leaves_no_top_class():
    p = np.array([[0.2, np.nan, 0.8]], np.float32)
    gates = Gates(
        [GateSection("g", "left", classes=("G1", "G2", "M")), GateSection("h", "left", {"top": Bound(0.0)})], BARE
    )
    assert not gates.member(p).any()


def test_classes_and_bounds_must_both_hold():
    gates = Gates([GateSection("g", "left", {"margin": Bound(0.25)}, classes=("G1", "M"))], SPEC)
    rows = np.array([[0.75, 0.25, 0], [0.5, 0.375, 0.125], [0, 0.75, 0.25], [0, 0.25, 0.75]], np.float32)
    assert gates.assign(rows).tolist() == [0, -1, -1, 0]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("embedding[4]", r"an axis the bundle has: embedding\[0\] to embedding\[3\]"),
        ("embedding[-1]", "an axis the bundle has"),
        ("embedding[x]", "an axis the bundle has"),
        ("bf:volume", "one of the bundle's measurements: bf:area"),
        ("S", "one of G1, G2, M, top, margin"),
        ("class[G1+S]", "one of G1, G2, M"),
        ("class[]", "one of G1, G2, M"),
        ("unfamiliarity", "a bundle with a measurement named unfamiliarity; this one's are: bf:area"),
    ],
)
def test_a_feature_the_bundle_does_not_have_is_named(name, expected):
    with pytest.raises(InputError, match=f"gate g: where: found .*, expected {expected}"):
        Gates([GateSection("g", "left", {name: Bound(0.5)})], BARE)
    with pytest.raises(InputError, match=f"gate p: polygon: found .*, expected {expected}"):
        Gates([GateSection("p", "left", polygon=Polygon("G1", name, ((0, 0), (1, 0), (1, 1))))], BARE)


def test_a_class_that_is_not_there_is_named_in_classes():
    with pytest.raises(InputError, match="gate g: classes: found S, expected one of G1, G2, M"):
        Gates([GateSection("g", "left", classes=("G1", "S"))], BARE)


def test_a_manifest_is_as_good_as_a_spec(predictions):
    manifest = Manifest(
        "cellgate-bundle",
        1,
        "toy",
        "",
        SPEC.classes,
        InputSpec(("bf",), "uint16", 8, 8),
        OutputSpec(SPEC.embedding, SPEC.measurements),
        (),
    )
    gates = [GateSection("g", "left", {"bf:area": Bound(0.0)})]
    assert Gates(gates, manifest).spec == SPEC
    assert np.array_equal(Gates(gates, manifest).assign(predictions), Gates(gates, SPEC).assign(predictions))


def test_a_cell_beyond_the_limit_is_unfamiliar_after_late_and_uncertain():
    p = np.array([[0.75, 0.25, 0]] * 5 + [[0.5, 0.5, 0]] + [[0, 1, 0]], np.float32)
    unfamiliarity = [1.0, 1.0001, np.nan, 0.5, 2.0, 2.0, 2.0]
    measurements = np.zeros((7, 3), np.float32)
    measurements[:, 2] = unfamiliarity
    cells = Predictions(p, np.zeros((7, 4), np.float32), measurements, 0.0)
    gates = Gates([GateSection("g", "left", {"G1": Bound(0.1)})], SPEC)
    in_time = np.array([True, True, True, True, False, True, True])
    verdicts = decide(cells, in_time, gates, min_confidence=0.625, armed=True, max_unfamiliarity=1.0)
    assert [Reason(r).label for r in verdicts.reason] == [
        "kept",
        "unfamiliar",
        "unfamiliar",
        "kept",
        "late",
        "uncertain",
        "unfamiliar",
    ]
    assert (verdicts.way > 0).tolist() == (verdicts.reason == Reason.KEPT).tolist()
    unlimited = decide(cells, in_time, gates, min_confidence=0.625, armed=True)
    assert Reason.UNFAMILIAR not in unlimited.reason
    blind = decide(p, None, gates, min_confidence=0.625, armed=True, max_unfamiliarity=1.0)
    assert not blind.way.any()


def test_a_limit_on_what_the_bundle_does_not_measure_is_refused():
    section = DecisionSection(max_unfamiliarity=3.0)
    check_abstention(section, SPEC)
    check_abstention(DecisionSection(), BARE)
    with pytest.raises(InputError, match=r"decision\.max_unfamiliarity: found 3\.0, expected .*named unfamiliarity"):
        check_abstention(section, BARE)
