"""Damaged CIF files: one CellsError or a counted cell, never a hang, never memory for a number nobody checked."""

import os
import struct
import tracemalloc

import numpy as np
import pytest

from engines.cells.cif import open_cif
from engines.errors import CellsError
from tests.support.cif_writer import GREY, MASK, RAW, file_ifd, make_frames, plane_ifd, write_cif, write_ifds
from tests.support.fuzz_figures import MOST_S, Figures

HUGE = 0xFFFFFFFF
MOST_MEMORY = 32 << 20


def refusal(path):
    with pytest.raises(CellsError) as caught:
        open_cif(path)
    assert caught.value.source == str(path)
    assert len(str(caught.value).splitlines()) == 1
    return caught.value


def middle_of_three(path, change, *, compression=GREY, channels=2):
    """Write three objects, the middle one's image as `change` leaves it."""
    frames, masks = make_frames(5, 3, channels, size=(12, 20))
    ifds = [file_ifd(channels, 3)]
    for i in range(3):
        image = plane_ifd(frames[i], i, compression=compression)
        if i == 1:
            change(image)
        ifds += [image, plane_ifd(masks[i], i, kind=3, compression=MASK)]
    write_ifds(path, ifds)
    return frames


def tag(number, *values, kind="long"):
    return lambda image: image.tags.update({number: (kind, list(values))})


def without(number):
    return lambda image: image.tags.pop(number)


def strips(starts, sizes):
    return lambda image: image.tags.update({273: ("long", starts), 279: ("long", sizes)})


def strip(change):
    def apply(image):
        image.strips = [change(image.strips[0])]

    return apply


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (tag(259, 5), "unknown compression 5"),
        (tag(256, 0), "no width or height"),
        (without(257), "no width or height"),
        (tag(256, 39), "width is no multiple of the 2 channels"),
        (tag(256, HUGE - 1), "a plane's data end before the plane does"),
        (tag(257, HUGE), "a plane's data end before the plane does"),
        (tag(258, 12, kind="short"), "bits per sample and compression do not fit"),
        (tag(258, 8, kind="short"), "bits per sample and compression do not fit"),
        (tag(273, HUGE), "data outside the file"),
        (tag(273, 2), "data outside the file"),
        (tag(279, HUGE), "data outside the file"),
        (tag(279, 0), "a plane's data end before the plane does"),
        (tag(279, 9, 9), "lists of strips do not fit"),
        (tag(273, 1.0, kind="float"), "lists of strips do not fit"),
        (tag(33002, 7), "plane of type 7"),
        (strip(lambda data: data[:40]), "a plane's data end before the plane does"),
    ],
)
def test_a_damaged_image_is_left_out_and_counted(tmp_path, change, reason):
    frames = middle_of_three(tmp_path / "a.cif", change)
    with open_cif(tmp_path / "a.cif") as recording:
        assert len(recording) == 2
        assert recording.skipped == {reason: 1}
        cells = list(recording)
        assert [cell.facts["object"] for cell in cells] == [0, 2]
        assert np.array_equal(cells[1].frame, frames[2])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (strip(lambda data: data[:-30]), "a plane's data end before the plane does"),
        (strip(lambda data: b"\xff" * len(data) + data), "a plane's data hold a number of more than 30 bits"),
        (strip(lambda data: b"\x88" * len(data)), "a plane's data end before the plane does"),
        (strips([50, 60, 55], [90] * 3), "strips overlap"),
        (strips([50, 60], [9] * 2), "a plane's data end before the plane does"),
        (strips([50, HUGE], [900] * 2), "data outside the file"),
    ],
)
def test_damage_that_shows_when_read_is_counted_then(tmp_path, change, reason):
    middle_of_three(tmp_path / "a.cif", change)
    with open_cif(tmp_path / "a.cif") as recording:
        assert len(recording) == 3
        assert not recording.skipped
        assert [cell.facts["object"] for cell in recording] == [0, 2]
        assert recording.skipped == {reason: 1}
        with pytest.raises(CellsError, match=reason) as caught:
            recording[1]
        assert caught.value.source == str(tmp_path / "a.cif")
        assert caught.value.field.startswith("object 1, IFD at byte ")


def test_raw_images_that_end_early_are_left_out(tmp_path):
    middle_of_three(tmp_path / "a.cif", strip(lambda data: data[:-1]), compression=RAW)
    with open_cif(tmp_path / "a.cif") as recording:
        assert len(recording) == 2


def test_of_two_images_on_the_same_bytes_the_shorter_is_kept(tmp_path):
    frames, _ = make_frames(5, 4, 1)
    where = write_cif(tmp_path / "a.cif", frames)
    data = bytearray((tmp_path / "a.cif").read_bytes())
    at = data.index(struct.pack("<HHI", 279, 4, 1), where[2]) + 8
    struct.pack_into("<I", data, at, where[4] - where[1])  # image 1 reaches over 2 and 3
    (tmp_path / "a.cif").write_bytes(data)
    with open_cif(tmp_path / "a.cif") as recording:
        assert [cell.facts["object"] for cell in recording] == [0, 2, 3]
        assert recording.skipped == {"strip overlaps another image's": 1}


def test_objects_without_an_image_are_counted(tmp_path):
    frames, masks = make_frames(0, 3, 1)
    ifds = [plane_ifd(frames[0], 0), *(plane_ifd(masks[i], i, kind=3, compression=MASK) for i in range(3))]
    write_ifds(tmp_path / "masks.cif", [file_ifd(1, 3), *ifds])
    write_ifds(tmp_path / "count.cif", [file_ifd(1, 9), *ifds])
    with open_cif(tmp_path / "masks.cif") as masked, open_cif(tmp_path / "count.cif") as counted:
        assert masked.skipped == {"no image": 2}
        assert counted.skipped == {"no image": 8}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (tag(259, GREY), "bits per sample"),
        (tag(256, 4), "image's size"),
        (strip(lambda data: data[:-2]), "runs do not fill"),
        (strip(lambda data: data[:-1]), "no pairs"),
        (tag(273, HUGE), "outside the file"),
        (tag(273, 50, 50), "lists of strips"),
    ],
)
def test_a_damaged_mask_is_refused_and_its_image_is_not(tmp_path, change, reason):
    frames, masks = make_frames(5, 1, 2)
    mask = plane_ifd(masks[0], 0, kind=3, compression=MASK)
    change(mask)
    write_ifds(tmp_path / "a.cif", [file_ifd(2, 1), plane_ifd(frames[0], 0), mask])
    with open_cif(tmp_path / "a.cif") as recording:
        assert np.array_equal(recording[0].frame, frames[0])
        with pytest.raises(CellsError, match=reason):
            recording.mask(0)


@pytest.mark.parametrize(
    ("following", "reason"),
    [
        (lambda where: where[0], "the chain of IFDs loops"),
        (lambda where: where[2], "the chain of IFDs loops"),
        (lambda where: 4, "the chain of IFDs leaves the file"),
        (lambda where: HUGE, "the chain of IFDs leaves the file"),
    ],
)
def test_a_broken_chain_gives_what_came_before(tmp_path, following, reason):
    frames, _ = make_frames(0, 6, 1)
    where = write_cif(tmp_path / "a.cif", frames)
    data = bytearray((tmp_path / "a.cif").read_bytes())
    n = struct.unpack_from("<H", data, where[3])[0]
    struct.pack_into("<I", data, where[3] + 2 + 12 * n, following(where))
    (tmp_path / "a.cif").write_bytes(data)
    with open_cif(tmp_path / "a.cif") as recording:
        assert [cell.facts["object"] for cell in recording] == [0, 1, 2]
        assert recording.skipped == {reason: 3}


def test_ifds_that_overlap_end_the_chain(tmp_path):
    """Each IFD claims 65535 entries and the next begins 2 bytes on: quadratic work, were it allowed."""
    where = write_cif(tmp_path / "a.cif", make_frames(0, 1, 1)[0])
    data = bytearray((tmp_path / "a.cif").read_bytes())
    n = struct.unpack_from("<H", data, where[1])[0]
    struct.pack_into("<I", data, where[1] + 2 + 12 * n, len(data) + len(data) % 2)
    at = len(data) + len(data) % 2
    tail = np.full(450_000, 0xFFFF, "<u2")
    tail[6 * 0xFFFF + 1 :: 2] = (at + 2 * np.arange(tail[6 * 0xFFFF + 1 :: 2].size)) & 0xFFFF
    tail[6 * 0xFFFF + 2 :: 2] = 0
    (tmp_path / "a.cif").write_bytes(bytes(data).ljust(at, b"\0") + tail.tobytes())
    with open_cif(tmp_path / "a.cif") as recording:
        assert len(recording) == 1
        assert sum(recording.skipped.values()) >= 1


def test_a_file_cut_while_open_is_no_crash(tmp_path):
    frames, _ = make_frames(0, 3, 1)
    where = write_cif(tmp_path / "a.cif", frames)
    with open_cif(tmp_path / "a.cif") as recording:
        with (tmp_path / "a.cif").open("r+b") as file:
            file.truncate(where[1])
        assert len(list(recording)) == 1
        assert recording.skipped == {"the file was cut short while open": 2}


def test_every_way_a_file_can_be_no_recording(tmp_path):
    frames, _ = make_frames(0, 1, 1)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "text").write_text("II, but no TIFF")
    (tmp_path / "big").write_bytes(b"II+\0\x08\0\0\0" + bytes(40))
    (tmp_path / "far").write_bytes(b"II*\0\xff\xff\xff\xff" + bytes(40))
    write_ifds(tmp_path / "none", [file_ifd(1, 0)])
    write_cif(tmp_path / "channels", frames, _33027=("text", ""), _33007=("text", ""), _33000=("long", [HUGE]))
    write_cif(tmp_path / "names", frames, _33027=("text", ""), _33007=("text", "|" * 5000))
    only = plane_ifd(frames[0], 0)
    only.tags[259] = ("long", [7])
    write_ifds(tmp_path / "all", [file_ifd(1, 1), only])
    whole = (tmp_path / "names").read_bytes()
    at = whole.index(struct.pack("<HH", 33007, 2))
    (tmp_path / "text far").write_bytes(whole[: at + 8] + struct.pack("<I", HUGE) + whole[at + 12 :])
    found = {path.name: refusal(path) for path in (*tmp_path.iterdir(), tmp_path / "gone", tmp_path)}
    assert {name: error.field for name, error in found.items()} == {
        "pipe": "file",
        "empty": "file",
        "text": "file",
        "big": "file",
        "far": "IFD 0",
        "none": "images",
        "channels": "channels",
        "names": "channels",
        "all": "images",
        "text far": "tag 33007 of IFD 0",
        "gone": "file",
        tmp_path.name: "file",
    }


def originals(folder):
    """Files to damage: both byte orders, all compressions, one strip and several."""
    frames, masks = make_frames(1, 4, 2)
    for i, (order, compression, strips) in enumerate((("<", GREY, 1), (">", GREY, 3), ("<", RAW, 2), (">", RAW, 1))):
        how = {"order": order, "compression": compression, "strips": strips}
        where = write_cif(folder / f"{i}", frames, masks, centres=[(1.5, 0.5)] * 4, **how)
        yield (folder / f"{i}").read_bytes(), where


def damage(rng, data, where):
    """Some bytes are changed, most of them in IFDs; now and then the file is cut or a piece of it moved."""
    changed = bytearray(data)
    for _ in range(rng.integers(1, 6)):
        at = rng.integers(len(data)) if rng.random() < 0.3 else rng.choice(where) + rng.integers(130)
        at = min(at, len(data) - 12)
        what = rng.integers(4)
        if what == 0:
            changed[at] = rng.integers(256)
        elif what == 1:
            changed[at] ^= 1 << rng.integers(8)
        elif what == 2:
            number = int(rng.choice([0, 1, 2, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, len(data), *where]))
            changed[at : at + 4] = number.to_bytes(4, str(rng.choice(["little", "big"])))
        else:
            other = rng.integers(len(data) - 12)
            changed[at : at + 12] = changed[other : other + 12]
    return bytes(changed[: rng.integers(len(changed))]) if rng.random() < 0.1 else bytes(changed)


def survive(tmp_path, seed, cases):
    rng = np.random.default_rng(seed)
    files = list(originals(tmp_path))
    path = tmp_path / "damaged.cif"
    figures = Figures()
    for case in range(cases):
        path.write_bytes(damage(rng, *files[case % len(files)]))
        with figures.case() as outcomes:
            outcomes[survives(path)] += 1
    assert figures.outcomes["read"] > cases / 2  # else damage would mostly be seen at the door
    assert figures.outcomes["refused"]
    assert figures.worst_s < MOST_S
    return figures


def survives(path):
    try:
        recording = open_cif(path)
    except CellsError as error:
        assert len(str(error).splitlines()) == 1
        return "refused"
    with recording:
        before = recording.skipped.total()
        read = sum(1 for _ in recording)
        assert read + recording.skipped.total() - before == len(recording)
        for i in range(len(recording)):
            try:
                recording.mask(i)
            except CellsError as error:
                assert len(str(error).splitlines()) == 1
    return "read"


def survive_within_memory(tmp_path, seed, cases):
    tracemalloc.start()
    try:
        figures = survive(tmp_path, seed, cases)
        peak = tracemalloc.get_traced_memory()[1]
        print("cif", figures.found(peak_mib=round(peak / 2**20, 1)))
        assert peak < MOST_MEMORY
    finally:
        tracemalloc.stop()


def test_damaged_files_are_survived(tmp_path):
    survive_within_memory(tmp_path, 11, 300)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_many_damaged_files_are_survived(tmp_path):
    survive_within_memory(tmp_path, 12, 20_000)
