"""Stacks in HDF5 files: which array holds the frames, what lies beside it, and what is refused."""

import struct
import zlib
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest

from engines.cells.hdf5 import open_hdf5, sniff_hdf5
from engines.cells.hdf5._layout import channels_last
from engines.errors import CellsError

FRAMES = np.random.default_rng(5).integers(0, 4000, (10, 3, 8, 9)).astype(np.uint16)


def write(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name.replace("__", "/")] = values
    return path


def frames(path, **options):
    with open_hdf5(path, **options) as recording:
        return np.stack([cell.frame for cell in recording])


def with_sum(data):
    """Return bytes with the checksum that HDF5's filter fletcher32 puts behind them."""
    low = high = 0
    for at in range(0, len(data), 2):
        low = (low + int.from_bytes(data[at : at + 2].ljust(2, b"\0"), "big")) % 65535
        high = (high + low) % 65535
    return data + (high << 16 | low).to_bytes(4, "little")


def refusal(path, **options):
    with pytest.raises(CellsError) as caught:
        open_hdf5(path, **options).close()
    assert len(str(caught.value).splitlines()) == 1
    return caught.value


def test_the_layout_of_the_npz_archives(tmp_path):
    path = write(
        tmp_path / "a.h5",
        frames=FRAMES,
        channels=["bf", "df", "fl"],
        labels=np.array([0, 1, -1, -5, *[1] * 6]),
        classes=np.array(["a", "b"], "S3"),
        groups=[f"day {at % 2}" for at in range(10)],
        trigger_s=np.arange(10) / 8,
        facts__area=np.arange(10.0),
    )
    with h5py.File(path, "r+") as file:
        file.attrs.update({"pixel_um": 0.5, "instrument": "rig", "long": np.arange(100)})
    with open_hdf5(path) as recording:
        assert (recording.kind, recording.channels, recording.classes) == ("hdf5", ("bf", "df", "fl"), ("a", "b"))
        assert (recording.shape, recording.dtype, recording.pixel_um) == ((8, 9), np.uint16, 0.5)
        assert recording.about == {"pixel_um": "0.5", "instrument": "rig"}
        cells = list(recording)
    assert np.array_equal([cell.frame for cell in cells], FRAMES)
    assert [cell.label for cell in cells] == [0, 1, -1, -1, *[1] * 6]
    assert [cell.group for cell in cells[:3]] == ["day 0", "day 1", "day 0"]
    assert cells[3].trigger_s == 0.375
    assert cells[3].facts == {"area": 3.0}


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2", "<f4", ">f4"])
def test_every_dtype_is_read_as_native(tmp_path, dtype):
    found = frames(write(tmp_path / "a.h5", frames=FRAMES.astype(dtype)))
    assert found.dtype.isnative
    assert np.array_equal(found, FRAMES.astype(dtype))


def test_three_dimensions_are_one_channel(tmp_path):
    with open_hdf5(write(tmp_path / "a.h5", images=FRAMES[:, 0])) as recording:
        assert recording.channels == ("ch1",)
        assert np.array_equal(recording[4].frame, FRAMES[4, :1])


def test_channels_may_be_last(tmp_path):
    path = write(tmp_path / "a.h5", stack=np.moveaxis(FRAMES, 1, -1))
    assert np.array_equal(frames(path), FRAMES)
    with open_hdf5(path) as recording:
        assert recording.shape == (8, 9)
        assert recording[0].frame.flags.c_contiguous


@pytest.mark.parametrize(
    ("shape", "names", "last"),
    [
        ((9, 3, 8, 8), None, False),
        ((9, 8, 8, 3), None, True),
        ((9, 4, 4, 4), None, False),
        ((9, 2, 3, 8), 8, True),
        ((9, 8, 3, 2), 8, False),
        ((9, 3, 3, 3), 3, False),
    ],
)
def test_which_axis_the_channels_are_on(shape, names, last):
    assert channels_last(shape, names) is last


def test_the_usual_name_is_chosen_among_several(tmp_path):
    path = write(tmp_path / "a.h5", masks=FRAMES[:, 0], X=FRAMES, other=np.arange(10))
    assert np.array_equal(frames(path), FRAMES)


def test_several_are_listed_and_one_can_be_named(tmp_path):
    path = write(tmp_path / "a.h5", raw=FRAMES, day__masks=FRAMES[:, 0], day__channels=["m"])
    error = refusal(path)
    assert error.field == "dataset"
    assert "raw" in error.found
    assert "day/masks" in error.found
    with open_hdf5(path, dataset="/day/masks") as recording:
        assert recording.channels == ("m",)
        assert np.array_equal(recording[1].frame, FRAMES[1, :1])
    assert "raw" in refusal(path, dataset="nothing").expected


def test_names_beside_the_frames_come_before_those_at_the_root(tmp_path):
    path = write(tmp_path / "a.h5", run__frames=FRAMES, run__channels=["x", "y", "z"], channels=["a", "b", "c"])
    with open_hdf5(path) as recording:
        assert recording.channels == ("x", "y", "z")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"frames": FRAMES.astype(np.int64)}, "dataset"),
        ({"frames": FRAMES[:, :, :0]}, "dataset"),
        ({"channels": ["a", "b"]}, "channels"),
        ({"channels": ["a", "b", "b"]}, "channels"),
        ({"channels": np.arange(3)}, "channels"),
        ({"labels": np.zeros(9, int), "classes": ["a"]}, "labels"),
        ({"labels": np.full(10, 2), "classes": ["a"]}, "labels"),
        ({"labels": np.zeros(10), "classes": ["a"]}, "labels"),
        ({"labels": np.zeros(10, int)}, "classes"),
        ({"groups": ["a"] * 9}, "groups"),
        ({"groups": ["a"] * 11}, "groups"),
        ({"classes": np.array([b"\xff\xfe"])}, "classes"),
        ({"trigger_s": np.zeros(3)}, "trigger_s"),
        ({"facts__x": np.zeros(3)}, "facts/x"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, changes, field):
    assert refusal(write(tmp_path / "a.h5", **{"frames": FRAMES, **changes})).field == field


def test_non_finite_frames_are_counted_not_handed_out(tmp_path):
    floats = FRAMES.astype(np.float32)
    floats[2, 0, 0, 0], floats[7, 1, 1, 1] = np.nan, np.inf
    with open_hdf5(write(tmp_path / "a.h5", frames=floats)) as recording:
        assert len(list(recording)) == 8
        assert recording.skipped == {"frames: NaN or infinite counts": 2}


def recorded(path, **changes):
    sizes = {"8x9": FRAMES[:6], "5x5": FRAMES[6:, :, :5, :5]}
    numbers = {"8x9": [0, 2, 4, 6, 8, 9], "5x5": [7, 5, 3, 1], **changes}
    with h5py.File(path, "w") as file:
        file.attrs.update({"format": "cellgate-frames", "version": 1})
        for size, values in sizes.items():
            file[f"frames/{size}"] = values
            file[f"index/{size}"] = np.array(numbers[size])
        file["labels"], file["classes"] = np.arange(10), [f"c{at}" for at in range(10)]
    return path


def test_a_recorded_series_of_several_sizes(tmp_path):
    with open_hdf5(recorded(tmp_path / "a.h5")) as recording:
        assert recording.shape is None
        assert len(recording) == 10
        cells = list(recording)
    assert [cell.frame.shape[1:] == (8, 9) for cell in cells] == [at in (0, 2, 4, 6, 8, 9) for at in range(10)]
    assert np.array_equal(cells[4].frame, FRAMES[2])
    assert np.array_equal(cells[3].frame, FRAMES[8, :, :5, :5])
    assert [cell.label for cell in cells] == list(range(10))


@pytest.mark.parametrize("numbers", [[7, 5, 3, 3], [7, 5, 3, 10], [7, 5, 3, -1], [7, 5, 3], [7.0, 5, 3, 1]])
def test_cells_of_a_recorded_series_are_numbered_once_each(tmp_path, numbers):
    assert "number" in refusal(recorded(tmp_path / "a.h5", **{"5x5": numbers})).field


def test_another_version_of_the_layout_is_refused(tmp_path):
    path = recorded(tmp_path / "a.h5")
    with h5py.File(path, "r+") as file:
        file.attrs["version"] = 2
    assert refusal(path).field == "version"


def test_links_and_cycles_in_a_file_are_no_trouble(tmp_path):
    path = write(tmp_path / "a.h5", run__frames=FRAMES)
    with h5py.File(path, "r+") as file:
        file["run/again"] = file["/"]
        file["soft"] = h5py.SoftLink("/run/frames")
        file["out"] = h5py.ExternalLink("no.h5", "/x")
        file["none"] = h5py.Empty("f4")
    with pytest.raises(CellsError, match="run/again"):  # the same frames by two names of the file's own
        open_hdf5(path)
    assert np.array_equal(frames(path, dataset="run/frames"), FRAMES)
    assert refusal(path, dataset="soft").field == "dataset"


def test_a_cut_off_file_is_one_line(tmp_path):
    path = write(tmp_path / "a.h5", frames=FRAMES)
    whole = path.read_bytes()
    for cut in (8, 100, 600, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:cut])
        assert refusal(path).field == "file"


def test_hdf5_is_known_by_its_signature_behind_a_user_block_too(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w", userblock_size=1024) as file:
        file["frames"] = FRAMES
    assert sniff_hdf5(tmp_path / "a.h5", bytes(64))
    assert np.array_equal(frames(tmp_path / "a.h5"), FRAMES)
    (tmp_path / "b.h5").write_bytes(bytes(5000))
    assert not sniff_hdf5(tmp_path / "b.h5", bytes(64))
    assert not sniff_hdf5(tmp_path, b"")
    assert not sniff_hdf5(Path(tmp_path / "none.h5"), b"")


PACKED = [
    {"compression": "gzip"},
    {"compression": "gzip", "shuffle": True},
    {"compression": "gzip", "fletcher32": True},
    {"compression": "lzf"},
    {},
]


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2", "<f4", ">f4"])
@pytest.mark.parametrize("packing", PACKED)
@pytest.mark.parametrize("chunks", [(4, 3, 8, 9), (3, 1, 8, 5)])
def test_however_it_is_packed(tmp_path, dtype, packing, chunks):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("frames", data=FRAMES.astype(dtype), chunks=chunks, **packing)
    assert np.array_equal(frames(tmp_path / "a.h5"), FRAMES.astype(dtype))


@pytest.mark.parametrize("packing", PACKED[:3])
def test_cells_at_once_are_the_cells_one_by_one(tmp_path, packing):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("frames", data=np.moveaxis(FRAMES, 1, -1), chunks=(4, 8, 9, 3), **packing)
        file["channels"], file["classes"], file["labels"] = ["a", "b", "c"], ["x", "y"], np.arange(10) % 3 - 1
        file["groups"], file["trigger_s"], file["facts/area"] = ["p", "q"] * 5, np.arange(10) / 4, np.arange(10.0)
    with open_hdf5(path) as recording:
        span = recording.span(3, 9)
        for place, cell in enumerate(list(recording)[3:9]):
            assert np.array_equal(span.frames[place], cell.frame)
            assert (span.labels[place], span.groups[place]) == (cell.label, cell.group)
            assert (span.trigger_s[place], span.facts["area"][place]) == (cell.trigger_s, cell.facts["area"])
        assert recording.span(5, 11) is None


DEFLATED = [zlib.compress(b"\0" * size) for size in (10, 2 * FRAMES[0].nbytes - 1, 100_000_000)]
DAMAGED = [
    *(({"compression": "gzip", "shuffle": shuffle}, data) for shuffle in (False, True) for data in DEFLATED),
    *(({"compression": "gzip", "fletcher32": True}, with_sum(data)) for data in DEFLATED),
    ({"compression": "gzip"}, b"\0" * 40),
    ({"compression": "lzf"}, b"\x04abcde"),
    ({"compression": "lzf"}, b"\xff" * 40),
    ({"fletcher32": True}, with_sum(bytes(100))),
    (dict(hdf5plugin.LZ4()), struct.pack(">qi", 100, 100) + struct.pack(">i", 100) + bytes(100)),
]


@pytest.mark.parametrize(("packing", "damage"), DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_chunk_costs_its_cells_and_there_is_no_span_over_it(tmp_path, packing, damage):
    """A chunk that is short among them: HDF5 would make up its pixels from what lies in memory behind it."""
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        array = file.create_dataset("frames", data=FRAMES, chunks=(2, 3, 8, 9), **packing)
        array.id.write_direct_chunk((4, 0, 0, 0), damage)
    with open_hdf5(path) as recording:
        assert recording.span(3, 6) is None
        cells = list(recording)
        assert len(cells) == 8 and recording.skipped.total() == 2
        assert np.array_equal(cells[-1].frame, FRAMES[-1])
