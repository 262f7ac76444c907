"""Stacks in Zarr stores of both versions, in folders and .zip: read alike, and nothing of them is run."""

import json
import shutil
import sys
import warnings
import zlib

import numpy as np
import pytest
import zarr

from engines.cells.hdf5 import open_zarr, sniff_zarr
from engines.errors import CellsError, MissingExtraError

FRAMES = np.random.default_rng(5).integers(0, 4000, (10, 2, 8, 9)).astype(np.uint16)
VERSIONS = pytest.mark.parametrize("version", [2, 3])


def write(path, version, *, chunks=(4, 1, 8, 9), compressors="auto", frames=FRAMES, **arrays):
    store = zarr.storage.ZipStore(path, mode="w") if path.suffix == ".zip" else zarr.storage.LocalStore(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        group = zarr.create_group(store, zarr_format=version, attributes={"pixel_um": 0.3, "instrument": "rig"})
        group.create_array("frames", data=frames, chunks=chunks, compressors=compressors)
        for name, values in arrays.items():
            group.create_array(name, data=np.asarray(values))
    store.close()
    return path


def refusal(path, **options):
    with pytest.raises(CellsError) as caught:
        open_zarr(path, **options).close()
    assert len(str(caught.value).splitlines()) == 1
    return caught.value


def read(path, **options):
    with open_zarr(path, **options) as recording:
        return np.stack([cell.frame for cell in recording])


@VERSIONS
@pytest.mark.parametrize("name", ["a.zarr", "a.zip"])
@pytest.mark.parametrize("texts", [str, np.dtypes.StringDType()])
def test_the_layout_of_the_npz_archives(tmp_path, version, name, texts):
    beside = {
        "channels": np.array(["bf", "df"], texts),
        "labels": np.arange(10) % 2,
        "classes": np.array(["a", "bé"], texts),
        "groups": np.array([f"day {at % 3}" for at in range(10)], texts),
    }
    path = write(tmp_path / name, version, **beside)
    assert sniff_zarr(path, path.read_bytes()[:64] if path.is_file() else b"")
    with open_zarr(path) as recording:
        assert (recording.kind, recording.channels, recording.classes) == ("zarr", ("bf", "df"), ("a", "bé"))
        assert (recording.shape, recording.dtype, recording.pixel_um) == ((8, 9), np.uint16, 0.3)
        assert recording.about["instrument"] == "rig"
        cells = list(recording)
    assert np.array_equal([cell.frame for cell in cells], FRAMES)
    assert [cell.label for cell in cells] == [0, 1] * 5
    assert cells[4].group == "day 1"


@VERSIONS
@pytest.mark.parametrize("codec", ["gzip", "zstd", "blosc", None])
def test_the_usual_codecs_are_read(tmp_path, version, codec):
    import numcodecs

    if codec is None:
        compressors = None
    elif version == 2:
        compressors = {"gzip": numcodecs.GZip(), "zstd": numcodecs.Zstd(), "blosc": numcodecs.Blosc()}[codec]
    else:
        compressors = {
            "gzip": zarr.codecs.GzipCodec(),
            "zstd": zarr.codecs.ZstdCodec(),
            "blosc": zarr.codecs.BloscCodec(),
        }[codec]
    assert np.array_equal(read(write(tmp_path / "a.zarr", version, compressors=compressors)), FRAMES)


@VERSIONS
def test_an_array_alone_is_a_stack(tmp_path, version):
    zarr.create_array(tmp_path / "a.zarr", data=FRAMES[:, 0], chunks=(3, 4, 9), zarr_format=version)
    assert np.array_equal(read(tmp_path / "a.zarr"), FRAMES[:, :1])


@VERSIONS
def test_several_are_listed_and_one_can_be_named(tmp_path, version):
    path = write(tmp_path / "a.zarr", version, masks=FRAMES)
    shutil.move(path / "frames", path / "raw")
    error = refusal(path)
    assert "raw" in error.found
    assert "masks" in error.found
    assert np.array_equal(read(path, dataset="masks"), FRAMES)


@VERSIONS
def test_lost_chunks_are_no_black_cells(tmp_path, version):
    path = write(tmp_path / "a.zarr", version)
    chunk = path / "frames" / ("1.{}.0.0" if version == 2 else "c/1/{}/0/0")
    (path / str(chunk).format(0)).unlink()
    with open_zarr(path) as recording:  # one channel left: the other may have been all zero
        assert not recording[5].frame[0].any()
        assert np.array_equal(recording[5].frame[1], FRAMES[5, 1])
    (path / str(chunk).format(1)).unlink()
    with open_zarr(path) as recording:
        assert len(list(recording)) == 6
        assert recording.skipped == {"frames: nothing stored": 4}


@VERSIONS
def test_damaged_chunks_cost_their_own_cells_only(tmp_path, version):
    path = write(tmp_path / "a.zarr", version)
    chunk = path / "frames" / ("0.1.0.0" if version == 2 else "c/0/1/0/0")
    chunk.write_bytes(chunk.read_bytes()[:40])
    with open_zarr(path) as recording:
        assert len(list(recording)) == 6
        assert sum(recording.skipped.values()) == 4


def edit(path, key, **changes):
    document = json.loads((path / key).read_text())
    document.update(changes)
    (path / key).write_text(json.dumps(document))


@pytest.mark.parametrize(
    "changes",
    [
        {"filters": [{"id": "pickle"}], "dtype": "|O"},
        {"filters": [{"id": "json2"}]},
        {"compressor": {"id": "lzma"}},
        {"compressor": {"id": "pickle"}},
        {"compressor": "zlib"},
        {"dtype": "|O"},
        {"dtype": "<02u2"},
        {"dtype": [["a", "<u2"]]},
        {"shape": [1 << 44, 2, 8, 9]},
        {"shape": [10, 2, 8, -9]},
        {"shape": [10, 2, 8, 1e3]},
        {"shape": "10"},
        {"shape": [10, 2, 1 << 30, 1 << 30]},
        {"chunks": [1 << 20, 2, 8, 90]},
        {"chunks": [4, 1, 8]},
        {"chunks": [4, 0, 8, 9]},
        {"dimension_separator": "/../"},
    ],
)
def test_metadata_of_version_2_is_judged_before_zarr_sees_it(tmp_path, changes):
    path = write(tmp_path / "a.zarr", 2)
    edit(path, "frames/.zarray", **changes)
    refusal(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"codecs": [{"name": "numcodecs.pickle"}]},
        {"codecs": [{"name": "sharding_indexed", "configuration": {}}]},
        {"codecs": [{"name": "bytes"}, {"name": "zstd"}, {"name": "gzip"}]},
        {"codecs": None},
        {"data_type": "complex64"},
        {"data_type": {"name": "fixed_length_utf32", "configuration": {"length_bytes": 1 << 40}}},
        {"data_type": "string"},
        {"shape": [1 << 44, 2, 8, 9]},
        {"chunk_grid": {"name": "rectilinear"}},
        {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [1 << 30, 2, 8, 9]}}},
        {"chunk_key_encoding": {"name": "default", "configuration": {"separator": "/../"}}},
        {"storage_transformers": [{"name": "x"}]},
        {"zarr_format": 4},
    ],
)
def test_metadata_of_version_3_is_judged_before_zarr_sees_it(tmp_path, changes):
    path = write(tmp_path / "a.zarr", 3)
    edit(path, "frames/zarr.json", **changes)
    refusal(path)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_metadata_that_is_no_json_object_is_one_line(tmp_path, text):
    path = write(tmp_path / "a.zarr", 3)
    (path / "frames" / "zarr.json").write_bytes(text)
    assert refusal(path).field == "frames/zarr.json"


def test_chunks_that_unpack_to_more_than_a_chunk_are_refused(tmp_path):
    zeros = np.zeros((4, 1, 400, 400), np.uint16) + 1
    path = write(tmp_path / "a.zarr", 3, frames=zeros, chunks=(1, 1, 400, 400), compressors=zarr.codecs.GzipCodec())
    packer = zlib.compressobj(9, wbits=31)
    (path / "frames" / "c/2/0/0/0").write_bytes(packer.compress(bytes(16 << 20)) + packer.flush())
    with open_zarr(path) as recording, pytest.raises(CellsError, match="unpacks to more"):
        recording[2]


def test_texts_are_not_believed_about_their_number(tmp_path):
    path = write(tmp_path / "a.zarr", 3, channels=np.array(["bf", "df"], np.dtypes.StringDType()))
    edit(path, "channels/zarr.json", codecs=[{"name": "vlen-utf8"}])
    (path / "channels/c/0").write_bytes(b"\xff\xff\xff\xff" + b"\x02\x00\x00\x00bf")
    assert refusal(path).field == "channels"


def test_what_is_no_store_is_refused(tmp_path):
    assert refusal(tmp_path / "none").field == "file"
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 no archive")
    assert refusal(tmp_path / "a.zip").field == "file"
    assert not sniff_zarr(tmp_path / "a.zip", b"PK\x03\x04")
    (tmp_path / "folder").mkdir()
    assert not sniff_zarr(tmp_path / "folder", b"")
    assert refusal(tmp_path / "folder").field == "dataset"
    np.savez(tmp_path / "b.zip", frames=FRAMES)
    shutil.move(tmp_path / "b.zip.npz", tmp_path / "b.zip")
    assert not sniff_zarr(tmp_path / "b.zip", (tmp_path / "b.zip").read_bytes()[:64])


def test_a_missing_library_is_named(tmp_path, monkeypatch):
    path = write(tmp_path / "a.zarr", 3)
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(MissingExtraError, match=r"cellgate\[files\]"):
        open_zarr(path)
