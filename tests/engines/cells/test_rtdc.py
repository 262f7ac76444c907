"""RT-DC files: what is in them is handed out, what is missing is counted, what is hostile is refused."""

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from engines.cells.hdf5 import open_hdf5, open_rtdc, sniff_hdf5, sniff_rtdc
from engines.errors import CellsError, MissingExtraError

RTDC = Path(__file__).parents[3].parent / "shared" / "data" / "rtdc"
RNG = np.random.default_rng(7)
IMAGES = RNG.integers(0, 255, (25, 8, 12), np.uint8)


def write(path, n=25, images=IMAGES, *, image_options=None, **features):
    options = image_options if image_options is not None else {"chunks": (4, 8, 12), "compression": "gzip"}
    with h5py.File(path, "w") as file:
        file.attrs["experiment:sample"] = "donor 3"
        file.attrs["experiment:event count"] = 999
        file.attrs["imaging:pixel size"] = 0.34
        file.attrs["imaging:frame rate"] = 2000.0
        events = file.create_group("events")
        if images is not None:
            events.create_dataset("image", data=images, **options)
        scalars = {"deform": np.linspace(0, 1, n), "frame": np.arange(n) * 10.0, "fl1_max": np.arange(n), **features}
        for name, values in scalars.items():
            if values is not None:
                events[name] = values
    return path


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "a.rtdc")


def refusal(path, **options):
    with pytest.raises(CellsError) as caught:
        open_rtdc(path, **options).close()
    assert len(str(caught.value).splitlines()) == 1
    return caught.value


def head(path):
    return path.read_bytes()[:64]


def test_images_facts_and_times(path):
    with open_rtdc(path) as recording:
        assert (len(recording), recording.kind, recording.channels) == (25, "rtdc", ("brightfield",))
        assert (recording.dtype, recording.shape, recording.pixel_um) == (np.uint8, (8, 12), 0.34)
        assert recording.about["experiment:sample"] == "donor 3"
        cells = list(recording)
        assert not recording.skipped
    assert np.array_equal([cell.frame[0] for cell in cells], IMAGES)
    assert [cell.trigger_s for cell in cells] == pytest.approx(np.arange(25) / 200)
    assert {cell.group for cell in cells} == {"donor 3"}
    assert cells[5].facts == {"deform": pytest.approx(5 / 24), "frame": 50.0, "fl1_max": 5}


def test_any_order_gives_the_same_cells(path):
    with open_rtdc(path) as recording:
        for index in RNG.permutation(25).tolist() + list(range(24, -1, -1)):
            assert np.array_equal(recording[index].frame[0], IMAGES[index])
            assert recording[index].facts["fl1_max"] == index
        with pytest.raises(IndexError):
            recording[25]
        assert [cell.facts["fl1_max"] for cell in recording.cells(22)] == [22, 23, 24]


def test_a_cell_is_the_callers_to_change(path):
    with open_rtdc(path) as recording:
        recording[3].frame[:] = 0
        assert np.array_equal(recording[3].frame[0], IMAGES[3])


def test_the_feature_time_comes_before_the_frame_number(tmp_path):
    with open_rtdc(write(tmp_path / "a.rtdc", time=np.arange(25) + 0.5)) as recording:
        assert recording[2].trigger_s == 2.5


def test_no_time_where_the_file_does_not_say(tmp_path):
    with open_rtdc(write(tmp_path / "a.rtdc", frame=None)) as recording:
        assert recording[2].trigger_s is None


def test_more_channels_and_fewer_features_when_asked(tmp_path):
    path = write(tmp_path / "a.rtdc", image_bg=IMAGES // 2, mask=(IMAGES > 99) * np.uint8(255))
    with open_rtdc(path, channels=("mask", "image", "image_bg"), features=("deform",)) as recording:
        assert recording.channels == ("mask", "brightfield", "background")
        cell = recording[7]
    assert np.array_equal(cell.frame, [(IMAGES[7] > 99) * 255, IMAGES[7], IMAGES[7] // 2])
    assert list(cell.facts) == ["deform"]
    assert cell.trigger_s == pytest.approx(0.035)


def test_a_boolean_mask_becomes_0_and_255(tmp_path):
    with open_rtdc(write(tmp_path / "a.rtdc", mask=IMAGES > 99), channels=("mask",)) as recording:
        assert np.array_equal(recording[1].frame[0], (IMAGES[1] > 99) * np.uint8(255))
        assert recording.dtype == np.uint8


def test_no_fact_where_a_feature_is_nan_or_ends_early(tmp_path):
    path = write(tmp_path / "a.rtdc", volume=np.where(np.arange(25) == 2, np.nan, 1.0), emodulus=np.ones(5))
    with open_rtdc(path) as recording:
        assert "volume" not in recording[2].facts
        assert "volume" in recording[3].facts
        assert [("emodulus" in recording[at].facts) for at in (4, 5)] == [True, False]


def test_events_without_an_image_are_counted(tmp_path):
    with open_rtdc(write(tmp_path / "a.rtdc", images=IMAGES[:20])) as recording:
        assert len(list(recording)) == 20
        assert recording.skipped == {"events/image: fewer images than events": 5}


def test_images_without_an_event_are_counted(tmp_path):
    with open_rtdc(write(tmp_path / "a.rtdc", n=21)) as recording:
        assert len(recording) == 21
        assert recording.skipped == {"events/image: more images than events": 4}


def test_a_file_without_events_opens_with_length_0(tmp_path):
    with open_rtdc(write(tmp_path / "a.rtdc", n=0, images=IMAGES[:0], image_options={})) as recording:
        assert len(recording) == 0
        assert recording.shape == (8, 12)
        assert list(recording) == []


def test_a_file_without_scalar_features_has_as_many_events_as_images(tmp_path):
    with open_rtdc(write(tmp_path / "a.rtdc", deform=None, frame=None, fl1_max=None)) as recording:
        assert len(recording) == 25


def test_damaged_chunks_cost_their_own_cells_only(path):
    with h5py.File(path) as file:
        where = file["events/image"].id.get_chunk_info(2)
        assert where.chunk_offset[0] == 8
    data = bytearray(path.read_bytes())
    data[where.byte_offset + 4 : where.byte_offset + 40] = bytes(36)
    path.write_bytes(data)
    with open_rtdc(path) as recording:
        with pytest.raises(CellsError, match="event 9: events/image"):
            recording[9]
        kept = [cell.facts["fl1_max"] for cell in recording]
        assert kept == [0, 1, 2, 3, 4, 5, 6, 7, *range(12, 25)]
        assert sum(recording.skipped.values()) == 4


def test_a_chunk_too_short_for_its_checksum_is_refused(tmp_path):
    """HDF5's checksum filter reads far past such a chunk, which ends the process: it must not come that far."""
    options = {"chunks": (4, 8, 12), "compression": "gzip", "fletcher32": True}
    path = write(tmp_path / "a.rtdc", image_options=options)
    with h5py.File(path, "r+") as file:
        file["events/image"].id.write_direct_chunk((8, 0, 0), b"abc")
    with open_rtdc(path) as recording:
        assert len(list(recording)) == 21
        assert recording.skipped == {"events/image: a chunk of 3 bytes packed": 4}


def test_images_never_stored_are_no_black_cells(tmp_path):
    path = write(tmp_path / "a.rtdc", images=None)
    with h5py.File(path, "r+") as file:
        image = file["events"].create_dataset("image", (25, 8, 12), "u1", chunks=(4, 8, 12))
        image[:8] = IMAGES[:8]
    with open_rtdc(path) as recording:
        assert len(list(recording)) == 8
        assert recording.skipped == {"events/image: nothing stored": 17}


@pytest.mark.parametrize("compression", ["zstd", "lz4", "blosc", "bitshuffle", "lzf"])
def test_the_usual_filters_are_read(tmp_path, compression):
    import hdf5plugin

    options = {
        "zstd": hdf5plugin.Zstd(),
        "lz4": hdf5plugin.LZ4(),
        "blosc": hdf5plugin.Blosc(),
        "bitshuffle": hdf5plugin.Bitshuffle(cname="zstd"),
        "lzf": {"compression": "lzf"},
    }[compression]
    path = write(tmp_path / "a.rtdc", image_options={"chunks": (4, 8, 12), "fletcher32": True, **dict(options)})
    with open_rtdc(path) as recording:
        assert np.array_equal([cell.frame[0] for cell in recording], IMAGES)


def test_rtdc_is_told_from_other_hdf5(path, tmp_path):
    plain = tmp_path / "plain.h5"
    with h5py.File(plain, "w") as file:
        file["events/image"] = IMAGES
    assert sniff_rtdc(path, head(path))
    assert sniff_hdf5(path, head(path))
    assert not sniff_rtdc(plain, head(plain))
    assert sniff_hdf5(plain, head(plain))
    other = tmp_path / "x.rtdc"
    other.write_bytes(b"\x93NUMPY" + bytes(100))
    assert not sniff_rtdc(other, head(other))
    assert not sniff_rtdc(tmp_path, b"")


def test_a_damaged_file_that_is_called_rtdc_is_taken_for_one(path):
    path.write_bytes(path.read_bytes()[:300])
    assert sniff_rtdc(path, head(path))
    assert refusal(path).field == "file"


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"channels": ("image_bg",)}, "events/image_bg"),
        ({"channels": ("deform",)}, "events/deform"),
        ({"channels": ()}, "channels"),
        ({"channels": ("image", "image")}, "channels"),
        ({"features": ("nonsense",)}, "features"),
    ],
)
def test_what_is_not_there_is_refused(path, options, field):
    assert refusal(path, **options).field == field


def test_no_images_at_all_is_refused_and_basins_are_named(tmp_path):
    path = write(tmp_path / "a.rtdc", images=None)
    assert refusal(path).field == "events/image"
    with h5py.File(path, "r+") as file:
        file["basins/key"] = ["{}"]
    assert "basins" in refusal(path).found


@pytest.mark.parametrize("kind", ["external", "soft", "events"])
def test_links_are_not_followed(path, tmp_path, kind):
    other = write(tmp_path / "other.rtdc")
    with h5py.File(path, "r+") as file:
        if kind == "events":
            del file["events"]
            file["events"] = h5py.ExternalLink(str(other), "/events")
        else:
            file.move("events/image", "events/image_bg")
            link = h5py.ExternalLink(str(other), "/events/image") if kind == "external" else h5py.SoftLink("image_bg")
            file["events/image"] = link
    assert "link" in refusal(path).found


@pytest.mark.parametrize("kind", ["virtual", "external"])
def test_bytes_in_other_files_are_not_read(tmp_path, kind):
    path = write(tmp_path / "a.rtdc", images=None)
    other = write(tmp_path / "other.rtdc")
    with h5py.File(path, "r+") as file:
        if kind == "virtual":
            layout = h5py.VirtualLayout((25, 8, 12), "u1")
            layout[:] = h5py.VirtualSource(str(other), "events/image", (25, 8, 12))
            file["events"].create_virtual_dataset("image", layout)
        else:
            file["events"].create_dataset("image", (25, 8, 12), "u1", external=[(str(other), 0, 25 * 96)])
    assert refusal(path).found == "data kept in other files"


def claim(path, shape, chunks, **options):
    with h5py.File(path, "r+") as file:
        file["events"].create_dataset("image", shape, "u1", chunks=chunks, maxshape=[None, None, None], **options)


@pytest.mark.parametrize(
    ("shape", "chunks"),
    [
        ((1 << 50, 8, 12), (4, 8, 12)),
        ((25, 1 << 20, 1 << 20), (1, 8, 12)),
        ((25, 8, 12), (1 << 12, 1 << 10, 1 << 9)),
        ((25, 200, 200), (1, 1, 1)),
    ],
)
def test_sizes_the_file_cannot_hold_are_refused(tmp_path, shape, chunks):
    path = write(tmp_path / "a.rtdc", images=None)
    claim(path, shape, chunks)
    assert "events/image" in str(refusal(path))


def test_filters_that_are_not_allowed_are_named(tmp_path):
    path = write(tmp_path / "a.rtdc", image_options={"chunks": (4, 8, 12), "scaleoffset": 0})
    error = refusal(path)
    assert "filter 6" in error.found
    assert "hdf5plugin" in error.expected


@pytest.mark.parametrize("codec", ["deflate", "zstd"])
def test_chunks_that_unpack_to_more_than_a_chunk_are_refused(tmp_path, codec):
    import zlib

    import hdf5plugin
    from numcodecs import Zstd

    bomb = bytes(16 << 20)
    packed = zlib.compress(bomb, 9) if codec == "deflate" else bytes(Zstd().encode(bomb))
    options = {"compression": "gzip"} if codec == "deflate" else dict(hdf5plugin.Zstd())
    path = write(
        tmp_path / "a.rtdc",
        images=np.zeros((25, 400, 400), np.uint8),
        image_options={"chunks": (1, 400, 400), **options},
    )
    with h5py.File(path, "r+") as file:
        file["events/image"].id.write_direct_chunk((3, 0, 0), packed)
    with open_rtdc(path) as recording:
        with pytest.raises(CellsError, match=r"unpacks to more|bytes packed"):
            recording[3]
        assert len(list(recording)) == 24


def test_mapped_float_images_with_nan_are_refused_per_cell(tmp_path):
    images = np.ones((25, 4, 4), np.float32)
    images[5, 1, 1] = np.nan
    with open_rtdc(write(tmp_path / "a.rtdc", qpi_pha=images), channels=("qpi_pha",)) as recording:
        assert len(list(recording)) == 24
        assert recording.skipped == {"events: NaN or infinite pixels": 1}


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir(), lambda path: path.write_bytes(b"")])
def test_what_is_no_file_is_refused(tmp_path, make):
    make(tmp_path / "no.rtdc")
    assert refusal(tmp_path / "no.rtdc").field == "file"


def test_a_missing_library_is_named(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "hdf5plugin", None)
    with pytest.raises(MissingExtraError, match=r"reading RT-DC files.*cellgate\[files\]"):
        open_rtdc(path)
    assert sniff_rtdc(path, head(path))


def test_importing_the_readers_imports_no_library():
    code = "import sys, engines.cells.hdf5; print([m for m in ('h5py', 'hdf5plugin', 'zarr') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


FILES = {
    "blood_rbc_leukocytes.rtdc": (18, (80, 250), 0.34, "Donor_AJ_Chip1", 19),
    "dcnum_thresh_example.rtdc": (13, (80, 320), 0.2645, "Example", 53),
    "empty_shapein.rtdc": (0, (80, 250), 0.339, None, 0),
    "example_video.rtdc": (10, (80, 250), 0.34, "docs-data-10-frames", 16),
}


@pytest.mark.skipif(not RTDC.is_dir(), reason="no real RT-DC files here")
@pytest.mark.parametrize("name", FILES)
def test_real_files(name):
    count, shape, pixel, sample, facts = FILES[name]
    path = RTDC / name
    assert sniff_rtdc(path, head(path))
    with open_rtdc(path) as recording:
        assert (len(recording), recording.shape, recording.dtype) == (count, shape, np.uint8)
        assert recording.channels == ("brightfield",)
        assert recording.pixel_um == pytest.approx(pixel)
        cells = list(recording)
        assert not recording.skipped
    with h5py.File(path) as file:
        assert (
            np.array_equal([cell.frame[0] for cell in cells], file["events/image"][:].reshape(count, *shape))
            or not count
        )
    assert {cell.group for cell in cells} == ({sample} if sample else set())
    assert {len(cell.facts) for cell in cells} == ({facts} if facts else set())
    assert all(cell.trigger_s is not None for cell in cells)


@pytest.mark.skipif(not RTDC.is_dir(), reason="no real RT-DC files here")
def test_real_files_with_more_channels():
    with open_rtdc(RTDC / "dcnum_thresh_example.rtdc", channels=("image", "image_bg", "mask")) as recording:
        assert recording[0].frame.shape == (3, 80, 320)
        assert recording[0].trigger_s == pytest.approx(5.27022)
    # Its mask is stored twice over (20 for 10 events), and it has no `time`: frame 176 at 4000 per second.
    with open_rtdc(RTDC / "example_video.rtdc", channels=("image", "mask")) as recording:
        assert len(list(recording)) == 10
        assert recording[0].trigger_s == pytest.approx(0.044)
        assert not recording.skipped
    with pytest.raises(CellsError, match="events/image, events/mask"):
        open_hdf5(RTDC / "example_video.rtdc")
