"""CIF and RIF files: what the tests' writer wrote is read, cell by cell, with what the file says of it."""

import itertools
import struct

import numpy as np
import pytest

from engines.cells.cif import open_cif, sniff_cif
from engines.errors import CellsError
from tests.support.cif_writer import GREY, MASK, RAW, Ifd, file_ifd, make_frames, plane_ifd, write_cif, write_ifds

BOTH = ("<", ">")
GIB = 1 << 30
IN_USE = "ChannelInUseIndicators_0_11"


@pytest.mark.parametrize(
    ("order", "compression", "channels", "strips"), list(itertools.product(BOTH, (RAW, GREY), (1, 2, 12), (1, 2, 5)))
)
def test_images_and_masks_are_read(tmp_path, order, compression, channels, strips):
    frames, masks = make_frames(channels, 4, channels)
    how = {"order": order, "compression": compression, "strips": strips}
    write_cif(tmp_path / "a.cif", frames, masks, **how)
    with open_cif(tmp_path / "a.cif") as recording:
        assert len(recording) == 4
        for i, cell in enumerate(recording):
            assert cell.frame.dtype == np.uint16
            assert cell.frame.dtype.isnative
            assert cell.frame.flags.c_contiguous
            assert np.array_equal(cell.frame, frames[i])
            assert np.array_equal(recording.mask(i), masks[i] == 1)
        assert np.array_equal(recording[2].frame, frames[2])
        assert [cell.facts["object"] for cell in recording.cells(1)] == [1, 2, 3]
        assert not recording.skipped


def test_what_the_file_says_of_itself(tmp_path):
    frames, _ = make_frames(0, 2, 3)
    in_use = [1, 0, 0, 1, 0, 1]
    write_cif(tmp_path / "a.cif", frames, in_use=in_use)
    with open_cif(str(tmp_path / "a.cif")) as recording:
        assert recording.name == str(tmp_path / "a.cif")
        assert recording.kind == "cif"
        assert recording.channels == ("Ch01", "Ch04", "Ch06")
        assert recording.dtype == np.uint16
        assert recording.classes == ()
        assert recording.about == {
            "date": "3/14/2024 1:59:26 PM",
            "instrument": "ISX 430",
            "channel descriptions": "stain 1|stain 4|stain 6",
            "magnification": "40",
            "objects": "2",
        }


@pytest.mark.parametrize(
    ("in_use", "names", "expected"),
    [
        ([1, 0, 1], ["BF", "SSC"], ("BF", "SSC")),  # names of those in use only
        ([1, 0, 1], ["a", "b", "c", "d"], ("Ch1", "Ch3")),
        ([1, 0, 1], ["BF", "x", "BF"], ("Ch1", "Ch3")),
        ([1, 0, 1], ["", "", "c"], ("Ch1", "Ch3")),
        ([1, 1], [" BF ", "SS\x07C"], ("BF", "SS C")),
    ],
)
def test_channel_names(tmp_path, in_use, names, expected):
    frames, _ = make_frames(0, 1, 2)
    write_cif(tmp_path / "a.cif", frames, in_use=in_use, names=names)
    with open_cif(tmp_path / "a.cif") as recording:
        assert recording.channels == expected


@pytest.mark.parametrize(
    ("changes", "channels"),
    [
        ({"_33027": ("text", "")}, 3),  # the names, where there are no indicators
        ({"_33027": ("text", ""), "_33000": ("long", [1])}, 3),  # some files say 1 whatever there is
        ({"_33027": ("text", ""), "_33007": ("text", ""), "_33008": ("text", "")}, 3),
        ({"_33027": ("text", f"<x><{IN_USE}>\n1 1\t1 </{IN_USE}"), "_33007": ("text", "")}, 3),
    ],
)
def test_number_of_channels_where_the_file_says_less(tmp_path, changes, channels):
    frames, _ = make_frames(0, 2, channels)
    write_cif(tmp_path / "a.cif", frames, **changes)
    with open_cif(tmp_path / "a.cif") as recording:
        assert len(recording.channels) == channels
        assert np.array_equal(recording[1].frame, frames[1])


def test_xml_is_not_expanded(tmp_path):
    bomb = '<!DOCTYPE x [<!ENTITY a "1 1 1"><!ENTITY b "&a;&a;&a;">]><ChannelInUseIndicators_0_11>&b;</'
    frames, _ = make_frames(0, 1, 2)
    write_cif(tmp_path / "a.cif", frames, _33027=("text", bomb))
    with open_cif(tmp_path / "a.cif") as recording:
        assert recording.channels == ("Ch01", "Ch02")


def test_a_rif_is_known_by_its_suffix(tmp_path):
    write_cif(tmp_path / "a.RIF", make_frames(0, 1, 1)[0])
    with open_cif(tmp_path / "a.RIF") as recording:
        assert recording.kind == "rif"


def test_one_shape_is_told_and_several_are_not(tmp_path):
    frames = [np.full((3, 5, 7), i, np.uint16) for i in range(3)]
    write_cif(tmp_path / "a.cif", frames)
    write_cif(tmp_path / "b.cif", [*frames, np.ones((3, 7, 5), np.uint16)])
    with open_cif(tmp_path / "a.cif") as one, open_cif(tmp_path / "b.cif") as several:
        assert one.shape == (5, 7)
        assert several.shape is None


@pytest.mark.parametrize("order", BOTH)
@pytest.mark.parametrize(("kind", "x", "y"), [("long", 17, 40000), ("float", 1.5, -2.25), ("double", 0.1, 1e9)])
def test_object_numbers_and_centres(tmp_path, order, kind, x, y):
    frame = make_frames(0, 1, 1)[0][0]
    ifd = plane_ifd(frame, 71, order=order)
    ifd.tags |= {33071: (kind, [x]), 33072: (kind, [y])}
    write_ifds(tmp_path / "a.cif", [file_ifd(1, 1), ifd], order)
    with open_cif(tmp_path / "a.cif") as recording:
        assert recording[0].facts == {"object": 71, "centre_x": x, "centre_y": y}


def test_masks_are_paired_by_object(tmp_path):
    frames, masks = make_frames(0, 4, 2)
    images = [plane_ifd(frame, i) for i, frame in enumerate(frames)]
    others = [plane_ifd(mask, i, kind=3, compression=MASK) for i, mask in enumerate(masks)]
    mixed = [others[3], images[2], images[0], others[0], images[3], others[2], images[1]]
    write_ifds(tmp_path / "a.cif", [file_ifd(2, 4), *mixed])
    with open_cif(tmp_path / "a.cif") as recording:
        assert [cell.facts["object"] for cell in recording] == [2, 0, 3, 1]
        for index, number in enumerate((2, 0, 3)):
            assert np.array_equal(recording.mask(index), masks[number] == 1)
        assert recording.mask(3) is None


def test_objects_that_share_a_number_have_their_masks_in_order(tmp_path):
    frames, masks = make_frames(0, 4, 1)
    ifds = [file_ifd(1, 4)]
    for i in range(4):
        ifds += [plane_ifd(frames[i], i % 2), plane_ifd(masks[i], i % 2, kind=3, compression=MASK)]
    write_ifds(tmp_path / "a.cif", ifds)
    with open_cif(tmp_path / "a.cif") as recording:
        for i in range(4):
            assert np.array_equal(recording[i].frame, frames[i])
            assert np.array_equal(recording.mask(i), masks[i] == 1)


def test_a_mask_is_true_on_the_cell_only(tmp_path):
    frame, mask = np.zeros((1, 2, 4), np.uint16), np.array([[[0, 1, 2, 3], [3, 1, 1, 0]]], np.uint8)
    write_cif(tmp_path / "a.cif", [frame], [mask])
    with open_cif(tmp_path / "a.cif") as recording:
        assert recording.mask(0).tolist() == [[[False, True, False, False], [False, True, True, False]]]


def test_planes_without_a_type_are_told_by_their_bits(tmp_path):
    frames, masks = make_frames(0, 1, 1)
    ifds = [plane_ifd(frames[0], 0), plane_ifd(masks[0], 0, kind=3, compression=MASK)]
    for ifd in ifds:
        del ifd.tags[33002]
    write_ifds(tmp_path / "a.cif", [file_ifd(1, 1), *ifds])
    with open_cif(tmp_path / "a.cif") as recording:
        assert len(recording) == 1
        assert np.array_equal(recording.mask(0), masks[0] == 1)


def test_cells_come_in_the_order_of_the_chain_wherever_its_ifds_lie(tmp_path):
    """The chain runs backwards, over more bytes than are read at once."""
    frames, _ = make_frames(0, 40, 1)
    where = write_cif(tmp_path / "a.cif", frames, None)
    data = bytearray((tmp_path / "a.cif").read_bytes())
    chain = [where[0], *where[:0:-1]]
    for at, following in zip(chain, [*chain[1:], 0], strict=True):
        n = struct.unpack_from("<H", data, at)[0]
        struct.pack_into("<I", data, at + 2 + 12 * n, following)
    (tmp_path / "a.cif").write_bytes(data)
    with open_cif(tmp_path / "a.cif") as recording:
        assert [cell.facts["object"] for cell in recording] == list(range(39, -1, -1))
        assert all(np.array_equal(cell.frame, frames[39 - i]) for i, cell in enumerate(recording))


@pytest.mark.parametrize("strips", [1, 2])
def test_positions_past_4_gib_wrap(tmp_path, strips):
    frames, masks = make_frames(0, 5, 2)
    ifds = [file_ifd(2, 5)]
    for i in range(5):
        image = plane_ifd(frames[i], i, strips=strips)
        image.gap = 3 * GIB if i in (1, 2, 4) else 0
        image.tags |= {33071: ("double", [i / 4]), 33072: ("double", [0.5])}
        ifds += [image, plane_ifd(masks[i], i, kind=3, compression=MASK)]
    try:
        write_ifds(tmp_path / "a.cif", ifds)
    except OSError as error:
        pytest.skip(f"no sparse file of 9 GiB here: {error.strerror}")
    with open_cif(tmp_path / "a.cif") as recording:
        assert len(recording) == 5
        for i, cell in enumerate(recording):
            assert np.array_equal(cell.frame, frames[i])
            assert np.array_equal(recording.mask(i), masks[i] == 1)
            assert cell.facts["centre_x"] == i / 4
    (tmp_path / "a.cif").unlink()


@pytest.mark.parametrize("index", [-1, 2, 10**9])
def test_there_is_no_cell_outside(tmp_path, index):
    write_cif(tmp_path / "a.cif", make_frames(0, 2, 1)[0])
    with open_cif(tmp_path / "a.cif") as recording:
        with pytest.raises(IndexError):
            recording[index]
        with pytest.raises(IndexError):
            recording.mask(index)


@pytest.mark.parametrize("order", BOTH)
def test_cif_is_told_from_other_files(tmp_path, order):
    plain = Ifd({256: ("long", [2]), 257: ("long", [2]), 305: ("text", "a camera")}, [bytes(4)])
    write_ifds(tmp_path / "plain.tif", [plain, plain], order)
    write_cif(tmp_path / "a.cif", make_frames(0, 1, 1)[0], order=order)
    (tmp_path / "text").write_text("no TIFF at all")
    (tmp_path / "short").write_bytes(b"II*\0")
    (tmp_path / "far").write_bytes(b"II*\0\xff\xff\xff\x7f" + bytes(50))
    (tmp_path / "empty").write_bytes(b"")
    told = {path.name: sniff_cif(path, path.read_bytes()[:64]) for path in tmp_path.iterdir()}
    assert told == {"plain.tif": False, "a.cif": True, "text": False, "short": False, "far": False, "empty": False}
    assert not sniff_cif(tmp_path / "gone", b"II*\0" + bytes(60))
    with pytest.raises(CellsError, match="ordinary TIFF"):
        open_cif(tmp_path / "plain.tif")
