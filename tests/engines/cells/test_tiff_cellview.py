from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.cells.tiff import open_cellview, sniff_cellview, sniff_imagestream, sniff_montage
from engines.cells.tiff._table import read_gates
from engines.errors import CellsError

DATA = Path(__file__).parents[3].parent / "shared" / "data" / "cellview"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="shared/data/cellview is not here")
NAMES = ("LightLoss", "SSC", "FSC")


def write(file, frame, names=NAMES):
    with tifffile.TiffWriter(file) as tiff:
        for page, name in zip(frame, names, strict=True):
            extra = [(285, 2, 0, name, True)] if name else None
            tiff.write(page, metadata=None, extratags=extra, contiguous=False)
    return file


def frame(seed=0, height=9, channels=3):
    return np.random.default_rng(seed).normal(size=(channels, height, 7)).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    for number in range(4):
        write(images / f"Run_{number:08d}.tiff", frame(number, 5 + number))
    lines = ["id;gate;path", "a;S;../images/Run_00000000.tiff", r"b;G1;..\images\Run_00000001.tiff"]
    lines += ["c;NA;../images/Run_00000002.tiff", "d;G1;../images/Run_00000099.tiff"]
    (tmp_path / "countpath.csv").write_text("\n".join(lines))
    return tmp_path


@pytest.mark.parametrize("inside", ["", "images"])
def test_frames_channels_and_gates(folder, inside):
    recording = open_cellview(folder / inside)
    cells = list(recording)
    assert (recording.channels, recording.dtype, recording.kind) == (NAMES, np.float32, "cellview")
    assert (recording.classes, [cell.label for cell in cells]) == (("G1", "S"), [1, 0, -1, -1])
    for number, cell in enumerate(cells):
        np.testing.assert_array_equal(cell.frame, frame(number, 5 + number))
    assert [cell.facts["object"] for cell in cells] == [0, 1, 2, 3]
    assert recording.skipped == {"in the table of gates, but no such file": 1}
    assert recording.shape is None
    assert recording.pixel_um is None


def test_one_file_is_one_cell_with_its_gate(folder):
    recording = open_cellview(folder / "images" / "Run_00000001.tiff")
    assert (len(recording), recording.classes, recording[0].label) == (1, ("G1",), 0)
    assert recording.shape == (6, 7)
    assert recording.skipped == Counter()


def test_another_table_may_be_given(folder):
    table = folder / "other.csv"
    table.write_text("gate,path\nM,Run_00000003.tiff\n")
    recording = open_cellview(folder, table=table)
    assert recording.classes == ("M",)
    assert [cell.label for cell in recording] == [-1, -1, -1, 0]


def test_without_a_table_nothing_is_labelled(folder):
    (folder / "countpath.csv").unlink()
    recording = open_cellview(folder)
    assert (recording.classes, {cell.label for cell in recording}) == ((), {-1})


@pytest.mark.parametrize(
    "text",
    [
        b"id;gate;path\na;S;Run_00000000.tiff\nb;G1;Run_00000000.tiff",
        b"id;gate;path\na;\xff\xfe;Run_00000000.tiff",
        b'id;gate;path\na;\0;Run_00000000.tiff\n"' + b"x" * 200_000,
    ],
)
def test_a_table_that_contradicts_itself_or_is_no_text(folder, text):
    (folder / "countpath.csv").write_bytes(text)
    with pytest.raises(CellsError, match=r"countpath\.csv"):
        open_cellview(folder)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from([b"path", b"gate", b";", b",", b"\n", b'"', b" ", b"a_1.tif", b"\0", b"\xff", b"G1", b"\r"])
    )
)
def test_tables_of_any_content_give_gates_or_an_error(tmp_path_factory, parts):
    table = tmp_path_factory.mktemp("table") / "countpath.csv"
    table.write_bytes(b"id;gate;path" * (len(parts) % 2) + b"".join(parts))
    try:
        assert all(isinstance(gate, str) for gate in read_gates(table).values())
    except CellsError as error:
        assert "countpath.csv" in str(error)


def test_spaces_and_quotes_in_the_header_do_not_matter(folder):
    (folder / "countpath.csv").write_text('"id", "gate" ,path \n1,S,Run_00000000.tiff\n')
    assert [cell.label for cell in open_cellview(folder)] == [0, -1, -1, -1]


def test_two_tables_are_not_chosen_between(folder):
    (folder / "countpath.csv").rename(folder / "one.csv")
    (folder / "two.csv").write_bytes((folder / "one.csv").read_bytes())
    with pytest.raises(CellsError, match=r"more than one table: one\.csv, two\.csv"):
        open_cellview(folder)


def test_short_rows_of_a_table_are_no_gates(folder):
    (folder / "countpath.csv").write_text("id;gate;path\na\nb;S\n\nc;S;x/Run_00000000.tiff;more\n")
    assert [cell.label for cell in open_cellview(folder)] == [0, -1, -1, -1]


def test_runs_are_groups_where_there_is_more_than_one(folder):
    assert {cell.group for cell in open_cellview(folder)} == {""}
    write(folder / "images" / "Other_00000000.tiff", frame(9))
    assert [cell.group for cell in open_cellview(folder)] == ["Other", "Run", "Run", "Run", "Run"]


def test_damaged_cells_are_counted_when_they_are_read(folder):
    images = folder / "images"
    bad = frame(1)
    bad[1, 2, 3] = np.nan
    write(images / "Run_00000001.tiff", bad)
    bad[1, 2, 3] = -np.inf
    write(images / "Run_00000002.tiff", bad)
    write(images / "Run_00000003.tiff", frame(3), ("SSC", "LightLoss", "FSC"))
    recording = open_cellview(folder)
    assert [cell.facts["object"] for cell in recording] == [0]
    assert recording.skipped["pixels: NaN or infinite values"] == 2
    assert recording.skipped["pages: other channels than in the first file"] == 1


def test_pages_without_names_or_with_one_twice_are_numbered(tmp_path):
    write(tmp_path / "a_1.tif", frame(), ("", "", ""))
    assert open_cellview(tmp_path).channels == ("Page 1", "Page 2", "Page 3")
    write(tmp_path / "a_1.tif", frame(), ("SSC", "SSC", "FSC"))
    assert open_cellview(tmp_path).channels == ("Page 1", "Page 2", "Page 3")


def test_pages_of_different_sizes_or_of_counts_are_refused(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a_1.tif") as tiff:
        tiff.write(np.zeros((4, 4), np.float32), metadata=None)
        tiff.write(np.zeros((5, 4), np.float32), metadata=None)
    with pytest.raises(CellsError, match="different sizes"):
        open_cellview(tmp_path)
    tifffile.imwrite(tmp_path / "a_1.tif", np.zeros((2, 4, 4), np.uint16), photometric="minisblack", metadata=None)
    with pytest.raises(CellsError, match="float32"):
        open_cellview(tmp_path)


@pytest.mark.parametrize("name", ["", "gone", "gone.tif"])
def test_nothing_there(tmp_path, name):
    with pytest.raises(CellsError):
        open_cellview(tmp_path / name)


def test_sniff_tells_cellview_from_the_rest(folder):
    file = folder / "images" / "Run_00000000.tiff"
    head = file.read_bytes()[:64]
    assert sniff_cellview(folder, b"")
    assert sniff_cellview(folder / "images", b"")
    assert sniff_cellview(file, head)
    assert not sniff_imagestream(folder / "images", b"")
    assert not sniff_montage(folder, b"")
    assert not sniff_montage(file, head)
    tifffile.imwrite(file, np.zeros((2, 4, 4), np.uint16), photometric="minisblack", metadata=None)
    assert not sniff_cellview(file, head)
    for other in range(1, 4):
        (folder / "images" / f"Run_{other:08d}.tiff").unlink()
    assert not sniff_cellview(folder / "images", b"")


@needs_data
def test_the_shared_cells():
    recording = open_cellview(DATA)
    cells = list(recording)
    assert (len(cells), recording.skipped) == (10, Counter())
    assert recording.channels == (
        "LightLoss (Blue)",
        "SSC",
        "Blue_BP/000/00/LP/000",
        "FSC",
        "H2B-GFP FITC-*",
        "Blue_BP/586/42/LP/560",
        "Blue_BP/620/25/LP/665",
        "Blue_BP/788/225/LP/752",
    )
    assert recording.classes == ("G1", "G2M", "S")
    assert [cell.label for cell in cells] == [1, 1, 1, 0, 0, 0, 2, 2, 2, -1]
    assert [cell.frame.shape[1] for cell in cells] == [161, 17, 141, 133, 125, 145, 157, 169, 157, 165]
    assert {(cell.frame.shape[0], cell.frame.shape[2]) for cell in cells} == {(8, 104)}
    for cell in cells:
        np.testing.assert_array_equal(cell.frame, tifffile.imread(DATA / "images" / cell.facts["file"]))
        np.testing.assert_array_equal(cell.frame[1], cell.frame[2])  # the third page repeats SSC
