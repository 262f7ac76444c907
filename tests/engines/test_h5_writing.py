"""HDF5 files on a disk that gets full, at whatever byte: an error, nothing left behind, and the process lives."""

import h5py
import numpy as np
import pytest

from engines.h5_writing import writing_h5
from tests.support.disks import where_files_end

WRITE = """
import json, sys
from pathlib import Path
from engines.errors import InputError
from engines.offline import write_hdf5
from engines.results import write_results
from tests.support.recordings import toy_recording
from tests.support.tables import sample

folder, kind, step = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
refused = written = limit = 0
while not written:
    limit += step
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        if kind == "h5ad":
            write_results(sample(400, embedding=16), folder / "r.h5ad")
        else:
            write_hdf5(toy_recording(300), folder / "r.h5")
        written += 1
    except InputError as error:
        assert error.found == "File too large", error
        assert not list(folder.iterdir()), "half a file"
        refused += 1
print(json.dumps([refused, [path.name for path in folder.iterdir()]]))
"""


@pytest.mark.parametrize(("kind", "step"), [("h5ad", 7001), ("h5", 1501)])
def test_wherever_the_disk_is_full(tmp_path, kind, step):
    refused, names = where_files_end(10**6, WRITE, tmp_path, kind, step)
    assert refused > 5
    assert names == [f"r.{kind}"]


def test_what_was_written_is_there(tmp_path):
    values = np.random.default_rng(0).random((500, 30))
    with writing_h5(h5py, tmp_path / "a.h5") as (file, disk):
        file.create_dataset("x", data=values, chunks=(7, 30), compression="gzip")
        file["old"] = values
        disk.check()
    with writing_h5(h5py, tmp_path / "a.h5", "r+") as (file, _):
        del file["old"]
        file["y"] = file["x"][:][::-1]
    with h5py.File(tmp_path / "a.h5") as file:
        assert np.array_equal(file["x"][:], values)
        assert np.array_equal(file["y"][:], values[::-1])
        assert "old" not in file


def test_an_error_of_the_callers_own(tmp_path):
    with pytest.raises(ZeroDivisionError), writing_h5(h5py, tmp_path / "a.h5"):
        1 / 0  # noqa: B018
    with pytest.raises(FileNotFoundError), writing_h5(h5py, tmp_path / "no" / "a.h5"):
        pass
