"""Where groups come from when the user says: an array, a folder, a fact of each cell."""

import numpy as np
import pytest

from engines.cells import gather, open_cells, open_recording
from engines.errors import CellsError, InputError
from tests.support.made_cells import write_image

FRAMES = np.arange(6 * 2 * 5 * 7, dtype=np.uint16).reshape(6, 2, 5, 7)
PLATES = ["p1", "p1", "p2", "p2", "p3", "p3"]
DAYS = np.array([1, 2, 1, 2, 1, 2])
BESIDE = {"plate": np.array(PLATES), "day": DAYS, "groups": np.array(list("aabbcc")), "score": np.arange(6) / 2}


def write_archive(folder, compress=False):
    (np.savez_compressed if compress else np.savez)(
        folder / "c.npz", frames=FRAMES, channels=np.array(["a", "b"]), **BESIDE
    )
    return folder / "c.npz"


def write_h5(folder):
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / "c.h5", "w") as file:
        file["set/frames"] = FRAMES
        for name, values in BESIDE.items():
            file[f"set/{name}"] = values.tolist() if values.dtype.kind == "U" else values
        file["facts/donor"] = np.arange(6) // 3
    return folder / "c.h5"


def write_zarr(folder):
    zarr = pytest.importorskip("zarr")
    group = zarr.create_group(str(folder / "c.zarr"), zarr_format=2)
    group.create_array("frames", data=FRAMES)
    for name, values in BESIDE.items():
        group.create_array(name, data=values)
    return folder / "c.zarr"


STORES = pytest.mark.parametrize("write", [write_archive, write_h5, write_zarr])


@STORES
def test_an_array_of_text_or_integers_by_its_name(tmp_path, write):
    path = write(tmp_path)
    assert open_cells(path).groups.tolist() == list("aabbcc")
    assert open_cells(path, groups="plate").groups.tolist() == PLATES
    assert open_cells(path, groups="day").groups.tolist() == [str(day) for day in DAYS]
    assert open_cells(path, hints={"groups": "plate"}).groups.tolist() == PLATES
    assert open_cells(path, groups="none", hints={"groups": "plate"}).groups is None
    with open_recording(path, groups="plate") as recording:
        assert [cell.group for cell in recording] == PLATES
    with open_recording(path, groups="none") as recording:
        assert {cell.group for cell in recording} == {""}


@STORES
def test_a_name_that_is_nowhere_is_told_with_those_that_are(tmp_path, write):
    with pytest.raises(InputError, match=r"groups: found donors, expected an array .*plate") as caught:
        open_cells(write(tmp_path), groups="donors")
    assert len(str(caught.value).splitlines()) == 1


@STORES
@pytest.mark.parametrize("key", ["score", "frames"])
def test_an_array_that_cannot_be_groups_is_refused(tmp_path, write, key):
    with pytest.raises(CellsError, match=key):
        open_cells(write(tmp_path), groups=key)


def test_a_compressed_archive_has_them_too(tmp_path):
    assert open_cells(write_archive(tmp_path, compress=True), groups="plate", limit=3).groups.tolist() == [
        "p1",
        "p2",
        "p3",
    ]


def test_the_path_of_an_array_and_the_name_of_a_fact(tmp_path):
    path = write_h5(tmp_path)
    assert open_cells(path, groups="/set/plate").groups.tolist() == PLATES
    assert open_cells(path, groups="donor").groups.tolist() == list("000111")
    assert open_cells(path, groups="facts/donor").groups.tolist() == list("000111")


@pytest.fixture
def folder(tmp_path):
    for group in ("d1", "d2"):
        for label in ("x", "y"):
            write_image(tmp_path / group / label / f"{label}_{group}.png", np.full((5, 6), 3, np.uint8))
    return tmp_path


def test_a_folder_of_groups_of_classes(folder):
    cells = open_cells(folder, groups="whatever")
    assert cells.classes == ("x", "y")
    assert sorted(cells.groups) == ["d1", "d1", "d2", "d2"]
    other = open_cells(folder, groups="whatever", hints={"levels": "class/group"})
    assert other.classes == ("d1", "d2")
    assert open_cells(folder, groups="none", hints={"levels": "group/class"}).groups is None
    with pytest.raises(CellsError, match="group/class"):
        open_cells(folder / "d1", groups="day")


def test_a_pattern_that_names_the_group_says_it(folder):
    pattern = "(?P<cell>[a-z])_(?P<group>.+)"
    cells = open_cells(folder / "d1", groups="day", hints={"pattern": pattern})
    assert (cells.classes, cells.groups.tolist()) == (("x", "y"), ["d1", "d1"])


@pytest.fixture
def export(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    for at, population in enumerate(["Live", "live", "Live"]):
        name = f"{population}_{at}_Ch1.ome.tif"
        tifffile.imwrite(tmp_path / name, np.full((8, 6), at, np.uint16), metadata=None)
    return tmp_path


def test_a_fact_of_each_cell(export):
    assert open_cells(export, groups="population").groups.tolist() == ["Live", "live", "Live"]
    assert open_cells(export, groups="object", limit=2).groups.tolist() == ["0", "2"]
    with pytest.raises(InputError, match="groups: found plate, expected a fact of the cells: object, population"):
        open_cells(export, groups="plate")


def test_a_recording_grouped_by_a_fact_is_otherwise_the_same(export):
    (export / "Live_9_Ch1.ome.tif").write_bytes(b"nothing")
    with open_recording(export) as plain, open_recording(export, groups="population") as grouped:
        for name in ("name", "kind", "channels", "dtype", "classes", "shape", "pixel_um", "about"):
            assert getattr(grouped, name) == getattr(plain, name), name
        assert len(grouped) == len(plain) == 4
        assert grouped[1].group == "live"
        assert np.array_equal(grouped[1].frame, plain[1].frame)
        cells, same = gather(grouped), gather(plain)
    assert cells.groups.tolist() == ["Live", "live", "Live"]
    assert cells.skipped == same.skipped
    assert sum(cells.skipped.values()) == 1


def test_cells_without_the_fact_have_no_group(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "c.rtdc", "w") as file:
        file["events/image"] = FRAMES[:, 0].astype(np.uint8)
        file["events/area_um"] = np.array([1.5, 2.0, np.nan, 1.5, 2.0, 2.0])
        file.attrs["experiment:sample"] = "blood"
    assert set(open_cells(tmp_path / "c.rtdc").groups) == {"blood"}
    assert open_cells(tmp_path / "c.rtdc", groups="area_um").groups.tolist() == ["1.5", "2", "", "1.5", "2", "2"]
