"""Cells of any sizes become one array: the right size, the right cells, and no more memory than allowed."""

import numpy as np
import pytest

from engines.cells import gather, open_npz
from engines.errors import CellsError, InputError
from engines.fit import fit_frames
from tests.support.made_cells import MadeRecording, constant


def sizes(*sides, **options):
    return MadeRecording([constant(i, h, w) for i, (h, w) in enumerate(sides)], **options)


def test_cells_of_one_size_keep_it():
    cells = gather(sizes((9, 11), (9, 11), (9, 11)))
    assert cells.frames.shape == (3, 2, 9, 11)
    assert cells.frames[:, 0, 0, 0].tolist() == [0, 1, 2]
    assert cells.frames.dtype == np.uint16
    assert (cells.channels, cells.name, cells.pixel_um) == (("a", "b"), "made by hand", 0.5)
    assert cells.labels is None
    assert cells.groups is None


def test_cells_that_differ_get_the_size_that_nineteen_of_twenty_fit_into():
    recording = sizes(*[(20 + i % 10, 30) for i in range(95)], *[(500, 400)] * 4)
    cells = gather(recording)
    assert cells.frames.shape[2:] == (32, 32), "95 % are at most 29 × 30; up to the next multiple of 8"
    assert len(cells) == 99


@pytest.mark.parametrize("fit", ["crop-pad", "resize"])
def test_every_cell_is_brought_to_the_size_asked_for(fit):
    rng = np.random.default_rng(1)
    frames = [rng.integers(0, 1000, (2, h, w)).astype(np.uint16) for h, w in ((5, 9), (12, 12), (30, 3))]
    cells = gather(MadeRecording(frames), size=(12, 12), fit=fit)
    for frame, found in zip(frames, cells.frames, strict=True):
        assert np.array_equal(found, fit_frames(frame[None], 12, 12, fit)[0])
    assert cells.pixel_um == (0.5 if fit == "crop-pad" else None), "scaling changes what a pixel is"


def test_labels_and_groups_stay_with_their_cells_when_others_are_damaged():
    frames = [constant(i, 4, 4) if i % 3 else None for i in range(12)]
    recording = MadeRecording(
        frames, labels=[i % 2 for i in range(12)], classes=("even", "odd"), groups=[f"day {i}" for i in range(12)]
    )
    cells = gather(recording)
    kept = [i for i in range(12) if i % 3]
    assert cells.frames[:, 0, 0, 0].tolist() == kept
    assert cells.labels.tolist() == [i % 2 for i in kept]
    assert cells.groups.tolist() == [f"day {i}" for i in kept]
    assert cells.skipped == {"frame: a scratch": 4}


def test_cells_that_are_not_what_the_recording_says_are_left_out_and_counted():
    odd = [constant(1, 4, 4), constant(1, 4, 4, dtype=np.uint8), constant(1, 4, 4, channels=3), constant(5, 4, 4)]
    cells = gather(MadeRecording(odd))
    assert cells.frames[:, 0, 0, 0].tolist() == [1, 5]
    assert cells.skipped == {"dtype: uint8": 1, "channels: 3": 1}
    nan = constant(np.nan, 4, 4, dtype=np.float32)
    assert gather(MadeRecording([constant(1, 4, 4, dtype=np.float32), nan])).skipped == {
        "frame: NaN or infinite counts": 1
    }


def test_channels_are_chosen_by_name():
    frame = np.stack([np.full((4, 4), level, np.uint16) for level in (1, 2, 3)])
    cells = gather(MadeRecording([frame] * 2, channels=("a", "b", "c")), channels=("c", "a"))
    assert cells.channels == ("c", "a")
    assert cells.frames[0, :, 0, 0].tolist() == [3, 1]


def test_a_limit_is_spread_over_the_recording():
    recording = sizes(*[(4, 4)] * 100, shape=(4, 4))
    cells = gather(recording, limit=5)
    assert cells.frames[:, 0, 0, 0].tolist() == [0, 25, 50, 74, 99]
    assert len(recording.asked) == 5, "and only those are read"


@pytest.mark.parametrize("where", [np.array([7, 2, 5]), np.isin(np.arange(10), (2, 5, 7))])
def test_only_these_cells(where):
    cells = gather(sizes(*[(4, 4)] * 10), where=where)
    assert cells.frames[:, 0, 0, 0].tolist() == ([7, 2, 5] if where.dtype != bool else [2, 5, 7])


@pytest.mark.parametrize(
    "options",
    [
        {"channels": ("a", "nope")},
        {"channels": ()},
        {"channels": ("a", "a")},
        {"limit": 0},
        {"size": (0, 4)},
        {"size": (4, 5000)},
        {"where": np.array([10])},
        {"where": np.array([-1])},
        {"where": np.array([True])},
        {"where": np.array([0.5])},
    ],
)
def test_options_that_cannot_be_are_refused(options):
    with pytest.raises(InputError):
        gather(sizes(*[(4, 4)] * 10), **options)


def test_nothing_to_read_is_a_cells_error():
    with pytest.raises(CellsError, match="none"):
        gather(sizes((4, 4)), where=np.array([], int))
    damaged = MadeRecording([constant(1, 4, 4), None, None])
    with pytest.raises(CellsError, match="scratch"):
        gather(damaged, size=(4, 4), where=np.array([1, 2]))


def test_more_than_memory_allows_goes_to_disk_and_is_the_same(tmp_path):
    frames = [constant(i, 4 + i % 3, 4) if i != 5 else None for i in range(20)]
    small = gather(MadeRecording(frames))
    large = gather(MadeRecording(frames), memory=100, directory=tmp_path)
    assert isinstance(large.frames, np.memmap)
    assert not large.frames.flags.writeable
    assert np.array_equal(small.frames, large.frames)
    (file,) = tmp_path.iterdir()
    assert np.array_equal(np.load(file, mmap_mode="r"), small.frames)
    assert large.subset(np.array([3, 1])).frames[:, 0, 0, 0].tolist() == [3, 1]


def test_without_a_directory_nothing_is_left_on_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cells = gather(sizes(*[(4, 4)] * 10), memory=100)
    assert isinstance(cells.frames, np.memmap)
    assert list(tmp_path.iterdir()) == []
    assert cells.frames[9, 0, 0, 0] == 9


def test_a_reader_that_fails_leaves_no_file_behind(tmp_path):
    class Failing(MadeRecording):
        def __getitem__(self, index):
            if index == 3:
                raise RuntimeError("a bug")
            return super().__getitem__(index)

    recording = Failing([constant(i, 4, 4) for i in range(10)], shape=(4, 4))
    with pytest.raises(RuntimeError):
        gather(recording, memory=100, directory=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_room_is_named_before_anything_is_written(tmp_path):
    class Endless(MadeRecording):
        def __len__(self):
            return 10**12

    with pytest.raises(InputError, match="bytes free"):
        gather(
            Endless([constant(1, 64, 64)], shape=(64, 64)),
            where=np.zeros(10**6, np.int64),
            memory=100,
            size=(4096, 4096),
            directory=tmp_path,
        )
    with pytest.raises(InputError, match="directory"):
        gather(sizes((4, 4)), memory=1, directory=tmp_path / "nothing")


def test_a_large_archive_is_mapped_where_it_lies(tmp_path):
    frames = np.arange(20 * 2 * 4 * 4, dtype=np.uint16).reshape(20, 2, 4, 4)
    np.savez(tmp_path / "c.npz", frames=frames, channels=np.array(["a", "b"]))
    with open_npz(tmp_path / "c.npz") as recording:
        cells = gather(recording, memory=100, directory=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["c.npz"], "no second copy"
    assert np.array_equal(cells.frames, frames)


def test_progress_goes_from_nothing_to_all():
    told = []
    gather(sizes(*[(4, 4)] * 1000, shape=(4, 4)), progress=lambda *p: told.append(p))
    assert told[0] == (0, 1000)
    assert told[-1] == (1000, 1000)
    assert len(told) < 300
