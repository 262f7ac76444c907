"""Every format that is read, played to a real streamer at its cells' own sizes: each cell is decided and reported."""

import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from engines.cells import open_recording
from engines.offline import write_hdf5, write_zarr
from engines.results import read_results
from streamer.journal import read_journal, summarize
from tests.support.cif_writer import make_frames, write_cif
from tests.support.made_cells import MadeRecording, constant, write_image
from tests.support.running import Running
from tests.support.tables import values_of
from tests.support.toy import LEVELS, write_toy_bundle

SHARED = Path(__file__).parents[3].parent / "shared" / "data"


def mixed():
    return MadeRecording([constant(LEVELS[i % 3], 6 + i % 3, 7 + i % 4) for i in range(30)])


def make_cif(path):
    write_cif(path / "a.cif", make_frames(1, 12, 2)[0])
    return path / "a.cif"


def make_rtdc(path):
    with h5py.File(path / "a.rtdc", "w") as file:
        file.attrs["experiment:sample"] = "donor"
        file["events/image"] = np.random.default_rng(1).integers(0, 200, (14, 9, 21)).astype(np.uint8)
        file["events/time"], file["events/area_um"] = np.arange(14.0), np.arange(14.0)
    return path / "a.rtdc"


def make_hdf5(path):
    write_hdf5(mixed(), path / "a.h5")
    return path / "a.h5"


def make_zarr(path):
    write_zarr(mixed(), path / "a.zarr")
    return path / "a.zarr"


def make_imagestream(path):
    for number in range(9):
        for channel in (1, 6):
            pixels = np.full((5 + number, 8), LEVELS[number % 3], np.uint16)
            write_image(path / "cells" / f"a_{number}_Ch{channel}.ome.tif", pixels)
    return path / "cells"


def make_cellview(path):
    (path / "images").mkdir()
    for number in range(8):
        with tifffile.TiffWriter(path / "images" / f"run_{number:08}.tiff") as tiff:
            for page in ("FSC", "SSC"):
                pixels = np.full((6 + number, 10), LEVELS[number % 3] - 50.5, np.float32)
                tiff.write(pixels, metadata=None, extratags=[(285, 2, 0, page, True)], contiguous=False)
    return path / "images"


def make_montage(path):
    pixels = np.random.default_rng(0).integers(1, 200, (66, 528)).astype(np.uint8)
    write_image(path / "m.png", pixels)
    return path / "m.png"


def make_folder(path):
    for number in range(20):
        write_image(path / "cells" / f"c{number % 3}" / f"{number}.png", np.full((5 + number, 9), 900, np.uint16))
    return path / "cells"


def make_npz(path):
    frames = np.full((25, 3, 7, 9), 1000, np.float32)
    np.savez_compressed(path / "a.npz", frames=frames, channels=["x", "y", "z"])
    return path / "a.npz"


MADE = [make_cif, make_rtdc, make_hdf5, make_zarr, make_imagestream, make_cellview, make_montage, make_folder, make_npz]
HINTS = {make_montage: ("tile=66",)}
REAL = [*sorted((SHARED / "rtdc").glob("*.rtdc")), SHARED / "cellview", SHARED / "imagestream"]


def told(*words):
    done = subprocess.run(
        [sys.executable, "-m", "streamer.cli", *map(str, words)], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def sent_and_reported(cells, hints):
    """Send each cell once and read the report back; return the number of cells and what the sender said."""
    given = dict(hint.split("=") for hint in hints)
    given = {name: int(value) for name, value in given.items()}
    with open_recording(cells, **given) as recording:
        count, channels, dtype = len(recording), recording.channels, recording.dtype.name
    with tempfile.TemporaryDirectory(prefix="cg-") as folder:
        bundle = write_toy_bundle(Path(folder) / "toy", height=16, width=12, dtype=dtype, channels=channels)
        with Running(Path(folder), bundle.path) as running:
            said = told(
                "send", cells, "--to", running.cells, "--series", "s", "--rate", "3000", "--seconds", "9",
                "--count", str(count), "--per-message", "5", *(word for hint in hints for word in ("--hint", hint)),
            )  # fmt: skip
            running.stop()
            told("report", running.journal("s"), "--out", Path(folder) / "s.fcs")
            rows = values_of(read_results(Path(folder) / "s.fcs"))
            assert summarize(read_journal(running.journal("s"))).disagreements == []
    assert rows["seq"].tolist() == list(range(count))
    return count, said


# In every run those that differ most: dtypes, sizes that differ, channels of their own, a hint. The others when slow.
EVERY_RUN = {make_cif, make_cellview, make_hdf5, make_montage}


@pytest.mark.parametrize(
    "make",
    [pytest.param(make, marks=() if make in EVERY_RUN else pytest.mark.slow) for make in MADE],
    ids=lambda make: make.__name__.removeprefix("make_"),
)
def test_each_cell_of_each_format_is_decided(tmp_path, make):
    count, said = sent_and_reported(make(tmp_path), HINTS.get(make, ()))
    assert count >= 8
    assert f"sent {count} = decided {count} + missing 0" in said
    assert "could not be read" not in said


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the real cells in ../shared/data")
@pytest.mark.parametrize("cells", REAL, ids=lambda path: path.name)
def test_each_real_cell_is_decided(cells):
    with open_recording(cells) as recording:
        if not len(recording):
            pytest.skip("a file without events")
    count, said = sent_and_reported(cells, ())
    assert f"sent {count} = decided {count} + missing 0" in said
