"""Recordings written as `cellgate-frames` read back as they were."""

import numpy as np
import pytest

from engines.cells import open_recording
from engines.errors import CellsError, InputError
from engines.offline import write_hdf5, write_zarr
from tests.support.recordings import Fake, toy_recording
from tests.support.toy import toy_frames

WRITERS = {".h5": (write_hdf5, "hdf5plugin"), ".zarr": (write_zarr, "zarr")}


@pytest.fixture(params=WRITERS)
def written(request, tmp_path):
    """What writes a recording and opens it again."""
    write, library = WRITERS[request.param]
    pytest.importorskip(library)

    def through(recording):
        path = tmp_path / f"r{request.param}"
        count = write(recording, path)
        return count, open_recording(path)

    return through


def test_one_size(written):
    facts = [{"area": i / 3, "object": 5 + i, "text": "left out"} for i in range(40)]
    del facts[4]["area"]
    source = toy_recording(40, damaged=[7], facts=facts, groups=["é"] * 40, triggers=[i / 2 for i in range(40)])
    source.pixel_um = 0.34
    count, back = written(source)
    with back:
        assert count == len(back) == 39
        assert source.skipped == {"frame: damage": 1}
        assert (back.shape, back.pixel_um, back.classes) == ((8, 8), 0.34, source.classes)
        kept = [i for i in range(40) if i != 7]
        for place, cell in zip(kept, back, strict=True):
            assert np.array_equal(cell.frame, source.frames[place])
            assert (cell.label, cell.group, cell.trigger_s) == (place % 3, "é", place / 2)
            assert cell.facts == {k: v for k, v in facts[place].items() if k != "text"}


def test_sizes_that_differ(written):
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 4096, (2, 4 + i % 3, 5)).astype(np.uint16) for i in range(20)]
    count, back = written(Fake(frames))
    with back:
        assert count == 20 and back.shape is None
        assert all(np.array_equal(cell.frame, frame) for cell, frame in zip(back, frames, strict=True))


def test_nothing_readable_leaves_nothing(tmp_path):
    pytest.importorskip("hdf5plugin")
    with pytest.raises(CellsError):
        write_hdf5(toy_recording(3, damaged=range(3)), tmp_path / "r.h5")
    assert not list(tmp_path.iterdir())


def test_a_zarr_store_is_not_written_over(tmp_path):
    pytest.importorskip("zarr")
    (tmp_path / "r.zarr").mkdir()
    with pytest.raises(InputError, match="something there"):
        write_zarr(Fake(toy_frames([0])), tmp_path / "r.zarr")


def test_facts_of_any_name(written):
    names = ["a/b", "a|b", ".", "..", "", "Area", "area", "x\0", "\udcff"]
    _, back = written(toy_recording(3, facts=[{name: place for place, name in enumerate(names)}] * 3))
    with back:
        assert sorted(back[0].facts.values()) == list(range(len(names)))
