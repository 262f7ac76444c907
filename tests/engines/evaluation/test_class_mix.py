import math

import numpy as np
import pytest

from engines.errors import InputError
from engines.evaluation import figures, read_class_mix

CLASSES = ("a", "b", "c")
LABELS = np.array([0, 0, 0, 1, 1, 2])
PROBABILITIES = np.array(
    [[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.3, 0.5, 0.2], [0.2, 0.7, 0.1], [0.1, 0.3, 0.6], [0.25, 0.35, 0.4]]
)
MIX = {"a": 1, "b": 2, "c": 1}


def mixed(**options):
    return figures(PROBABILITIES, LABELS, CLASSES, class_mix=MIX, **options)["at_class_mix"]


def test_recalls_are_weighted_by_the_mix():
    found = mixed()
    assert found["mix"] == {"a": 0.25, "b": 0.5, "c": 0.25}
    assert found["recall_weighted"]["accuracy"] == pytest.approx(0.25 * 2 / 3 + 0.5 / 2 + 0.25)
    variance = 0.25**2 * (2 / 9) / 3 + 0.5**2 * (1 / 4) / 2
    assert found["recall_weighted"]["standard_error"] == pytest.approx(math.sqrt(variance))
    low, high = found["recall_weighted"]["accuracy_95"]
    assert low < 2 / 3 < high
    assert (found["covered_share"], found["without_cells"]) == (1.0, [])


def test_probabilities_are_corrected_for_the_mix():
    # The cells were ½, ⅓, ⅙: factors ½, 3/2, 3/2. The second cell, 0.6 to 0.3, turns from a to b.
    found = mixed()
    assert found["prior"] == pytest.approx({"a": 1 / 2, "b": 1 / 3, "c": 1 / 6})
    assert found["prior_from"] == "the evaluated cells"
    assert found["prior_corrected"]["accuracy"] == pytest.approx(0.25 / 3 + 0.25 + 0.25)


def test_a_stated_prior_is_corrected_for_instead():
    found = mixed(prior={"a": 100, "b": 200, "c": 100})
    assert found["prior_from"] == "the bundle"
    assert found["prior_corrected"] == found["recall_weighted"]


def test_merged_classes_keep_the_weights_of_their_members():
    found = figures(PROBABILITIES, LABELS, CLASSES, class_mix=MIX, merge={"bc": ("b", "c")})
    merged = found["merged"]["figures"]["at_class_mix"]
    assert merged["recall_weighted"]["accuracy"] == pytest.approx(0.25 * 2 / 3 + 0.75)
    assert merged["prior_corrected"]["accuracy"] == pytest.approx(0.25 * 1 / 3 + 0.75)
    assert set(merged["mix"]) == set(CLASSES)


def test_within_a_merged_class_members_are_not_weighted_by_how_many_there_are():
    # b, 99 cells, is always taken for a; c, one cell, never. Merged with a, b is right as often as in the mix.
    p = np.array([[0.9, 0.1, 0.0]] * 99 + [[0.1, 0.0, 0.9]] + [[0.2, 0.0, 0.8]])
    labels = np.array([1] * 99 + [2] + [0])
    found = figures(p, labels, CLASSES, class_mix={"a": 0, "b": 1, "c": 3}, merge={"ab": ("a", "b")})
    assert found["merged"]["figures"]["at_class_mix"]["recall_weighted"]["accuracy"] == 1.0
    found = figures(p, labels, CLASSES, class_mix={"a": 1, "b": 1, "c": 2}, merge={"ab": ("a", "b")})
    assert found["merged"]["figures"]["at_class_mix"]["recall_weighted"]["accuracy"] == pytest.approx(0.75)


def test_classes_of_the_mix_without_cells_are_left_out_and_named():
    found = figures(PROBABILITIES[:5], LABELS[:5], CLASSES, class_mix=MIX)["at_class_mix"]
    assert (found["covered_share"], found["without_cells"], found["prior_unknown"]) == (0.75, ["c"], ["c"])
    assert found["recall_weighted"]["accuracy"] == pytest.approx((0.25 * 2 / 3 + 0.5 / 2) / 0.75)
    found = figures(PROBABILITIES[:5], LABELS[:5], CLASSES, class_mix={"a": 0, "b": 0, "c": 3})["at_class_mix"]
    assert (found["covered_share"], found["recall_weighted"], found["prior_corrected"]) == (0.0, None, None)


def test_a_cell_that_can_only_be_of_a_class_that_does_not_come_keeps_its_probabilities():
    found = figures(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0, 1]), ("a", "b"), class_mix={"a": 0, "b": 1})
    assert found["at_class_mix"]["prior_corrected"]["accuracy"] == 1.0


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mix.json", '{"c": 0.5, "a": 2, "b": 0}'),
        ("mix.json", '\ufeff{"c": 0.5, "a": 2, "b": 0}'),
        ("mix.toml", "a = 2\nb = 0\nc = 0.5\n"),
        ("mix.TOML", '"a" = 2\nb = 0.0\nc = 0.5\n'),
    ],
)
def test_a_mix_is_read_from_json_or_toml(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    assert list(read_class_mix(path, CLASSES).items()) == [("a", 2.0), ("b", 0.0), ("c", 0.5)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "class mix: found Expecting value"),
        ("[1, 2]", "class mix: found list, expected a number for each class"),
        ('{"a": 1, "b": 1, "c": 1, "d": 1}', "class: found d, expected one of a, b, c"),
        ('{"a": 1, "b": 1}', "c: found nothing, expected a count or share; 0 for a class that does not come"),
        ('{"a": 1, "b": 1, "c": -1}', "c: found -1, expected a count or share of 0 or more"),
        ('{"a": 1, "b": 1, "c": NaN}', "c: found nan"),
        ('{"a": 1, "b": 1, "c": Infinity}', "c: found inf"),
        ('{"a": 1, "b": 1, "c": true}', "c: found True"),
        ('{"a": 1, "b": 1, "c": "1"}', "c: found 1,"),
        ('{"a": 1, "b": 1, "c": null}', "c: found None"),
        ('{"a": 1, "b": 1, "c": 1' + "0" * 400 + "}", "c: found 1000"),
        ('{"a": 0, "b": 0, "c": 0}', "0 for every class"),
        ('{"a": 1, "a": 2, "b": 0, "c": 0}', "a class named twice"),
        ("[" * 100_000, "class mix: found"),
        (" " * (1 << 20) + "{}", "size: found over 1 MiB"),
    ],
)
def test_bad_mixes_are_named(tmp_path, text, message):
    path = tmp_path / "mix.json"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_class_mix(path, CLASSES)
    assert str(path) in str(caught.value)


def test_files_that_are_no_mix_are_named(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        read_class_mix(tmp_path / "none.json", CLASSES)
    with pytest.raises(InputError, match="directory"):
        read_class_mix(tmp_path, CLASSES)
    (tmp_path / "a.toml").write_text("a = = 1")
    with pytest.raises(InputError, match="expected TOML with a number for each class"):
        read_class_mix(tmp_path / "a.toml", CLASSES)
    (tmp_path / "b.json").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="expected JSON with a number for each class"):
        read_class_mix(tmp_path / "b.json", CLASSES)
