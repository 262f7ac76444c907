"""Scores where they cannot be written: a clear error, no half of a file, and the source as it was."""

import random
from pathlib import Path

import h5py
import numpy as np
import pytest

from engines.cells.hdf5 import open_rtdc, write_rtdc_scores
from engines.errors import CellgateError, CellsError, InputError
from tests.support.disks import on_disk, where_files_end

EVENTS = 2000
WRITE = """
import json, sys
from pathlib import Path
import numpy as np
from engines.cells.hdf5 import write_rtdc_scores
from engines.errors import CellgateError

folder, source = map(Path, sys.argv[1:3])
scores = np.random.default_rng(3).dirichlet([1, 1, 1], 2000)
try:
    write_rtdc_scores(source, folder / "b.rtdc", scores, ("a", "b", "c"), overwrite=True)
    told = None
except CellgateError as error:
    told = str(error)
print(json.dumps([told, sorted(path.name for path in folder.iterdir())]))
"""


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "from" / "a.rtdc"
    path.parent.mkdir()
    with h5py.File(path, "w") as file:
        file.attrs["setup:software version"] = "ShapeIn 2.0"
        file["events/image"] = np.random.default_rng(0).integers(0, 255, (EVENTS, 4, 6)).astype(np.uint8)
        file["events/deform"] = np.linspace(0, 1, EVENTS)
    return path


# Where the copy fails, the library's first write, one in the midst of the scores, and its last when it closes the file.
@pytest.mark.parametrize("room", [-1, 0, 20_000, 50_000])
def test_a_disk_that_gets_full_leaves_what_was_there(source, tmp_path, room):
    before = source.read_bytes()
    out = tmp_path / "b.rtdc"
    out.write_text("mine")
    told, names = where_files_end(len(before) + room, WRITE, tmp_path, source)
    assert told is not None and "b.rtdc" in told and "File too large" in told
    assert names == ["b.rtdc", "from"]
    assert out.read_text() == "mine"
    assert source.read_bytes() == before


def test_room_enough_is_enough(source, tmp_path):
    told, names = where_files_end(source.stat().st_size + 200_000, WRITE, tmp_path, source)
    assert (told, names) == (None, ["b.rtdc", "from"])


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("size=64k", "No space left on device"),
        ("size=112k", "No space left on device"),
        ("ro", "Read-only file system"),
    ],
)
def test_real_disks(source, tmp_path, options, reason):
    before = source.read_bytes()
    (tmp_path / "disk").mkdir()
    told, names = on_disk(options, tmp_path / "disk", WRITE, source)
    assert told is not None and "b.rtdc" in told and reason in told
    assert names == []
    assert source.read_bytes() == before


@pytest.mark.parametrize("name", ["folder", "no/b.rtdc", "a.txt/b.rtdc"])
def test_places_that_are_none(source, tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.txt").touch()
    with pytest.raises((CellsError, InputError)):
        write_rtdc_scores(source, tmp_path / name, np.full((EVENTS, 1), 0.5), ("a",), overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "folder", "from"]


@pytest.mark.parametrize("how", ["cut", "blank", "noise"])
def test_a_damaged_source(source, tmp_path, how):
    """Damage in ten places, most of them in the first kilobytes, where the file says what it holds."""
    whole, rng = source.read_bytes(), random.Random(how)
    damaged, out = tmp_path / "damaged.rtdc", tmp_path / "b.rtdc"
    refused = 0
    for _ in range(10):
        at = rng.randrange(rng.choice((512, 4096, len(whole))))
        spoilt = {"cut": b"", "blank": whole[:at] + bytes(64) + whole[at + 64 :]}.get(how)
        spoilt = whole[:at] + rng.randbytes(16) + whole[at + 16 :] if spoilt is None else spoilt or whole[:at]
        damaged.write_bytes(spoilt)
        try:
            write_rtdc_scores(damaged, out, np.full((EVENTS, 2), 0.5), ("a", "b"), overwrite=True)
        except CellgateError:
            refused += 1
            assert not out.exists()
        else:
            _is_scored(out)
            out.unlink()
        assert damaged.read_bytes() == spoilt
        assert sorted(path.name for path in tmp_path.iterdir()) == ["damaged.rtdc", "from"]
    assert refused


def _is_scored(path: Path) -> None:
    with open_rtdc(path) as recording:
        cell = next(iter(recording))
    assert cell.facts["ml_class"] == 0
