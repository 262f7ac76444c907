"""Scores in a copy of an RT-DC file: by the format's convention, and the source never touched."""

import json
import string
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.cells.hdf5 import open_rtdc, write_rtdc_scores
from engines.cells.hdf5._names import score_names
from engines.errors import CellsError, InputError

RTDC = Path(__file__).parents[3].parent / "shared" / "data" / "rtdc"
CLASSES = ("RBC", "leukocyte", "Leu 2")
SCORES = np.random.default_rng(3).dirichlet([1, 1, 1], 12)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "a.rtdc"
    with h5py.File(path, "w") as file:
        file.attrs["setup:software version"] = "ShapeIn 2.0"
        file["events/image"] = np.arange(12 * 6, dtype=np.uint8).reshape(12, 2, 3)
        file["events/deform"] = np.linspace(0, 1, 12)
    return path


def contents(path):
    with h5py.File(path) as file:
        events = {name: file["events"][name][:] for name in file["events"] if name != "trace"}
        log = json.loads(b"\n".join(file["logs/cellgate-scores"][:]))
        return events, dict(file.attrs), log


def test_scores_classes_and_log_are_written(source, tmp_path):
    before = source.read_bytes()
    names = write_rtdc_scores(source, tmp_path / "b.rtdc", SCORES, CLASSES, provenance={"bundle": "abc", "n": 3})
    assert names == {"RBC": "ml_score_rbc", "leukocyte": "ml_score_leu", "Leu 2": "ml_score_le2"}
    events, attributes, log = contents(tmp_path / "b.rtdc")
    for column, name in enumerate(names.values()):
        assert np.array_equal(events[name], SCORES[:, column])
    in_order = sorted(names.values())
    by_name = np.stack([events[name] for name in in_order], axis=1)
    assert np.array_equal(events["ml_class"], by_name.argmax(axis=1))
    assert log["provenance"] == {"bundle": "abc", "n": 3}
    assert log["scores"] == {name: label for label, name in names.items()}
    assert [log["scores"][name] for name in in_order] == [log["ml_class"][str(at)] for at in range(3)]
    assert attributes["user:ml_score_rbc"] == "RBC"
    assert attributes["setup:software version"].startswith("ShapeIn 2.0 | cellgate ")
    assert source.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.rtdc", "b.rtdc"]


def test_what_was_in_the_source_is_in_the_copy(source, tmp_path):
    write_rtdc_scores(source, tmp_path / "b.rtdc", SCORES, CLASSES)
    with open_rtdc(source) as old, open_rtdc(tmp_path / "b.rtdc") as new:
        for before, after in zip(old, new, strict=True):
            assert np.array_equal(before.frame, after.frame)
            assert before.facts.items() <= after.facts.items()
            assert set(after.facts) - set(before.facts) == {"ml_class", "ml_score_rbc", "ml_score_leu", "ml_score_le2"}


def test_events_not_classified_have_class_minus_1(source, tmp_path):
    scores = SCORES.copy()
    scores[4] = np.nan
    write_rtdc_scores(source, tmp_path / "b.rtdc", scores, CLASSES)
    events, _, _ = contents(tmp_path / "b.rtdc")
    assert events["ml_class"][4] == -1
    assert np.isnan(events["ml_score_rbc"][4])
    assert (np.delete(events["ml_class"], 4) >= 0).all()


def test_the_given_classes_are_written(source, tmp_path):
    given = np.arange(12) % 4 - 1
    write_rtdc_scores(source, tmp_path / "b.rtdc", SCORES, CLASSES, given)
    events, _, _ = contents(tmp_path / "b.rtdc")
    # In alphabetical order: le2 (column 2), leu (column 1), rbc (column 0).
    assert events["ml_class"].tolist() == [{-1: -1, 0: 2, 1: 1, 2: 0}[column] for column in given]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"probabilities": SCORES[:11]}, "probabilities"),
        ({"probabilities": SCORES[:, :2]}, "probabilities"),
        ({"probabilities": SCORES * 2}, "probabilities"),
        ({"probabilities": SCORES - 0.5}, "probabilities"),
        ({"classes": ("a", "a", "b")}, "classes"),
        ({"predicted": np.full(12, 3)}, "predicted"),
        ({"predicted": np.zeros(11, int)}, "predicted"),
        ({"predicted": np.zeros(12)}, "predicted"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_written(source, tmp_path, changes, field):
    arguments = {"probabilities": SCORES, "classes": CLASSES, **changes}
    with pytest.raises(InputError) as caught:
        write_rtdc_scores(source, tmp_path / "b.rtdc", **arguments)
    assert caught.value.field == field
    assert [path.name for path in tmp_path.iterdir()] == ["a.rtdc"]


def test_the_source_is_never_the_target(source, tmp_path):
    (tmp_path / "same.rtdc").hardlink_to(source)
    before = source.read_bytes()
    for out in (source, tmp_path / "same.rtdc", tmp_path / "." / "a.rtdc"):
        with pytest.raises(InputError, match="out"):
            write_rtdc_scores(source, out, SCORES, CLASSES, overwrite=True)
    assert source.read_bytes() == before


def test_a_file_is_written_over_only_when_asked(source, tmp_path):
    (tmp_path / "b.rtdc").write_text("mine")
    with pytest.raises(InputError, match="out"):
        write_rtdc_scores(source, tmp_path / "b.rtdc", SCORES, CLASSES)
    assert (tmp_path / "b.rtdc").read_text() == "mine"
    write_rtdc_scores(source, tmp_path / "b.rtdc", SCORES, CLASSES, overwrite=True)
    assert "ml_class" in contents(tmp_path / "b.rtdc")[0]


def test_old_scores_are_replaced_only_when_asked(source, tmp_path):
    write_rtdc_scores(source, tmp_path / "b.rtdc", SCORES, CLASSES)
    with pytest.raises(InputError, match="ml_class"):
        write_rtdc_scores(tmp_path / "b.rtdc", tmp_path / "c.rtdc", SCORES[:, :2], ("x", "y"))
    write_rtdc_scores(tmp_path / "b.rtdc", tmp_path / "c.rtdc", SCORES[:, :2], ("x", "y"), replace=True)
    events, attributes, log = contents(tmp_path / "c.rtdc")
    assert {name for name in events if name.startswith("ml_")} == {"ml_class", "ml_score_x00", "ml_score_y00"}
    assert [name for name in attributes if name.startswith("user:")] == ["user:ml_score_x00", "user:ml_score_y00"]
    assert log["scores"] == {"ml_score_x00": "x", "ml_score_y00": "y"}


def test_nothing_is_written_through_a_link(source, tmp_path):
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file.create_group("logs")
    before = other.read_bytes()
    with h5py.File(source, "r+") as file:
        file["logs"] = h5py.ExternalLink(str(other), "/logs")
    with pytest.raises(CellsError, match="link"):
        write_rtdc_scores(source, tmp_path / "b.rtdc", SCORES, CLASSES)
    assert other.read_bytes() == before
    assert not (tmp_path / "b.rtdc").exists()


def test_what_is_no_rtdc_file_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(CellsError, match="events"):
        write_rtdc_scores(tmp_path / "a.h5", tmp_path / "b.rtdc", SCORES, CLASSES)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(alphabet=string.printable + "äß漢", max_size=6), min_size=1, max_size=30, unique=True))
def test_names_are_distinct_and_of_three_characters(classes):
    names = score_names(classes)
    assert len(set(names)) == len(classes)
    assert all(len(name) == 3 and set(name) <= set("0123456789abcdefghijklmnopqrstuvwxyz") for name in names)
    assert names == score_names(classes)


def test_names_of_many_classes_of_one_beginning_are_distinct():
    assert len(set(score_names([f"cell {number}" for number in range(1000)]))) == 1000


@pytest.mark.skipif(not RTDC.is_dir(), reason="no real RT-DC files here")
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("blood_rbc_leukocytes.rtdc", 18),
        ("dcnum_thresh_example.rtdc", 13),
        ("empty_shapein.rtdc", 0),
        ("example_video.rtdc", 10),
    ],
)
def test_real_files_are_scored(tmp_path, name, count):
    out = tmp_path / name
    write_rtdc_scores(RTDC / name, out, np.full((count, 2), 0.5), ("a", "b"))
    events, _, _ = contents(out)
    assert len(events["ml_class"]) == count
    with open_rtdc(out) as recording:
        assert len(list(recording)) == count
