"""Folders of images: which file is which cell, channel, class and group, and what cannot be read is counted."""

import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from engines.cells import gather, open_recording
from engines.cells.folder import open_folder
from engines.errors import CellsError, InputError
from tests.support.made_cells import write_image


def gray(level, height=6, width=5, dtype=np.uint8):
    return np.full((height, width), level, dtype)


def found(recording):
    """Return what a recording holds: cell → (class, group, counts of each channel)."""
    return {
        cell.facts["file"]: (
            recording.classes[cell.label] if cell.label >= 0 else None,
            cell.group,
            cell.frame[:, 0, 0].tolist(),
        )
        for cell in recording
    }


@pytest.mark.parametrize("ending", ["png", "tif", "tiff", "bmp", "jpg", "PNG"])
def test_one_file_per_cell_in_a_folder_per_class(tmp_path, ending):
    for label in ("round", "flat"):
        for number in range(3):
            write_image(tmp_path / label / f"{number}.{ending}", gray(100 * (label == "flat") + number))
    recording = open_recording(tmp_path)
    assert (recording.kind, len(recording), recording.classes) == ("folder", 6, ("flat", "round"))
    assert (recording.channels, recording.shape, recording.dtype) == (("gray",), (6, 5), np.uint8)
    assert found(recording)[f"flat/2.{ending}"] == ("flat", "", [102])
    assert found(recording)[f"round/1.{ending}"] == ("round", "", [1])


@pytest.mark.parametrize(("ending", "dtype"), [("png", np.uint16), ("tif", np.uint16), ("tif", np.float32)])
def test_counts_of_more_than_eight_bits_are_kept(tmp_path, ending, dtype):
    pixels = np.arange(30, dtype=dtype).reshape(6, 5) * 2000
    write_image(tmp_path / "a" / f"1.{ending}", pixels)
    recording = open_recording(tmp_path)
    assert recording.dtype == dtype
    assert np.array_equal(recording[0].frame[0], pixels)


def test_pages_and_colours_are_channels(tmp_path):
    stack = np.stack([gray(level, dtype=np.uint16) for level in (1, 2, 3, 4)])
    write_image(tmp_path / "tiffs" / "x" / "1.tif", stack)
    recording = open_recording(tmp_path / "tiffs")
    assert recording.channels == ("channel 1", "channel 2", "channel 3", "channel 4")
    assert recording[0].frame[:, 0, 0].tolist() == [1, 2, 3, 4]
    colour = np.zeros((6, 5, 3), np.uint8) + np.array([10, 20, 30], np.uint8)
    write_image(tmp_path / "pngs" / "x" / "1.png", colour)
    recording = open_recording(tmp_path / "pngs")
    assert recording.channels == ("red", "green", "blue")
    assert recording[0].frame[:, 0, 0].tolist() == [10, 20, 30]


def test_pages_that_are_the_same_stay_channels_but_a_gray_image_in_colour_is_one(tmp_path):
    write_image(tmp_path / "tiffs" / "1.tif", np.stack([gray(7)] * 3))
    assert len(open_recording(tmp_path / "tiffs").channels) == 3
    write_image(tmp_path / "pngs" / "1.png", np.repeat(gray(7)[:, :, None], 3, axis=2))
    assert open_recording(tmp_path / "pngs").channels == ("gray",)


def test_channels_may_be_named(tmp_path):
    write_image(tmp_path / "x" / "1.tif", np.stack([gray(1), gray(2)]))
    assert open_folder(tmp_path, channels=("bf", "df")).channels == ("bf", "df")
    with pytest.raises(InputError, match="2 distinct names"):
        open_folder(tmp_path, channels=("bf",))


@pytest.mark.parametrize(
    ("names", "channels"),
    [
        ("{}_Ch1.tif {}_Ch2.tif {}_Ch10.tif", ("Ch1", "Ch2", "Ch10")),
        ("{}_Ch3.ome.tif {}_Ch6.ome.tif", ("Ch3", "Ch6")),
        ("{}-brightfield.png {}-PI.png", ("PI", "brightfield")),
        ("cell_{}_ch01.png cell_{}_ch02.png", ("ch01", "ch02")),
    ],
)
def test_one_file_per_cell_and_channel_by_common_names(tmp_path, names, channels):
    patterns = names.split()
    for label in ("a", "b"):
        for number in range(4):
            for plane, name in enumerate(patterns):
                write_image(tmp_path / label / name.format(number), gray(10 * number + plane))
    recording = open_recording(tmp_path)
    assert (len(recording), recording.channels) == (8, channels)
    order = [next(i for i, name in enumerate(patterns) if f"{channel}." in name) for channel in channels]
    assert [cell.frame[:, 0, 0].tolist() for cell in recording.cells(4)] == [
        [10 * number + plane for plane in order] for number in range(4)
    ]


def test_the_layout_of_bbbc048(tmp_path):
    """Seven folders in one, JPEG in three channels per cell: how the cell-cycle set of the Broad Institute comes."""
    phases = ("Anaphase", "G1", "G2", "Metaphase", "Prophase", "S", "Telophase")
    for phase in phases:
        for number in (12, 7, 102):
            for channel in (3, 4, 6):
                write_image(
                    tmp_path / "CellCycle" / phase / f"{number}_Ch{channel}.ome.jpg", gray(16 * channel, 66, 66)
                )
    for path in (tmp_path, tmp_path / "CellCycle"):
        recording = open_recording(path)
        assert recording.classes == phases
        assert recording.channels == ("Ch3", "Ch4", "Ch6")
        assert len(recording) == 21
        assert recording.shape == (66, 66)
        assert [cell.facts["cell"] for cell in recording][:3] == ["7", "12", "102"]
        assert np.allclose(recording[5].frame[:, 30, 30], [48, 64, 96], atol=1)


def test_a_cell_without_one_of_its_channels_is_skipped_and_counted(tmp_path):
    for number in range(5):
        for channel in (1, 2):
            if (number, channel) != (3, 2):
                write_image(tmp_path / "a" / f"{number}_Ch{channel}.png", gray(number))
    write_image(tmp_path / "a" / "0_Ch7.png", gray(0))
    recording = open_recording(tmp_path)
    assert (len(recording), recording.channels) == (4, ("Ch1", "Ch2"))
    assert recording.skipped == {"channel Ch2: no image": 1}
    assert recording.about["channels left out"] == "Ch7 (1)"
    only = open_folder(tmp_path, channels=("Ch1",))
    assert (len(only), only.channels, only.skipped) == (5, ("Ch1",), {})
    with pytest.raises(InputError, match=r"channels: found Ch3, expected one of Ch1, Ch2, Ch7"):
        open_folder(tmp_path, channels=("Ch1", "Ch3"))


def test_a_pattern_says_cell_channel_group_and_class(tmp_path):
    for label in ("T", "B"):
        for day in (1, 2):
            for plane in ("x", "y"):
                write_image(tmp_path / f"{label}-d{day}-{plane}-0815.png", gray(ord(plane)))
    recording = open_folder(
        tmp_path, pattern=r"(?P<class>[TB])-(?P<group>d\d)-(?P<channel>[xy])-(?P<cell>\d+)", levels=""
    )
    assert (recording.classes, recording.channels, len(recording)) == (("B", "T"), ("x", "y"), 4)
    assert found(recording)["B-d2-x-0815.png"] == ("B", "d2", [120, 121])


def test_names_that_do_not_follow_the_pattern_are_counted(tmp_path):
    for name in ("1_a.png", "2_a.png", "overview.png"):
        write_image(tmp_path / name, gray(1))
    recording = open_folder(tmp_path, pattern=r"(?P<cell>\d+)_(?P<channel>a)")
    assert len(recording) == 2
    assert recording.skipped == {"name: does not follow the pattern": 1}


@pytest.mark.parametrize("levels", ["group/class", "class/group"])
def test_groups_by_folders(tmp_path, levels):
    for outer in ("one", "two"):
        for inner in ("in", "out"):
            write_image(tmp_path / outer / inner / "1.png", gray(1))
    recording = open_recording(tmp_path, levels=levels)
    assert len(recording) == 4
    assert set(recording.classes) == ({"in", "out"} if levels == "group/class" else {"one", "two"})
    assert {cell.group for cell in recording} == ({"one", "two"} if levels == "group/class" else {"in", "out"})
    assert set(gather(recording).groups) == {cell.group for cell in recording}


def test_deeper_folders_ask_for_levels(tmp_path):
    write_image(tmp_path / "day 1" / "x" / "1.png", gray(1))
    write_image(tmp_path / "day 2" / "y" / "1.png", gray(1))
    with pytest.raises(CellsError, match="levels"):
        open_recording(tmp_path)
    for wrong in ("day", "class/class", "class/"):
        with pytest.raises(InputError, match="levels"):
            open_recording(tmp_path, levels=wrong)


def test_images_without_class_folders_are_cells_without_classes(tmp_path):
    for number in range(3):
        write_image(tmp_path / f"{number}.png", gray(number))
    recording = open_recording(tmp_path)
    assert (len(recording), recording.classes) == (3, ())
    assert gather(recording).labels is None


def test_what_does_not_belong_is_counted_or_passed_over(tmp_path):
    write_image(tmp_path / "a" / "1.png", gray(1))
    write_image(tmp_path / "stray.png", gray(1))
    write_image(tmp_path / "a" / "deeper" / "2.png", gray(1))
    write_image(tmp_path / ".hidden" / "3.png", gray(1))
    (tmp_path / "a" / "._1.png").write_bytes(b"left by a Mac")
    (tmp_path / "a" / "notes.txt").write_text("hello")
    (tmp_path / "empty").mkdir()
    recording = open_recording(tmp_path)
    assert (len(recording), recording.classes) == (1, ("a",))
    assert recording.skipped == {"an image outside a class folder": 1, "a folder deeper than class": 1}
    assert recording.about["files that are no images"] == "1"


def test_links_that_lead_out_of_the_folder_are_not_followed(tmp_path):
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    write_image(inside / "a" / "1.png", gray(1))
    write_image(outside / "secret.png", gray(2))
    (inside / "a" / "file.png").symlink_to(outside / "secret.png")
    (inside / "b").symlink_to(outside)
    (inside / "a" / "own.png").symlink_to(inside / "a" / "1.png")
    (inside / "a" / "loop").symlink_to(inside)
    recording = open_recording(inside)
    assert sorted(found(recording)) == ["a/1.png", "a/own.png"]
    assert recording.skipped["a link that leads out of the folder"] == 2


def test_a_pipe_with_an_images_name_does_not_hold_everything_up(tmp_path):
    write_image(tmp_path / "a" / "1.png", gray(1))
    os.mkfifo(tmp_path / "a" / "2.png")
    assert len(open_recording(tmp_path)) == 1


def test_unreadable_images_are_skipped_and_counted(tmp_path):
    for number in range(20):
        write_image(tmp_path / "a" / f"{number:02}.png", gray(number))
    (tmp_path / "a" / "20.png").write_bytes(b"this is no image")
    (tmp_path / "a" / "21.png").write_bytes(b"")
    (tmp_path / "a" / "22.tif").write_bytes(b"II*\x00\x08\x00\x00\x00")
    (tmp_path / "a" / "23.png").write_bytes((tmp_path / "a" / "01.png").read_bytes()[:50])
    write_image(tmp_path / "a" / "24.png", gray(1, dtype=np.uint16))
    write_image(tmp_path / "a" / "25.tif", np.stack([gray(1), gray(2)]))
    Image.new("I;16", (5000, 2)).save(tmp_path / "a" / "26.png")
    cells = gather(open_recording(tmp_path))
    assert cells.frames[:, 0, 0, 0].tolist() == list(range(20))
    assert cells.skipped == {
        "image: one that cannot be decoded": 3,
        "file: an empty file": 1,
        "dtype: uint16": 1,
        "channels: 2": 1,
        "size: 2 × 5000": 1,
    }


def test_channels_that_do_not_fit_together_are_a_damaged_cell(tmp_path):
    for number in range(9):
        write_image(tmp_path / f"{number}_Ch1.png", gray(1))
        write_image(tmp_path / f"{number}_Ch2.png", gray(2))
    write_image(tmp_path / "7_Ch2.png", gray(2, height=7))
    write_image(tmp_path / "8_Ch2.png", gray(2, dtype=np.uint16))
    write_image(tmp_path / "6_Ch2.tif", np.stack([gray(2)] * 2))
    (tmp_path / "6_Ch2.png").unlink()
    cells = gather(open_recording(tmp_path))
    assert len(cells) == 6
    assert cells.skipped == {
        "image: 2 planes": 1,
        "channels: images of different size": 1,
        "channels: images of different dtype": 1,
    }


def png(width, height, depth, colour, rows):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_sixteen_bits_of_colour_are_refused_rather_than_cut_to_eight(tmp_path):
    (tmp_path / "1.png").write_bytes(png(4, 4, 16, 2, bytes(4 * 25)))
    with pytest.raises(CellsError, match="16-bit colour"):
        open_recording(tmp_path)


def test_a_folder_where_nothing_can_be_read_says_why(tmp_path):
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(b"this is no image")
    with pytest.raises(CellsError, match="cannot be decoded"):
        open_recording(tmp_path)
    (tmp_path / "none").mkdir()
    with pytest.raises(CellsError, match="an empty folder"):
        open_recording(tmp_path / "none")
    with pytest.raises(CellsError, match="no folder"):
        open_folder(tmp_path / "0.png")


def test_an_image_that_disappears_is_one_cell_less(tmp_path):
    for number in range(3):
        write_image(tmp_path / f"{number}.png", gray(number))
    recording = open_recording(tmp_path)
    (tmp_path / "1.png").unlink()
    assert len(list(recording)) == 2
    assert recording.skipped == {"file: No such file or directory": 1}
    with pytest.raises(IndexError):
        recording[3]


@pytest.mark.parametrize("sides", [(4097, 4), (20_000, 20_000), (2**31 - 1, 2**31 - 1)])
def test_a_decompression_bomb_is_refused_by_its_size(tmp_path, sides):
    write_image(tmp_path / "1.png", gray(1))
    (tmp_path / "2.png").write_bytes(png(*sides, 8, 0, bytes(10_000_000)))
    recording = open_recording(tmp_path)
    assert len(list(recording)) == 1
    assert recording.skipped.total() == 1


def test_a_name_that_is_no_utf8(tmp_path):
    write_image(tmp_path / "made" / "1.png", gray(1))
    try:
        (tmp_path / "made").rename(tmp_path / os.fsdecode(b"bl\xfc"))
    except OSError:
        pytest.skip("this file system has no such names")
    recording = open_recording(tmp_path)
    assert recording.classes == ("bl\ufffd",)
    assert (recording[0].label, recording[0].facts["file"]) == (0, "bl\ufffd/1.png")


def test_counts_that_are_no_numbers_are_damage(tmp_path):
    for number, value in enumerate((1, np.nan, np.inf, 2)):
        write_image(tmp_path / "a" / f"{number}.tif", gray(value, dtype=np.float32))
    recording = open_recording(tmp_path)
    assert [cell.frame[0, 0, 0] for cell in recording] == [1, 2]
    assert recording.skipped == {"pixels: NaN or infinite values": 2}


def test_more_classes_than_labels_can_say(tmp_path, monkeypatch):
    monkeypatch.setattr("engines.cells.folder._open._MOST_CLASSES", 2)
    for label in "abc":
        write_image(tmp_path / label / "1.png", gray(1))
    with pytest.raises(InputError, match="levels"):
        open_folder(tmp_path)
    assert len(open_folder(tmp_path, levels="group")) == 3
