"""The type of recorded cells, and opening them by name."""

import numpy as np
import pytest

from engines.cells import Cells, open_cells
from engines.errors import CellsError, InputError

FRAMES = np.arange(4 * 3 * 2 * 2, dtype=np.uint16).reshape(4, 3, 2, 2)
CELLS = Cells("test", FRAMES, ("a", "b", "c"), ("x", "y"), np.array([0, 1, -1, 1], np.int16))


def test_the_length_is_the_number_of_cells():
    assert len(CELLS) == 4


@pytest.mark.parametrize("where", [np.array([2, 0]), np.array([True, False, True, False])])
def test_a_subset_keeps_frames_and_labels_together(where):
    part = CELLS.subset(where)
    assert np.array_equal(part.frames, FRAMES[where])
    assert part.labels.tolist() == CELLS.labels[where].tolist()
    assert (part.name, part.channels, part.classes) == ("test", ("a", "b", "c"), ("x", "y"))


def test_a_subset_of_unlabelled_cells_is_unlabelled():
    assert Cells("test", FRAMES, ("a", "b", "c")).subset(np.array([1])).labels is None


def test_channels_are_selected_by_name_in_the_order_asked_for():
    assert np.array_equal(CELLS.select(("c", "a")), FRAMES[:, [2, 0]])
    assert CELLS.select(("a", "b", "c")) is FRAMES


def test_a_channel_that_is_not_there_is_named():
    with pytest.raises((KeyError, InputError), match="nope"):
        CELLS.select(("a", "nope"))


def test_digital_cells_are_rendered_in_the_number_asked_for():
    cells = open_cells("digital:10")
    assert len(cells) == 10
    assert cells.labels is not None
    assert np.array_equal(cells.frames, open_cells("digital:10", seed=0).frames)
    assert not np.array_equal(cells.frames, open_cells("digital:10", seed=1).frames)


@pytest.mark.parametrize("n", ["0", "0000000", "1000001", "9999999"])
def test_a_number_of_digital_cells_that_cannot_be_is_refused(n):
    with pytest.raises(InputError, match=r"digital:N: found \d+, expected 1 to 1000000"):
        open_cells(f"digital:{n}")


@pytest.mark.parametrize("source", ["digital:", "digital:ten", "digital:-1", "digital:12345678", "digital: 5", "other"])
def test_whatever_else_is_a_file_that_is_not_there(source):
    with pytest.raises(InputError) as caught:
        open_cells(source)
    assert source in str(caught.value)


def test_a_file_is_opened_by_its_path(tmp_path):
    np.savez(tmp_path / "c.npz", frames=FRAMES, channels=np.array(["a", "b", "c"]))
    assert np.array_equal(open_cells(tmp_path / "c.npz").frames, FRAMES)
    assert open_cells(str(tmp_path / "c.npz")).channels == ("a", "b", "c")
    with pytest.raises(CellsError):
        open_cells(tmp_path / "nothing.npz")
