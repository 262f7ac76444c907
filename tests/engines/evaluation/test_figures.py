import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.errors import InputError
from engines.evaluation import figures
from engines.evaluation._abstention import abstention
from engines.evaluation._interval import normal, weighted, wilson

CLASSES = ("a", "b", "c")
LABELS = np.array([0, 0, 0, 1, 1, 2])
PROBABILITIES = np.array(
    [[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.3, 0.5, 0.2], [0.2, 0.7, 0.1], [0.1, 0.3, 0.6], [0.25, 0.35, 0.4]]
)


def by_name(found):
    return {c["name"]: c for c in found["per_class"]}


# By hand


def test_counts_and_shares_of_six_cells():
    found = figures(PROBABILITIES, LABELS, CLASSES)
    assert found["classes"] == ["a", "b", "c"]
    assert found["cells"] == 6
    assert found["confusion"] == [[2, 1, 0], [0, 1, 1], [0, 0, 1]]
    assert found["confusion_normalised"] == [[pytest.approx(2 / 3), pytest.approx(1 / 3), 0], [0, 0.5, 0.5], [0, 0, 1]]
    assert found["accuracy"] == pytest.approx(4 / 6)
    assert found["balanced_accuracy"] == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert found["recall"] == {"a": pytest.approx(2 / 3), "b": 0.5, "c": 1.0}
    classes = by_name(found)
    assert [classes[k]["precision"] for k in CLASSES] == [1.0, 0.5, 0.5]
    assert [classes[k]["f1"] for k in CLASSES] == pytest.approx([0.8, 0.5, 2 / 3])
    assert [classes[k]["cells"] for k in CLASSES] == [3, 2, 1]
    assert [classes[k]["predicted"] for k in CLASSES] == [2, 2, 2]
    assert found["macro_f1"] == pytest.approx((0.8 + 0.5 + 2 / 3) / 3)
    assert found["merged"] is None
    assert found["at_class_mix"] is None


def test_probability_figures_of_six_cells():
    found = figures(PROBABILITIES, LABELS, CLASSES)
    assert found["nll"] == pytest.approx(-sum(math.log(p) for p in (0.8, 0.6, 0.3, 0.7, 0.3, 0.4)) / 6)
    assert found["brier"] == pytest.approx((0.06 + 0.26 + 0.78 + 0.14 + 0.86 + 0.545) / 6)
    # Fifteen bins: 0.8, 0.7, 0.5 and 0.4 lie alone, both 0.6 share a bin in which one of two is right.
    assert found["ece"] == pytest.approx((0.2 + 0.3 + 2 * abs(0.6 - 0.5) + 0.5 + 0.6) / 6)
    assert [b["cells"] for b in found["reliability"] if b["cells"]] == [1, 1, 2, 1, 1]
    assert len(found["reliability"]) == 15
    b = by_name(found)["b"]
    assert b["roc_auc"] == pytest.approx(5.5 / 8)
    assert b["average_precision"] == pytest.approx(0.5 * 1 + 0.5 * 2 / 5)


def test_intervals_of_six_cells():
    found = figures(PROBABILITIES, LABELS, CLASSES)
    assert found["error"] == pytest.approx(1 / 3)
    assert found["error_half_width_95"] == pytest.approx(1.96 * math.sqrt(1 / 3 * 2 / 3 / 6))
    assert found["accuracy_95"]["normal"] == pytest.approx([2 / 3 - 0.3772, 1.0], abs=1e-4)
    assert found["accuracy_95"]["wilson"] == pytest.approx([0.29999, 0.90323], abs=1e-5)


def test_intervals_at_the_edges():
    assert normal(1.0, 2) == (1.0, 1.0)
    low, high = wilson(2, 2)
    assert high == 1.0
    assert low == pytest.approx(2 / (2 + 1.96**2))
    assert wilson(0, 5) == (0.0, pytest.approx(1.96**2 / (5 + 1.96**2)))
    # Of one class alone the way of putting intervals together gives Wilson's back.
    assert weighted(np.ones(1), np.array([7]), np.array([9])) == pytest.approx(wilson(7, 9))
    # Two classes of like counts: each side is shorter by √2.
    both = weighted(np.full(2, 0.5), np.array([7, 7]), np.array([9, 9]))
    assert 7 / 9 - both[0] == pytest.approx((7 / 9 - wilson(7, 9)[0]) / math.sqrt(2))


def test_abstention_of_six_cells():
    found = abstention(PROBABILITIES.max(1), PROBABILITIES.argmax(1) == LABELS, (0.25, 0.0))
    assert [(p.threshold, p.decided, p.error) for p in found.curve] == [
        (0.8, 1, 0), (0.7, 2, 0), (0.6, 4, 0.25), (0.5, 5, 0.4), (0.4, 6, pytest.approx(1 / 3)),
    ]  # fmt: skip
    # Of the two cells at 0.6 one is wrong, either of them first: half an error among the three surest.
    assert found.area == pytest.approx((0 + 0 + 0.5 / 3 + 1 / 4 + 2 / 5 + 2 / 6) / 6)
    quarter, none = found.suggested
    assert (quarter.threshold, quarter.decided, quarter.coverage, quarter.error) == (0.6, 4, pytest.approx(4 / 6), 0.25)
    assert quarter.error_95 == pytest.approx(wilson(1, 4))
    assert quarter.assured_threshold is None
    assert (none.threshold, none.decided) == (0.7, 2)


def test_a_threshold_is_assured_where_cells_are_many():
    found = abstention(np.linspace(1.0, 0.5, 1000), np.arange(1000) < 900, (0.01,)).suggested[0]
    assert (found.decided, found.error) == (909, pytest.approx(9 / 909))
    assert 900 <= found.assured_decided < 909
    assert wilson(found.assured_decided - 900, found.assured_decided)[1] <= 0.01
    assert wilson(found.assured_decided + 1 - 900, found.assured_decided + 1)[1] > 0.01


def test_no_threshold_where_the_surest_cell_is_wrong():
    found = figures(np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([1, 0]), ("a", "b"))
    for s in found["abstention"]["suggested"]:
        assert (s["threshold"], s["decided"], s["coverage"], s["error"]) == (None, 0, 0.0, None)


def test_classes_without_cells_or_never_called_have_no_shares():
    found = figures(np.array([[0.9, 0.1, 0.0], [0.8, 0.2, 0.0]]), np.array([0, 1]), CLASSES)
    a, b, c = (by_name(found)[k] for k in CLASSES)
    assert (b["precision"], b["precision_95"], b["recall"], b["f1"]) == (None, None, 0.0, 0.0)
    assert all(c[key] is None for key in ("precision", "recall", "recall_95", "f1", "roc_auc", "average_precision"))
    assert found["confusion_normalised"][2] is None
    assert found["recall"]["c"] is None
    assert found["balanced_accuracy"] == 0.5
    assert found["macro_f1"] == pytest.approx((a["f1"] + 0) / 2)


def test_merged_figures_by_hand():
    merged = figures(PROBABILITIES, LABELS, CLASSES, merge={"bc": ("b", "c")})["merged"]
    assert merged["merge"] == {"bc": ["b", "c"]}
    assert merged["figures"]["classes"] == ["a", "bc"]
    assert merged["figures"]["confusion"] == [[2, 1], [0, 3]]
    assert merged["accuracy_of_decisions"] == pytest.approx(5 / 6)
    assert merged["figures"]["nll"] == pytest.approx(-sum(map(math.log, (0.8, 0.6, 0.3, 0.8, 0.9, 0.75))) / 6)


def test_summing_probabilities_can_turn_a_right_decision():
    # The two merged classes together outweigh the right one: the sum decides, and the merged decision says otherwise.
    found = figures(np.array([[0.4, 0.3, 0.3]]), np.array([0]), CLASSES, merge={"bc": ("b", "c")})
    assert found["accuracy"] == 1.0
    assert found["merged"]["figures"]["accuracy"] == 0.0
    assert found["merged"]["accuracy_of_decisions"] == 1.0


# Against scikit-learn


@pytest.mark.parametrize("decimals", [12, 1])
def test_figures_agree_with_scikit_learn(decimals):
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    generator = np.random.default_rng(3)
    labels = generator.integers(0, 4, 300)
    p = generator.dirichlet(np.ones(4), 300)
    p[np.arange(300), labels] += 0.4
    p = np.round(p / p.sum(1, keepdims=True), decimals)  # one decimal: many scores tie
    p /= p.sum(1, keepdims=True)
    found = figures(p, labels, ("a", "b", "c", "d"))
    called = p.argmax(1)
    assert found["confusion"] == metrics.confusion_matrix(labels, called).tolist()
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(labels, called))
    assert found["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(labels, called))
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(labels, called, average="macro"))
    if p.min() > 0:
        assert found["nll"] == pytest.approx(metrics.log_loss(labels, p))
    precision, recall, f1, support = metrics.precision_recall_fscore_support(labels, called)
    for k, c in enumerate(found["per_class"]):
        assert (c["precision"], c["recall"], c["f1"]) == pytest.approx((precision[k], recall[k], f1[k]))
        assert c["cells"] == support[k]
        assert c["roc_auc"] == pytest.approx(metrics.roc_auc_score(labels == k, p[:, k]))
        assert c["average_precision"] == pytest.approx(metrics.average_precision_score(labels == k, p[:, k]))
    brier = sum(metrics.brier_score_loss(labels == k, p[:, k]) for k in range(4))
    assert found["brier"] == pytest.approx(brier)


# For any cells


@st.composite
def cases(draw):
    k, n = draw(st.integers(2, 5)), draw(st.integers(1, 40))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    p = generator.dirichlet(np.full(k, draw(st.sampled_from([0.1, 1.0, 5.0]))), n)
    return p, generator.integers(0, k, n), tuple(f"class {i}" for i in range(k))


@given(cases())
@settings(max_examples=60, deadline=None)
def test_figures_of_any_cells_hang_together(case):
    p, labels, classes = case
    found = figures(p, labels, classes)
    json.dumps(found, allow_nan=False)
    n = len(labels)
    assert sum(map(sum, found["confusion"])) == n
    assert [sum(row) for row in found["confusion"]] == np.bincount(labels, minlength=len(classes)).tolist()
    assert found["accuracy"] == pytest.approx(sum(found["confusion"][k][k] for k in range(len(classes))) / n)
    assert sum(b["cells"] for b in found["reliability"]) == n
    assert 0 <= found["ece"] <= 1
    assert 0 <= found["brier"] <= 2
    low, high = found["accuracy_95"]["wilson"]
    assert 0 <= low <= found["accuracy"] <= high <= 1
    low, high = found["balanced_accuracy_95"]
    assert 0 <= low <= found["balanced_accuracy"] <= high <= 1


@given(cases())
@settings(max_examples=60, deadline=None)
def test_the_curve_of_any_cells_falls_with_the_threshold(case):
    p, labels, classes = case
    found = figures(p, labels, classes)["abstention"]
    thresholds = [point["threshold"] for point in found["curve"]]
    decided = [point["decided"] for point in found["curve"]]
    assert thresholds == sorted(set(thresholds), reverse=True)
    assert decided == sorted(set(decided))
    assert decided[-1] == len(labels)
    assert found["curve"][-1]["error"] == pytest.approx(1 - figures(p, labels, classes)["accuracy"])
    assert 0 <= found["area"] <= 1
    for s in found["suggested"]:
        if s["threshold"] is not None:
            kept = p.max(1) >= s["threshold"]
            assert kept.sum() == s["decided"]
            assert (p.argmax(1) != labels)[kept].mean() == pytest.approx(s["error"])
            assert s["error"] <= s["wanted_error"] + 1e-12
            assert s["assured_coverage"] <= s["coverage"]


@given(cases(), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_the_order_of_classes_and_cells_does_not_matter(case, seed):
    p, labels, classes = case
    generator = np.random.default_rng(seed)
    order, rows = generator.permutation(len(classes)), generator.permutation(len(labels))
    where = np.argsort(order)
    found = figures(p, labels, classes)
    turned = figures(p[rows][:, order], where[labels[rows]], [classes[k] for k in order])
    assert np.array_equal(np.array(found["confusion"])[order][:, order], turned["confusion"])
    for key in ("accuracy", "balanced_accuracy", "macro_f1", "ece", "nll", "brier"):
        assert turned[key] == pytest.approx(found[key])
    assert turned["abstention"]["area"] == pytest.approx(found["abstention"]["area"])
    mine, theirs = by_name(found), by_name(turned)
    for name in classes:
        for key, value in mine[name].items():
            assert theirs[name][key] == (value if isinstance(value, str | None) else pytest.approx(value)), key


@given(cases())
@settings(max_examples=60, deadline=None)
def test_merging_decisions_never_costs_accuracy(case):
    p, labels, classes = case
    if len(classes) < 3:
        return
    found = figures(p, labels, classes, merge={"both": classes[:2]})
    assert found["merged"]["accuracy_of_decisions"] >= found["accuracy"]
    summed = np.stack([p[:, 0] + p[:, 1], *p[:, 2:].T], axis=1)
    again = figures(summed, np.maximum(labels - 1, 0), ("both", *classes[2:]))
    assert found["merged"]["figures"]["confusion"] == again["confusion"]
    assert found["merged"]["figures"]["ece"] == pytest.approx(again["ece"])


# What is refused


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"probabilities": PROBABILITIES[:0], "labels": LABELS[:0]}, "probabilities: found float64 \\(0, 3\\)"),
        ({"probabilities": PROBABILITIES[:, :2]}, "floats of shape \\(n, 3\\)"),
        ({"probabilities": PROBABILITIES * 2}, "rows that sum to 2 to 2"),
        ({"probabilities": np.full((6, 3), np.nan)}, "rows that sum to nan"),
        ({"labels": LABELS[:5]}, "integers of shape \\(6,\\)"),
        ({"labels": LABELS.astype(float)}, "labels: found float64"),
        ({"labels": LABELS + 1}, "labels: found 1 to 3, expected 0 to 2"),
        ({"labels": LABELS - 1}, "labels: found -1 to 1"),
        ({"classes": ("a", "b", "b")}, "distinct names"),
        ({"merge": {"x": ("a", "d")}}, "merge x: found d, expected one of a, b, c"),
        ({"merge": {"x": ("a",), "y": ("a", "b")}}, "each class in one merge, once"),
        ({"merge": {"c": ("a", "b")}}, "a name that is no other class's"),
        ({"merge": {"x": ("a", "b", "c")}}, "two classes or more left"),
    ],
)
def test_what_makes_no_sense_is_named(change, message):
    given = {"probabilities": PROBABILITIES, "labels": LABELS, "classes": CLASSES} | change
    with pytest.raises(InputError, match=message):
        figures(given.pop("probabilities"), given.pop("labels"), given.pop("classes"), **given)
