import numpy as np
import pytest

from engines.errors import InputError
from engines.training import Recipe, split


def labels():
    return np.random.default_rng(1).permutation(np.repeat([0, 1, 2, -1], [700, 200, 10, 30]))


def test_parts_are_disjoint_and_hold_every_labelled_cell():
    y = labels()
    parts = split(y, validation=0.1, test=0.2, seed=3)
    together = np.concatenate((parts.train, parts.validation, parts.test))
    assert len(np.unique(together)) == len(together) == 910
    assert set(together) == set(np.flatnonzero(y >= 0))


def test_every_class_keeps_its_share():
    y = labels()
    parts = split(y, validation=0.1, test=0.2, seed=3)
    for part, counts in ((parts.train, [490, 140, 7]), (parts.validation, [70, 20, 1]), (parts.test, [140, 40, 2])):
        assert np.bincount(y[part], minlength=3).tolist() == counts


def test_seed_names_the_split():
    y = labels()
    first, again, other = (split(y, validation=0.1, test=0.2, seed=s) for s in (3, 3, 4))
    assert np.array_equal(first.test, again.test)
    assert not np.array_equal(first.test, other.test)


def test_rarest_classes_stay_in_training():
    parts = split(np.array([0, 1, 1, 2, 2, 2]), validation=0.5, test=0.49, seed=0)
    assert set(np.array([0, 1, 1, 2, 2, 2])[parts.train]) == {0, 1, 2}


def test_no_labels_give_empty_parts():
    parts = split(np.full(5, -1), validation=0.1, test=0.2, seed=0)
    assert len(parts.train) == len(parts.validation) == len(parts.test) == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0),
        ("batch", 1),
        ("learning_rate", 0.0),
        ("warmup", 1.0),
        ("clip", 0.0),
        ("validation", 1.0),
        ("test", 0.95),
    ],
)
def test_recipe_names_the_number_that_cannot_be(field, value):
    with pytest.raises(InputError, match=f"recipe: {field}: found"):
        Recipe(**{field: value})
