"""Recorded cells from a NumPy archive: what is good is read, everything else is one CellsError."""

import io
import struct
import warnings
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.cells import read_npz
from engines.errors import CellsError

FRAMES = np.arange(5 * 2 * 3 * 4, dtype=np.uint16).reshape(5, 2, 3, 4)
GOOD = {
    "frames": FRAMES,
    "channels": np.array(["bf", "df"]),
    "labels": np.array([0, 1, 2, -1, -7]),
    "classes": np.array(["a", "b", "c"]),
}


def save(tmp_path, *, without=(), **changes):
    path = tmp_path / "cells.npz"
    np.savez(path, **{key: value for key, value in {**GOOD, **changes}.items() if key not in without})
    return path


def refusal(path):
    with pytest.raises(CellsError) as caught:
        read_npz(path)
    assert caught.value.source == str(path)
    assert len(str(caught.value).splitlines()) == 1
    return caught.value


def test_good_cells_are_read(tmp_path):
    cells = read_npz(save(tmp_path))
    assert np.array_equal(cells.frames, FRAMES)
    assert cells.frames.dtype == np.uint16
    assert cells.channels == ("bf", "df")
    assert cells.classes == ("a", "b", "c")
    assert cells.labels.dtype == np.int16
    assert cells.labels.tolist() == [0, 1, 2, -1, -1]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_every_dtype_of_raw_counts_is_read(tmp_path, dtype):
    cells = read_npz(str(save(tmp_path, frames=FRAMES.astype(dtype))))
    assert cells.frames.dtype == dtype
    assert np.array_equal(cells.frames, FRAMES)


def test_labels_may_be_missing(tmp_path):
    cells = read_npz(save(tmp_path, without=("labels", "classes")))
    assert cells.labels is None
    assert cells.classes == ()


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "uint64"])
def test_labels_may_be_any_integers(tmp_path, dtype):
    labels = np.array([0, 1, 2, 0, 1], dtype)
    assert read_npz(save(tmp_path, labels=labels)).labels.tolist() == [0, 1, 2, 0, 1]


def test_one_channel_may_be_named_by_a_single_string(tmp_path):
    assert read_npz(save(tmp_path, frames=FRAMES[:, :1], channels=np.array("bf"))).channels == ("bf",)


def test_compressed_cells_are_read(tmp_path):
    np.savez_compressed(tmp_path / "c.npz", **GOOD)
    assert np.array_equal(read_npz(tmp_path / "c.npz").frames, FRAMES)


def test_foreign_byte_order_is_made_native(tmp_path):
    """Else a sender that checks the dtype, or an engine that trusts it, meets counts with swapped bytes."""
    cells = read_npz(save(tmp_path, frames=FRAMES.astype(">u2")))
    assert cells.frames.dtype.isnative
    assert np.array_equal(cells.frames, FRAMES)


@pytest.mark.parametrize(
    ("changes", "field", "found"),
    [
        ({"frames": FRAMES[0]}, "frames", "shape (2, 3, 4)"),
        ({"frames": FRAMES[None]}, "frames", "shape (1, 5, 2, 3, 4)"),
        ({"frames": np.uint16(3)}, "frames", "shape ()"),
        ({"frames": FRAMES[:0]}, "frames", "shape (0, 2, 3, 4)"),
        ({"frames": FRAMES[:, :, :0]}, "frames", "shape (5, 2, 0, 4)"),
        ({"frames": FRAMES.astype(np.int16)}, "frames", "int16"),
        ({"frames": FRAMES.astype(np.float64)}, "frames", "float64"),
        ({"frames": FRAMES.astype(np.complex64)}, "frames", "complex64"),
        ({"frames": FRAMES.astype("S4")}, "frames", "bytes"),
        ({"frames": np.where(FRAMES == 7, np.nan, FRAMES).astype(np.float32)}, "frames", "NaN"),
        ({"frames": np.where(FRAMES == 7, np.inf, FRAMES).astype(np.float32)}, "frames", "infinite"),
        ({"channels": np.array(["bf"])}, "channels", "bf"),
        ({"channels": np.array(["bf", "bf"])}, "channels", "bf"),
        ({"channels": np.array(["bf", "df", "x"])}, "channels", "x"),
        ({"labels": np.array([0, 1, 2, 3, 0])}, "labels", "3"),
        ({"labels": np.array([0, 1, 2, 0, 2**64 - 1], np.uint64)}, "labels", "18446744073709551615"),
        ({"labels": np.array([0, 1, 2, 0])}, "labels", "(4,)"),
        ({"labels": np.zeros((5, 1), int)}, "labels", "(5, 1)"),
        ({"labels": np.zeros(5)}, "labels", "float64"),
        ({"labels": np.array(list("abcab"))}, "labels", "U1"),
    ],
)
def test_arrays_that_are_not_cells_are_refused(tmp_path, changes, field, found):
    error = refusal(save(tmp_path, **changes))
    assert error.field == field
    assert found in error.found


@pytest.mark.parametrize("key", ["frames", "channels", "classes"])
def test_a_missing_array_is_named(tmp_path, key):
    error = refusal(save(tmp_path, without=(key,)))
    assert (error.field, error.found) == (key, "nothing")


@pytest.mark.parametrize("key", ["frames", "channels", "labels", "classes"])
def test_pickled_objects_are_never_loaded(tmp_path, key):
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was loaded",))

    objects = np.empty(GOOD[key].shape, object)
    objects[...] = Trap()
    error = refusal(save(tmp_path, **{key: objects}))
    assert error.field == "archive"


@pytest.mark.parametrize("raw", [b"", b"not a zip", b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"PK\x05\x06" + bytes(18)])
def test_a_file_that_is_no_archive_of_cells_is_refused(tmp_path, raw):
    (tmp_path / "cells.npz").write_bytes(raw)
    refusal(tmp_path / "cells.npz")


def test_a_plain_array_file_is_refused(tmp_path):
    with (tmp_path / "cells.npz").open("wb") as stream:
        np.save(stream, FRAMES)
    assert refusal(tmp_path / "cells.npz").field == "file"


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    assert "No such file" in refusal(tmp_path / "nothing.npz").found
    assert "directory" in refusal(tmp_path).found


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_archive_is_refused(tmp_path, share):
    path = save(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    refusal(path)


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def npy_header(shape):
    text = repr({"descr": "<u2", "fortran_order": False, "shape": shape}).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def test_an_archive_that_would_unpack_to_more_than_memory_is_refused_unread(tmp_path):
    """The archive's own directory says 24 GiB: nothing of it is unpacked."""
    path = save(tmp_path, more=np.zeros(1), still_more=np.zeros(1))
    raw = bytearray(path.read_bytes())
    entry = -1
    for _ in range(6):
        entry = raw.index(b"PK\x01\x02", entry + 1)
        raw[entry + 24 : entry + 28] = struct.pack("<I", 2**32 - 2)  # the unpacked size
    path.write_bytes(raw)
    assert refusal(path).field == "size"


@pytest.mark.parametrize("shape", [(10**14, 2, 8, 8), (10**30, 2, 8, 8), (2**62, 2, 8, 8), (-1, 2, 8, 8)])
def test_an_array_of_absurd_declared_size_is_refused(tmp_path, shape):
    path = tmp_path / "cells.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("frames.npy", npy_header(shape) + bytes(64))
        archive.writestr("channels.npy", npy(GOOD["channels"]))
    refusal(path)


@pytest.mark.parametrize("raw", [b"", b"hello", b"\x93NUMPY", b"\x93NUMPY\x09\x00\x04\x00abcd", npy(FRAMES)[:40]])
def test_a_member_that_is_no_array_is_refused(tmp_path, raw):
    path = tmp_path / "cells.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("frames.npy", raw)
        archive.writestr("channels.npy", npy(GOOD["channels"]))
    refusal(path)


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.data())
def test_any_damage_gives_cells_or_a_cells_error(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    stream = io.BytesIO()
    np.savez_compressed(stream, **GOOD)
    raw = bytearray(stream.getvalue())
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(raw)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of names that occur twice
        try:
            read_npz(path)
        except CellsError as error:
            assert len(str(error).splitlines()) == 1
