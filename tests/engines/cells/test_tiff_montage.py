from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from engines.cells.tiff import open_montage, sniff_imagestream, sniff_montage
from engines.cells.tiff._tiles import Layout
from engines.errors import CellsError, InputError

TILE = 6


def cells(n, channels=1, seed=0, dtype=np.uint16):
    return np.random.default_rng(seed).integers(1, 250, size=(n, channels, TILE, TILE)).astype(dtype)


def montage(frames, columns, rows, gap=0, order="rows", fill=0):
    """Lay out `(n, C, h, w)` frames as `(C, H, W)`, the plain way."""
    n, channels, height, width = frames.shape
    shape = (channels, rows * (height + gap) - gap, columns * (width + gap) - gap)
    out = np.full(shape, fill, frames.dtype)
    for at in range(n):
        row, column = divmod(at, columns) if order == "rows" else divmod(at, rows)[::-1]
        top, left = row * (height + gap), column * (width + gap)
        out[:, top : top + height, left : left + width] = frames[at]
    return out


def save(file, image, **options):
    if file.suffix == ".png":
        Image.fromarray(image).save(file)
    else:
        tifffile.imwrite(file, image, photometric="minisblack", metadata=None, **options)
    return file


def frames_of(recording):
    return np.stack([cell.frame for cell in recording])


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 5),
    columns=st.integers(1, 5),
    gap=st.integers(0, 3),
    order=st.sampled_from(["rows", "columns"]),
    share=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_a_layout_cuts_what_was_laid_out(rows, columns, gap, order, share, seed):
    frames = cells(rows * columns, 1, seed)
    planes = montage(frames, columns, rows, gap, order)
    layout = Layout((TILE, TILE), gap, order, share)
    grid = layout.grid("montage", *planes.shape[1:])
    assert grid == (rows, columns)
    for at in range(rows * columns // share):
        np.testing.assert_array_equal(layout.cut(planes, at, grid), frames[at * share : (at + 1) * share, 0])


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"compression": "lzw", "predictor": True}])
@pytest.mark.parametrize("order", ["rows", "columns"])
def test_pages_are_channels(tmp_path, options, order):
    frames = cells(11, 3)
    file = save(tmp_path / "all.tif", montage(frames, 4, 3, 2, order), **options)
    recording = open_montage(file, tile=TILE, gap=2, order=order)
    np.testing.assert_array_equal(frames_of(recording), frames)
    assert (recording.channels, recording.shape) == (("Page 1", "Page 2", "Page 3"), (TILE, TILE))
    assert (recording.kind, recording.dtype) == ("montage", np.uint16)
    assert recording.skipped == {"empty tile": 1}


def test_tiled_and_big_endian_and_big_tiffs(tmp_path):
    frames = cells(12, 2)
    image = montage(frames, 4, 3)
    for number, options in enumerate([{"tile": (16, 16)}, {"byteorder": ">"}, {"bigtiff": True}, {"rowsperstrip": 5}]):
        file = save(tmp_path / f"{number}.tif", image, **options)
        np.testing.assert_array_equal(frames_of(open_montage(file, tile=TILE)), frames)


def test_float_montages_with_a_hole(tmp_path):
    frames = cells(4, 1).astype(np.float32)
    frames[2, 0, 1, 1] = np.nan
    recording = open_montage(save(tmp_path / "f.tif", montage(frames, 2, 2)), tile=TILE)
    assert [cell.facts["tile"] for cell in recording] == [0, 1, 3]
    assert recording.skipped == {"pixels: NaN or infinite values": 1}


def test_constant_tiles_are_empty_wherever_they_are_and_whatever_they_hold(tmp_path):
    frames = cells(5)
    frames[1] = 77
    recording = open_montage(save(tmp_path / "m.tif", montage(frames, 3, 2, fill=9)), tile=TILE)
    assert [cell.facts["tile"] for cell in recording] == [0, 2, 3, 4]
    assert recording.skipped == {"empty tile": 2}


def test_a_cell_dark_in_one_channel_is_a_cell(tmp_path):
    frames = cells(4, 2)
    frames[1, 1] = 0
    assert len(open_montage(save(tmp_path / "m.tif", montage(frames, 2, 2)), tile=TILE)) == 4


def test_consecutive_tiles_are_channels(tmp_path):
    frames = cells(12)
    recording = open_montage(save(tmp_path / "m.tif", montage(frames, 5, 3)[0]), tile=TILE, tiles_per_cell=3)
    np.testing.assert_array_equal(frames_of(recording), frames.reshape(4, 3, TILE, TILE))
    assert recording.channels == ("Tile 1", "Tile 2", "Tile 3")
    assert recording.skipped == {"empty tile": 1}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_png_montages(tmp_path, dtype):
    frames = cells(9, 1, dtype=dtype) * dtype(1 if dtype is np.uint8 else 200)
    recording = open_montage(save(tmp_path / "m.png", montage(frames, 3, 3)[0]), tile=TILE)
    assert recording.dtype == dtype
    np.testing.assert_array_equal(frames_of(recording), frames)


@pytest.mark.parametrize("mode", ["RGB", "P", "1", "LA"])
def test_png_that_is_not_grey_counts_is_refused(tmp_path, mode):
    Image.new(mode, (12, 12)).save(tmp_path / "m.png")
    with pytest.raises(CellsError, match="grey"):
        open_montage(tmp_path / "m.png", tile=TILE)


def test_class_folders_with_a_file_for_each_channel(tmp_path):
    expected = []
    for label, name in enumerate(["G1", "S"]):
        (tmp_path / name).mkdir()
        for part in range(2):
            frames = cells(4 - part, 2, seed=10 * label + part)
            expected += [(label, frame) for frame in frames]
            for channel, plane in zip((10, 3), montage(frames, 2, 2), strict=True):
                save(tmp_path / name / f"Ch{channel}_CP{part + 1:04d}.tif", plane)
    with open_montage(tmp_path, tile=TILE) as recording:
        found = list(recording)
        assert (recording.channels, recording.classes) == (("Ch3", "Ch10"), ("G1", "S"))
        assert recording.skipped == {"empty tile": 2}
        assert len(recording) == len(expected) == 14
        np.testing.assert_array_equal(recording[13].frame, expected[13][1][::-1])
        np.testing.assert_array_equal(recording[0].frame, expected[0][1][::-1])
    for cell, (label, frame) in zip(found, expected, strict=True):
        assert cell.label == label
        np.testing.assert_array_equal(cell.frame, frame[::-1])


def test_a_channel_file_brings_its_neighbours(tmp_path):
    frames = cells(4, 2)
    for channel, plane in zip((1, 2), montage(frames, 2, 2), strict=True):
        save(tmp_path / f"ch{channel}.tif", plane)
        save(tmp_path / f"ch{channel}_2.tif", plane[:TILE])
    recording = open_montage(tmp_path / "ch2.tif", tile=TILE)
    assert recording.channels == ("Ch1", "Ch2")
    np.testing.assert_array_equal(frames_of(recording), frames)
    assert len(open_montage(tmp_path, tile=TILE)) == 6


def test_montages_that_do_not_belong_together(tmp_path):
    save(tmp_path / "Ch1_a.tif", montage(cells(4), 2, 2)[0])
    save(tmp_path / "Ch2_b.tif", montage(cells(4), 2, 2)[0])
    with pytest.raises(CellsError, match="channels"):
        open_montage(tmp_path, tile=TILE)
    (tmp_path / "Ch2_b.tif").unlink()
    save(tmp_path / "Ch2_a.tif", montage(cells(6), 3, 2)[0])
    with pytest.raises(CellsError, match="different sizes"):
        open_montage(tmp_path, tile=TILE)


def test_imagej_says_how_many_tiles_it_laid_out(tmp_path):
    frames = cells(6)
    file, image = tmp_path / "Montage.tif", montage(frames, 3, 2)[0]
    tifffile.imwrite(file, image, imagej=True, metadata={"Info": "xMontage=3\nyMontage=2\n"})
    recording = open_montage(file)
    assert recording.about["tile"] == "6 x 6"
    np.testing.assert_array_equal(frames_of(recording), frames)
    tifffile.imwrite(file, image, imagej=True, metadata={"Info": "xMontage=4\nyMontage=2\n"})
    with pytest.raises(CellsError, match="--hint tile=66"):
        open_montage(file)
    tifffile.imwrite(file, np.zeros((4, 5000), np.uint8), imagej=True, metadata={"Info": "xMontage=1\nyMontage=1\n"})
    with pytest.raises(CellsError, match="--hint tile=66"):
        open_montage(file)


def test_a_stack_is_cells_where_the_user_says_so(tmp_path):
    frames = cells(5)[:, 0]
    recording = open_montage(save(tmp_path / "s.tif", frames), pages="cells")
    np.testing.assert_array_equal(frames_of(recording), frames[:, None])
    assert (recording.kind, recording.channels, recording.shape) == ("stack", ("Page",), (TILE, TILE))
    assert [cell.facts["page"] for cell in recording] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("hints", "kind", "words"),
    [
        ({}, CellsError, "--hint tile=66"),
        ({"tile": 5}, CellsError, "whole number of tiles of 5 x 5"),
        ({"tile": TILE, "gap": 1}, CellsError, "with a gap of 1"),
        ({"tile": 0}, InputError, "tile"),
        ({"tile": (6, 100_000)}, InputError, "tile"),
        ({"tile": TILE, "gap": -1}, InputError, "gap"),
        ({"tile": TILE, "order": "spiral"}, InputError, "rows or columns"),
        ({"tile": TILE, "tiles_per_cell": 0}, InputError, "1 to 64"),
        ({"tile": TILE, "tiles_per_cell": 5}, CellsError, "5 for one cell"),
        ({"tile": TILE, "pages": "frames"}, InputError, "channels or cells"),
    ],
)
def test_hints_that_cannot_be(tmp_path, hints, kind, words):
    file = save(tmp_path / "m.tif", montage(cells(4), 2, 2)[0])
    with pytest.raises(kind, match=words) as error:
        open_montage(file, **hints)
    assert "\n" not in str(error.value)


def test_pages_and_tiles_cannot_both_be_channels(tmp_path):
    file = save(tmp_path / "m.tif", montage(cells(4, 2), 2, 2))
    with pytest.raises(CellsError, match="consecutive tiles"):
        open_montage(file, tile=TILE, tiles_per_cell=2)


def test_empty_tiles_only_and_nothing_there(tmp_path):
    file = save(tmp_path / "m.tif", np.zeros((12, 12), np.uint8))
    with pytest.raises(CellsError, match="empty tiles only"):
        open_montage(file, tile=TILE)
    for path in (tmp_path / "gone.tif", tmp_path / "Ch1_gone.tif"):
        with pytest.raises(CellsError):
            open_montage(path, tile=TILE)
    (tmp_path / "folder").mkdir()
    with pytest.raises(CellsError, match="no TIFF or PNG"):
        open_montage(tmp_path / "folder", tile=TILE)


def test_sniff_takes_large_images_only(tmp_path):
    large, small = np.zeros((600, 90), np.uint8), np.zeros((90, 90), np.uint8)
    for name in ("m.tif", "m.png", "a_1_Ch1.ome.tif", "Ch3_CP0001.tif"):
        file = save(tmp_path / name, large)
        assert sniff_montage(file, file.read_bytes()[:64]) is not sniff_imagestream(file, file.read_bytes()[:64])
        file = save(tmp_path / name, small)
        assert not sniff_montage(file, file.read_bytes()[:64])
    assert not sniff_montage(tmp_path / "m.tif", b"CDF\1")


def test_sniff_takes_folders_of_large_channel_files(tmp_path):
    (tmp_path / "G1").mkdir()
    save(tmp_path / "G1" / "Ch3_CP0001.tif", np.zeros((90, 90), np.uint8))
    assert not sniff_montage(tmp_path, b"")
    save(tmp_path / "G1" / "Ch3_CP0001.tif", np.zeros((600, 600), np.uint8))
    assert sniff_montage(tmp_path, b"")
    assert sniff_montage(tmp_path / "G1", b"")
    assert not sniff_montage(Path(tmp_path / "gone"), b"")


def test_an_amnis_file_is_no_montage(tmp_path):
    file = tmp_path / "m.cif"
    tifffile.imwrite(file, np.zeros((600, 600), np.uint8), metadata=None, extratags=[(33000, 3, 1, 12, True)])
    assert not sniff_montage(file, file.read_bytes()[:64])


def test_skipped_counts_do_not_grow_when_read_again(tmp_path):
    recording = open_montage(save(tmp_path / "m.tif", montage(cells(3), 2, 2)[0]), tile=TILE)
    assert (len(list(recording)), len(list(recording))) == (3, 3)
    assert recording.skipped == Counter({"empty tile": 1})
