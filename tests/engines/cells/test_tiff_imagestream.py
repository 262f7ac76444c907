import logging
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tifffile

from engines.cells.tiff import open_imagestream, sniff_cellview, sniff_imagestream, sniff_montage
from engines.errors import CellsError, MissingExtraError

DATA = Path(__file__).parents[3].parent / "shared" / "data" / "imagestream"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="shared/data/imagestream is not here")

OME = (
    '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Dataset ID="d" Name="Tube &amp; 1"/>'
    '<Image Name="x"><CreationDate>2020-03-17</CreationDate><Pixels ID="p" SizeX="6" PhysicalSizeX="0.33"'
    ' PhysicalSizeY="0.33" PhysicalSizeXUnit="µm"><Channel ID="c" Name="Bright field"/></Pixels></Image></OME>'
)


def write(folder, population, number, channel, image, description=None):
    file = folder / f"{population}_{number}_Ch{channel}.ome.tif"
    text = None if description is None else description.encode()
    tifffile.imwrite(file, image, description=text, metadata=None)
    return file


def export(folder, cells, channels=(1, 6, 9), shape=(8, 6)):
    """Write cells `(population, object)`; the pixels say which cell and channel they are."""
    for at, (population, number) in enumerate(cells):
        for channel in channels:
            write(folder, population, number, channel, np.full(shape, 100 * at + channel, np.uint16), OME)
    return folder


def test_cells_channels_and_classes_come_from_the_names(tmp_path):
    export(tmp_path, [("Live", 3), ("live", 3), ("Dead_cells", 12), ("Live", 0)], channels=(10, 2))
    (tmp_path / "notes.tif").write_bytes(b"")
    with open_imagestream(tmp_path) as recording:
        cells = list(recording)
        assert (len(recording), recording.channels, recording.kind) == (4, ("Ch2", "Ch10"), "imagestream")
        assert recording.classes == ("dead_cells", "live")
        assert recording.dtype == np.uint16
        assert recording.skipped == Counter()
    order = [(cell.facts["object"], cell.facts["population"]) for cell in cells]
    assert order == [(0, "Live"), (3, "Live"), (3, "live"), (12, "Dead_cells")]
    assert [cell.label for cell in cells] == [1, 1, 1, 0]
    assert [cell.frame[:, 0, 0].tolist() for cell in cells] == [[302, 310], [2, 10], [102, 110], [202, 210]]


def test_a_population_that_is_no_utf8(tmp_path):
    try:
        export(tmp_path, [(os.fsdecode(b"bl\xfc"), 1), ("b", 1)])
    except OSError:
        pytest.skip("this file system has no such names")
    recording = open_imagestream(tmp_path)
    assert recording.classes == ("b", "bl\ufffd")
    assert [(cell.label, cell.facts["population"]) for cell in recording] == [(0, "b"), (1, "bl\ufffd")]


def test_the_description_gives_pixel_size_group_and_channel_names(tmp_path):
    recording = open_imagestream(export(tmp_path, [("a", 1)], channels=(1,)))
    assert recording.pixel_um == pytest.approx(0.33)
    assert recording.about == {"dataset": "Tube & 1", "created": "2020-03-17", "Ch1": "Bright field"}
    assert recording[0].group == "Tube & 1"


@pytest.mark.parametrize(
    ("unit", "size", "expected"),
    [("nm", "330", 0.33), ("mm", "0.00033", 0.33), ("furlong", "1", None), ("µm", "nan", None), ("µm", "-1", None)],
)
def test_units_of_the_pixel_size(tmp_path, unit, size, expected):
    text = f'<OME><Pixels PhysicalSizeX="{size}" PhysicalSizeXUnit="{unit}" PhysicalSizeY="{size}" '
    text += f'PhysicalSizeYUnit="{unit}"></Pixels></OME>'
    write(tmp_path, "a", 1, 1, np.zeros((4, 4), np.uint16), text)
    found = open_imagestream(tmp_path).pixel_um
    assert found is None if expected is None else found == pytest.approx(expected)


def test_pixels_that_are_not_square_have_no_pixel_size(tmp_path):
    text = '<OME><Pixels PhysicalSizeX="0.5" PhysicalSizeY="0.6"></Pixels></OME>'
    write(tmp_path, "a", 1, 1, np.zeros((4, 4), np.uint16), text)
    assert open_imagestream(tmp_path).pixel_um is None


def test_a_cell_without_a_channel_is_left_out_and_counted(tmp_path):
    export(tmp_path, [("a", 1), ("a", 2), ("a", 3)])
    (tmp_path / "a_1_Ch6.ome.tif").unlink()
    (tmp_path / "a_3_Ch6.ome.tif").unlink()
    recording = open_imagestream(tmp_path)
    assert [cell.facts["object"] for cell in recording] == [2]
    assert recording.skipped == {"no file for Ch6": 2}


def test_two_files_for_one_channel_are_not_chosen_between(tmp_path):
    export(tmp_path, [("a", 1), ("a", 2)])
    (tmp_path / "a_1_Ch06.ome.tif").write_bytes((tmp_path / "a_1_Ch6.ome.tif").read_bytes())
    recording = open_imagestream(tmp_path)
    assert [cell.facts["object"] for cell in recording] == [2]
    assert recording.skipped == {"two files for one channel": 1}


def test_damaged_cells_are_counted_when_they_are_read(tmp_path):
    export(tmp_path, [("a", number) for number in range(5)])
    write(tmp_path, "a", 1, 6, np.zeros((9, 6), np.uint16))
    whole = (tmp_path / "a_2_Ch9.ome.tif").read_bytes()
    (tmp_path / "a_2_Ch9.ome.tif").write_bytes(whole[:-30])
    write(tmp_path, "a", 3, 1, np.zeros((8, 6), np.uint8))
    recording = open_imagestream(tmp_path)
    assert len(recording) == 5
    assert [cell.facts["object"] for cell in recording] == [0, 4]
    assert sum(recording.skipped.values()) == 3
    assert recording.skipped["size: other sizes in other channels"] == 1
    with pytest.raises(CellsError, match=r"a_2_Ch9\.ome\.tif"):
        recording[2]


def test_sizes_differ_from_cell_to_cell(tmp_path):
    export(tmp_path, [("a", 1)], shape=(8, 6))
    export(tmp_path, [("a", 2)], shape=(11, 5))
    recording = open_imagestream(tmp_path)
    assert recording.shape is None
    assert [cell.frame.shape for cell in recording] == [(3, 8, 6), (3, 11, 5)]


def test_one_file_stands_for_its_cell(tmp_path):
    export(tmp_path, [("a", 1), ("a", 2), ("A", 2)])
    recording = open_imagestream(tmp_path / "a_2_Ch6.ome.tif")
    assert [cell.facts["object"] for cell in recording] == [2]
    assert (recording.channels, recording.classes, recording.shape) == (("Ch1", "Ch6", "Ch9"), ("a",), (8, 6))
    assert recording[0].frame[:, 0, 0].tolist() == [101, 106, 109]


def test_an_export_without_a_prefix_has_no_labels(tmp_path):
    tifffile.imwrite(tmp_path / "7_Ch1.ome.tif", np.ones((4, 4), np.uint16), metadata=None)
    recording = open_imagestream(tmp_path)
    assert (recording.classes, recording[0].label, recording[0].facts["object"]) == ((), -1, 7)


def test_files_left_by_a_mac_are_no_cells(tmp_path):
    export(tmp_path, [("a", 1)])
    (tmp_path / "._a_1_Ch1.ome.tif").write_bytes(b"\0\5\26\7")
    (tmp_path / "._a_2_Ch1.ome.tif").write_bytes(b"\0\5\26\7")
    assert len(open_imagestream(tmp_path)) == 1


@pytest.mark.parametrize("name", ["notes.txt", "a_1_Ch1.tif", "gone_1_Ch1.ome.tif"])
def test_what_is_no_export_is_said_in_one_line(tmp_path, name):
    if not name.startswith("gone"):
        (tmp_path / name).write_bytes(b"x" * 100)
    with pytest.raises(CellsError) as error:
        open_imagestream(tmp_path / name)
    assert "\n" not in str(error.value)
    assert str(tmp_path) in str(error.value)


def test_an_empty_folder_has_no_cells(tmp_path):
    with pytest.raises(CellsError, match="no such files"):
        open_imagestream(tmp_path)


def test_a_pipe_is_no_file_to_wait_for(tmp_path):
    os.mkfifo(tmp_path / "a_1_Ch1.ome.tif")
    with pytest.raises(CellsError):
        open_imagestream(tmp_path)


def test_sniff_tells_exports_from_the_rest(tmp_path):
    file = export(tmp_path, [("a", 1)], channels=(1,)) / "a_1_Ch1.ome.tif"
    head = file.read_bytes()[:64]
    assert sniff_imagestream(tmp_path, b"")
    assert sniff_imagestream(file, head)
    assert not sniff_imagestream(file, b"PK\3\4")
    assert not sniff_imagestream(tmp_path / "image.tif", head)
    assert not sniff_cellview(tmp_path, b"")
    assert not sniff_montage(tmp_path, b"")
    assert not sniff_montage(file, head)


def test_the_log_of_tifffile_stays_silent_and_others_keep_theirs(tmp_path, caplog):
    export(tmp_path, [("a", 1)], channels=(1,))
    file = write(tmp_path, "a", 1, 1, np.zeros((8, 6), np.uint16))
    tifffile.imwrite(file, np.zeros((8, 6), np.uint16), compression="zlib", metadata=None)
    with tifffile.TiffFile(file) as tiff:
        offset = tiff.pages[0].tags[262].offset  # a tag of a type that is none makes tifffile complain
    data = bytearray(file.read_bytes())
    with tifffile.TiffFile(file) as tiff:
        extra = tiff.pages[0].tags.get(305) or tiff.pages[0].tags[282]
    data[extra.offset + 2 : extra.offset + 4] = b"\x63\0"
    assert offset != extra.offset
    file.write_bytes(data)
    with caplog.at_level(logging.DEBUG, logger="tifffile"):
        assert open_imagestream(tmp_path)[0].frame.shape == (1, 8, 6)
        assert caplog.records == []
        with tifffile.TiffFile(file):
            assert caplog.records != []  # read by somebody else, it speaks as ever


def test_importing_the_readers_imports_no_library():
    code = "import sys, engines.cells.tiff; print(sorted({'tifffile', 'PIL', 'imagecodecs'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_tifffile_the_extra_is_named(tmp_path, monkeypatch):
    export(tmp_path, [("a", 1)])
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(MissingExtraError, match=r"cellgate\[files\]"):
        open_imagestream(tmp_path)


@needs_data
def test_the_shared_export_has_77_cells_of_two_classes():
    recording = open_imagestream(DATA)
    cells = list(recording)
    assert (len(recording), len(cells)) == (77, 77)
    assert recording.skipped == Counter()
    assert (recording.channels, recording.classes) == (("Ch1", "Ch6", "Ch9"), ("ciliated", "unciliated"))
    assert Counter(cell.label for cell in cells) == {0: 41, 1: 36}
    spelled = Counter(cell.facts["population"] for cell in cells)
    assert spelled == {"ciliated": 33, "unciliated": 33, "Ciliated": 8, "Unciliated": 3}
    heights, widths = zip(*(cell.frame.shape[1:] for cell in cells), strict=True)
    assert (min(heights), max(heights), min(widths), max(widths)) == (69, 117, 59, 113)
    assert {cell.group for cell in cells} == {"Fixed_2"}


@needs_data
def test_the_shared_export_reads_as_tifffile_reads_it():
    recording = open_imagestream(DATA)
    logger = logging.getLogger("tifffile")
    logger.setLevel(logging.CRITICAL)
    try:
        for cell in recording:
            stem = f"{cell.facts['population']}_{cell.facts['object']}"
            expected = [tifffile.imread(DATA / f"{stem}_{name}.ome.tif") for name in recording.channels]
            np.testing.assert_array_equal(cell.frame, np.stack(expected))
    finally:
        logger.setLevel(logging.NOTSET)
