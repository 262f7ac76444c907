"""Cells written are the cells read again."""

import numpy as np
import pytest

from engines.cells import Cells, open_recording, read_npz, write_npz
from engines.errors import InputError
from tests.support.made_cells import MadeRecording, constant

FRAMES = np.random.default_rng(2).integers(0, 4096, (30, 2, 8, 8)).astype(np.uint16)
CELLS = Cells(
    "test",
    FRAMES,
    ("bf", "df"),
    ("a", "b"),
    (np.arange(30) % 3 - 1).astype(np.int16),
    np.array([f"flask {i % 4}" for i in range(30)]),
    0.33,
)


@pytest.mark.parametrize("compress", [False, True])
def test_everything_comes_back(tmp_path, compress):
    write_npz(CELLS, tmp_path / "c.npz", compress=compress)
    again = read_npz(tmp_path / "c.npz")
    assert np.array_equal(again.frames, FRAMES)
    assert (again.channels, again.classes, again.pixel_um) == (CELLS.channels, CELLS.classes, CELLS.pixel_um)
    assert again.labels.tolist() == CELLS.labels.tolist()
    assert again.groups.tolist() == CELLS.groups.tolist()
    assert [path.name for path in tmp_path.iterdir()] == ["c.npz"]


def test_the_same_cells_give_the_same_bytes(tmp_path):
    for name in ("1", "2"):
        write_npz(CELLS, tmp_path / name, compress=True)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()


def test_cells_without_labels_stay_without(tmp_path):
    write_npz(Cells("test", FRAMES, ("bf", "df")), tmp_path / "c.npz")
    again = read_npz(tmp_path / "c.npz")
    assert (again.labels, again.classes, again.groups, again.pixel_um) == (None, (), None, None)


@pytest.mark.parametrize("memory", [None, 100])
def test_a_recording_of_different_sizes_is_written_at_one(tmp_path, memory):
    recording = MadeRecording(
        [constant(i, 5 + i % 4, 7) for i in range(40)], labels=[0] * 20 + [1] * 20, classes=("x", "y")
    )
    written = write_npz(recording, tmp_path / "c.npz", memory=memory)
    again = read_npz(tmp_path / "c.npz")
    assert again.frames.shape == (40, 2, 8, 8)
    assert np.array_equal(again.frames, written.frames)
    assert again.frames[:, 0, 4, 4].tolist() == list(range(40))
    assert again.labels.tolist() == [0] * 20 + [1] * 20
    assert [path.name for path in tmp_path.iterdir()] == ["c.npz"]


def test_what_is_written_is_not_compressed_and_opens_cell_by_cell(tmp_path):
    write_npz(CELLS, tmp_path / "c.npz")
    with open_recording(tmp_path / "c.npz") as recording:
        assert recording.about["compressed"] == "no"
        assert np.array_equal(recording[17].frame, FRAMES[17])


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere/c\.npz: file"):
        write_npz(CELLS, tmp_path / "nowhere" / "c.npz")
