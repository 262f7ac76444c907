import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.errors import InputError
from engines.training import folds, split


@given(st.integers(0, 2**32 - 1), st.integers(4, 12), st.integers(2, 5))
@settings(max_examples=60, deadline=None)
def test_no_group_is_in_two_parts_and_every_cell_in_one(seed, groups, classes):
    random = np.random.default_rng(seed)
    names = np.array([f"plate {k}" for k in range(groups)])
    group = names[np.arange(groups * classes * 4) % groups]
    labels = random.integers(0, classes, len(group))
    labels[random.random(len(labels)) < 0.1] = -1
    try:
        parts = split(labels, validation=0.2, test=0.2, seed=seed, groups=group)
    except InputError as error:
        assert "held out" in str(error)
        return
    where = (parts.train, parts.validation, parts.test)
    assert np.array_equal(np.sort(np.concatenate(where)), np.flatnonzero(labels >= 0))
    held = [set(group[part]) for part in where]
    assert not held[0] & held[1] | held[0] & held[2] | held[1] & held[2]
    assert all(held)
    assert set(labels[parts.train]) == set(labels[labels >= 0])


def test_groups_come_near_the_shares_asked_for():
    random = np.random.default_rng(0)
    group = np.repeat([f"day {k}" for k in range(30)], random.integers(20, 60, 30))
    labels = random.integers(0, 3, len(group))
    parts = split(labels, validation=0.1, test=0.2, seed=1, groups=group)
    shares = np.array([len(parts.train), len(parts.validation), len(parts.test)]) / len(labels)
    assert shares == pytest.approx([0.7, 0.1, 0.2], abs=0.05)


def test_too_few_groups_are_refused_by_name():
    labels, group = np.array([0, 1] * 6), np.array(["a", "b"] * 6)
    with pytest.raises(InputError, match="groups: found 2 groups, expected 3 or more"):
        split(labels, validation=0.1, test=0.2, seed=0, groups=group)
    with pytest.raises(InputError, match="folds: found 5, expected at most 2, the number of groups"):
        folds(labels, 5, 0, group)
    with pytest.raises(InputError, match="folds: found 13, expected at most 12, the number of labelled cells"):
        folds(labels, 13, 0)


def test_classes_that_each_have_one_group_cannot_be_held_out():
    labels = np.repeat([0, 1, 2], 10)
    groups = np.array(["a", "b", "c"])[labels]
    with pytest.raises(InputError, match=r"class (fine|small|torn) only in groups that were held out"):
        split(labels, validation=0.25, test=0.25, seed=0, groups=groups, classes=("fine", "small", "torn"))
    with pytest.raises(InputError, match=r"class number \d only in groups that were held out"):
        split(labels, validation=0.25, test=0.25, seed=0, groups=groups)


@given(st.integers(0, 2**32 - 1), st.integers(2, 7))
@settings(max_examples=40, deadline=None)
def test_folds_spread_every_class_evenly(seed, count):
    labels = np.random.default_rng(seed).integers(-1, 4, 200)
    found = folds(labels, count, seed)
    assert np.array_equal(found < 0, labels < 0)
    for label in range(4):
        sizes = np.bincount(found[labels == label], minlength=count)
        assert sizes.max() - sizes.min() <= 1


def test_group_folds_keep_groups_whole():
    group = np.repeat([f"donor {k}" for k in range(9)], 11)
    labels = np.arange(99) % 3
    found = folds(labels, 4, 7, group)
    assert set(found) == {0, 1, 2, 3}
    assert all(len(set(found[group == name])) == 1 for name in set(group))
