"""The right reader by content, and a clear line where there is none."""

import subprocess
import sys

import numpy as np
import pytest

from engines.cells import READERS, open_cells, open_recording
from engines.errors import CellsError, InputError
from tests.support.made_cells import write_image

FRAMES = np.arange(4 * 2 * 3 * 3, dtype=np.uint16).reshape(4, 2, 3, 3)


@pytest.fixture
def archive(tmp_path):
    np.savez(tmp_path / "cells.npz", frames=FRAMES, channels=np.array(["a", "b"]))
    return tmp_path / "cells.npz"


def test_content_says_what_a_file_is_not_its_ending(archive):
    for name in ("cells", "cells.tif", "cells.rtdc", "cells.cif"):
        other = archive.with_name(name)
        other.write_bytes(archive.read_bytes())
        with open_recording(other) as recording:
            assert (recording.kind, len(recording), recording.name) == ("npz", 4, str(other))


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b"", "an empty file"),
        (b"hello there\nworld", "text: hello there"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"PK\x03\x04" + bytes(40), "zip archive"),
        (b"\x89PNG\r\n\x1a\n", "give its folder"),
        (b"FCS3.1    ", "FCS"),
        (b"\x93NUMPY\x01\x00", "a single NumPy array"),
        (b"\x7fELF\x02\x01", "7f 45 4c 46"),
        (b"\xff" * 10, "ff ff"),
    ],
)
def test_content_that_nobody_reads_is_described(tmp_path, raw, found):
    (tmp_path / "x").write_bytes(raw)
    with pytest.raises(CellsError) as caught:
        open_recording(tmp_path / "x")
    assert found in caught.value.found
    assert "npz" in caught.value.expected
    assert "folder" in caught.value.expected


def test_folders_without_cells_are_described(tmp_path):
    with pytest.raises(CellsError, match="an empty folder"):
        open_recording(tmp_path)
    for name in ("a.txt", "b.txt", "c.csv"):
        (tmp_path / name).write_text("x")
    with pytest.raises(CellsError, match=r"a folder of 2 \.txt, 1 \.csv"):
        open_recording(tmp_path)


@pytest.mark.parametrize("name", ["nothing", "with\0nul", "x" * 300])
def test_what_is_not_there_is_named(tmp_path, name):
    with pytest.raises(CellsError) as caught:
        open_recording(tmp_path / name)
    assert caught.value.field == "file"
    assert len(str(caught.value).splitlines()) == 1


def test_neither_file_nor_folder(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CellsError, match="neither"):
        open_recording(tmp_path / "pipe")


def test_a_reader_may_be_chosen_by_name(tmp_path, archive):
    with open_recording(archive, kind="npz") as recording:
        assert recording.kind == "npz"
    with pytest.raises(CellsError):
        open_recording(archive, kind="folder")
    with pytest.raises(InputError, match="kind: found nope, expected one of npz"):
        open_recording(archive, kind="nope")


def test_a_hint_that_a_reader_does_not_know_is_refused(tmp_path, archive):
    with pytest.raises(InputError, match=r"levels: found group, .* npz knows: it takes groups"):
        open_recording(archive, levels="group")
    write_image(tmp_path / "f" / "1.png", np.zeros((3, 3), np.uint8))
    with pytest.raises(InputError, match="takes levels, pattern, channels, groups"):
        open_recording(tmp_path / "f", colour="red")
    with pytest.raises(InputError, match="path: found x"):
        open_recording(archive, path="x")


def test_every_reader_is_there_and_says_no_to_a_text_file(tmp_path):
    (tmp_path / "x").write_text("nothing of the kind")
    assert [reader.kind for reader in READERS if reader.takes(tmp_path / "x", b"nothing of the kind")] == []
    assert len({reader.kind for reader in READERS}) == len(READERS)


def test_importing_the_room_loads_no_library_of_a_format():
    program = "import engines.cells, sys; print([m for m in ('PIL', 'tifffile', 'h5py', 'zarr') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_opening_an_archive_loads_no_library_of_another_format(archive):
    program = (
        f"from engines.cells import open_recording; import sys; open_recording({str(archive)!r});"
        "print([m for m in ('PIL', 'tifffile', 'h5py', 'zarr') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_open_cells_takes_a_folder_and_the_options_of_gather_and_reader(tmp_path):
    for group in ("day 1", "day 2"):
        for number, label in enumerate(("x", "y")):
            write_image(tmp_path / group / label / "1.png", np.full((5 + number, 6), 3, np.uint8))
    cells = open_cells(tmp_path, hints={"levels": "group/class"}, size=(4, 4), limit=3)
    assert cells.frames.shape == (3, 1, 4, 4)
    assert cells.classes == ("x", "y")
    assert set(cells.groups) == {"day 1", "day 2"}


def test_digital_cells_may_be_of_every_class_alike():
    classes = open_cells("digital:700", uniform_mix=True)
    share = np.bincount(classes.labels, minlength=7) / 700
    assert share.min() > 0.08, "one in seven each; 2 % of a growing culture are in anaphase"
    assert len(open_cells("digital", digital=12)) == 12


def test_rendered_cells_take_no_hint_and_have_no_groups():
    with pytest.raises(InputError, match="tile: found 66, expected no hint"):
        open_cells("digital:3", hints={"tile": 66})
    with pytest.raises(InputError, match="groups: found plate"):
        open_cells("digital:3", groups="plate")
    assert open_cells("digital:3", groups="none", hints={}).groups is None
