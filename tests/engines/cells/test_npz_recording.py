"""An archive as a recording: cell by cell, in order or not, without loading what was not asked for."""

import io
import os
import zipfile

import numpy as np
import pytest

from engines.cells import open_npz, read_npz
from engines.errors import CellsError

FRAMES = np.random.default_rng(0).integers(0, 4096, (50, 2, 6, 5)).astype(np.uint16)
LABELS = np.arange(50) % 4 - 1
GOOD = {
    "frames": FRAMES,
    "channels": np.array(["bf", "df"]),
    "labels": LABELS,
    "classes": np.array(["a", "b", "c"]),
    "groups": np.array([f"plate {i // 10}" for i in range(50)]),
    "trigger_s": np.arange(50) / 1000,
    "pixel_um": np.array(0.5),
}


def save(path, *, compress=False, **changes):
    arrays = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    (np.savez_compressed if compress else np.savez)(path, **arrays)
    return path


@pytest.fixture(params=["plain", "compressed", "fortran", "swapped"])
def archive(request, tmp_path):
    frames = {"fortran": np.asfortranarray(FRAMES), "swapped": FRAMES.astype(">u2")}.get(request.param, FRAMES)
    return save(tmp_path / "cells.npz", compress=request.param == "compressed", frames=frames)


def test_a_recording_says_what_it_holds(archive):
    with open_npz(archive) as recording:
        assert (len(recording), recording.kind, recording.shape) == (50, "npz", (6, 5))
        assert (recording.channels, recording.classes) == (("bf", "df"), ("a", "b", "c"))
        assert recording.dtype == np.uint16
        assert recording.dtype.isnative
        assert recording.pixel_um == 0.5


def test_cells_in_order_and_out_of_order_are_the_same(archive):
    with open_npz(archive) as recording:
        in_order = [cell.frame for cell in recording]
        assert np.array_equal(np.stack(in_order), FRAMES)
        for index in (49, 0, 17, 3):
            cell = recording[index]
            assert np.array_equal(cell.frame, FRAMES[index])
            assert cell.frame.dtype.isnative
            assert (cell.label, cell.group) == (LABELS[index], f"plate {index // 10}")
            assert cell.trigger_s == pytest.approx(index / 1000)
        assert [cell.trigger_s for cell in recording.cells(start=48)] == [0.048, 0.049]
        assert not recording.skipped


@pytest.mark.parametrize("index", [-1, 50])
def test_an_index_outside_is_an_index_error(archive, index):
    with open_npz(archive) as recording, pytest.raises(IndexError):
        recording[index]


def test_everything_at_once_is_the_same_again(archive):
    cells = read_npz(archive)
    assert np.array_equal(cells.frames, FRAMES)
    assert cells.labels.tolist() == LABELS.tolist()
    assert cells.groups.tolist() == GOOD["groups"].tolist()
    assert cells.pixel_um == 0.5


def test_frames_too_large_for_memory_are_mapped_not_read(tmp_path, monkeypatch):
    path = save(tmp_path / "cells.npz")
    monkeypatch.setattr("engines.cells._npz.available_memory", lambda: 1000)
    cells = read_npz(path)
    assert isinstance(cells.frames, np.memmap)
    assert np.array_equal(cells.frames, FRAMES)
    with pytest.raises(CellsError, match="as many as fit into memory"):
        read_npz(save(tmp_path / "packed.npz", compress=True))


def test_groups_may_be_integers(tmp_path):
    cells = read_npz(save(tmp_path / "c.npz", groups=np.arange(50) // 25))
    assert cells.groups.tolist() == ["0"] * 25 + ["1"] * 25


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("groups", np.arange(49)),
        ("groups", np.zeros((50, 1), int)),
        ("groups", np.zeros(50)),
        ("groups", np.array([b"x"] * 50)),
        ("trigger_s", np.arange(50)),
        ("trigger_s", np.full(50, np.nan)),
        ("trigger_s", np.zeros(3)),
        ("pixel_um", np.array(0.0)),
        ("pixel_um", np.array(np.nan)),
        ("pixel_um", np.array([0.5, 0.5])),
        ("pixel_um", np.array("wide")),
    ],
)
def test_what_is_said_beside_the_frames_is_checked(tmp_path, key, value):
    with pytest.raises(CellsError) as caught:
        open_npz(save(tmp_path / "c.npz", **{key: value}))
    assert caught.value.field == key


@pytest.mark.parametrize("compress", [False, True])
def test_a_cell_that_is_not_finite_is_left_out_and_counted(tmp_path, compress):
    frames = FRAMES.astype(np.float32)
    frames[7, 0, 1, 1] = np.nan
    with open_npz(save(tmp_path / "c.npz", frames=frames, compress=compress)) as recording:
        assert len(list(recording)) == 49
        assert recording.skipped == {"frames: NaN or infinite counts": 1}


def test_a_compressed_array_that_breaks_off_gives_what_came_before(tmp_path):
    path = save(
        tmp_path / "c.npz",
        compress=True,
        frames=np.repeat(FRAMES, 40, axis=0),
        labels=None,
        groups=None,
        trigger_s=None,
    )
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("frames.npy")
    raw = bytearray(path.read_bytes())
    middle = info.header_offset + 100 + info.compress_size // 2
    raw[middle : middle + 200] = bytes(200)
    path.write_bytes(raw)
    with open_npz(path) as recording:
        came = sum(1 for _ in recording)
        assert 0 < came < 2000
        assert recording.skipped.total() == 2000 - came
        with pytest.raises(CellsError):
            recording[1999]


def test_a_file_that_shrinks_while_it_is_open_is_a_cells_error(tmp_path):
    path = save(tmp_path / "c.npz")
    with open_npz(path) as recording:
        os.truncate(path, 500)
        with pytest.raises(CellsError, match="ends early"):
            recording[49]


def test_a_declared_size_that_is_not_there_is_refused(tmp_path):
    header = {"descr": "<u2", "fortran_order": False, "shape": (10**9, 2, 6, 5)}
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, header)
    path = tmp_path / "c.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("frames.npy", stream.getvalue() + bytes(64))
    with pytest.raises(CellsError):
        open_npz(path)


def test_a_bomb_of_zeros_is_refused_by_what_it_says_it_holds(tmp_path):
    """17 GiB that pack into 17 MB: the directory of the archive is believed, nothing is unpacked."""
    path = tmp_path / "c.npz"
    save(path, compress=True)
    raw = bytearray(path.read_bytes())
    entry = -1
    for _ in range(len(GOOD)):
        entry = raw.index(b"PK\x01\x02", entry + 1)
        raw[entry + 24 : entry + 28] = (2**32 - 2).to_bytes(4, "little")
    path.write_bytes(raw)
    with pytest.raises(CellsError) as caught:
        open_npz(path)
    assert caught.value.field == "size"


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_cells_at_once_are_the_cells_one_by_one(tmp_path, dtype):
    with open_npz(save(tmp_path / "a.npz", frames=FRAMES.astype(dtype))) as recording:
        span = recording.span(7, 31)
        cells = list(recording)[7:31]
        assert np.array_equal(span.frames, np.stack([cell.frame for cell in cells]))
        assert span.labels.tolist() == [cell.label for cell in cells]
        assert span.groups == [cell.group for cell in cells]
        assert span.trigger_s.tolist() == [cell.trigger_s for cell in cells]
        assert recording.span(40, 51) is None


def test_no_span_where_cells_must_be_looked_at_one_by_one(tmp_path):
    frames = FRAMES.astype(np.float32)
    frames[20, 0, 0, 0] = np.nan
    with open_npz(save(tmp_path / "nan.npz", frames=frames)) as recording:
        assert recording.span(0, 20) is not None
        assert recording.span(0, 21) is None
    with open_npz(save(tmp_path / "packed.npz", compress=True)) as recording:
        assert recording.span(0, 20) is None


def test_texts_that_are_no_characters_are_refused(tmp_path):
    wrong = np.array(["bf", "df"]).view(np.uint32)
    wrong[1] = 0x110000
    with pytest.raises(CellsError, match="channels: found numbers that are no characters"):
        open_npz(save(tmp_path / "a.npz", channels=wrong.view("<U2")))


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    path = save(tmp_path / "a.npz", compress=True, frames=np.zeros((50, 2, 300, 300), np.uint16))
    with open_npz(path) as recording:
        assert len(recording) == 50, "up to a gigabyte is read, however well it is packed"
    monkeypatch.setattr("engines.cells._members._FREE", 1 << 20)
    with pytest.raises(CellsError, match="at most 256 times as many"):
        open_npz(path)
