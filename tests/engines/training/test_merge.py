import numpy as np
import pytest

from engines.cells import Cells
from engines.errors import InputError
from engines.evaluation import parse_merges
from engines.training._merge import merge

LABELS = np.array([-1, 0, 1, 2, 3, 0], np.int16)
CELLS = Cells("phases", np.zeros((6, 1, 4, 4), np.uint8), ("a",), ("G1", "S", "M", "G2"), LABELS)


def test_merged_classes_stand_where_the_first_of_them_stood():
    merged = merge(CELLS, parse_merges(["G1, S,G2=Interphase"]))
    assert merged.classes == ("Interphase", "M")
    assert merged.labels.tolist() == [-1, 0, 0, 1, 0, 0]
    assert merge(CELLS, {}) is CELLS
    assert merge(CELLS, parse_merges(["M=Mitosis"])).classes == ("G1", "S", "Mitosis", "G2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("G1,S", "merge: found G1,S, expected A,B=NAME"),
        ("G1,G3=I", "merge I: found G3, expected one of G1, S, M, G2"),
        ("G1,G1=I", "merge I: found G1, expected each class in one merge, once"),
    ],
)
def test_merges_that_cannot_be_are_one_line(text, message):
    with pytest.raises(InputError, match=message):
        merge(CELLS, parse_merges([text]))
