"""Damaged HDF5 and Zarr files in a process of their own: cells or one CellsError, in bounded time and memory.

HDF5 is a C library that parses what the file says; a fault in it would end the process. So each run of cases is a
child process under a memory limit and an alarm, which names every case before it starts it. None may end it: what the
library does not come back from happens where files are rehearsed.
"""

import contextlib
import random
import resource
import signal
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest

from engines.cells.hdf5 import open_hdf5, open_rtdc, open_zarr, sniff_rtdc, sniff_zarr, write_rtdc_scores
from engines.errors import CellgateError

sys.path.insert(0, str(Path(__file__).parents[3]))  # a script, too
from tests.support.fuzz_figures import MOST_S, Figures, peak_mib

RTDC = Path(__file__).parents[3].parent / "shared" / "data" / "rtdc"
MEMORY = 6 << 30
ENDINGS = {"hdf5": "*.h5", "rtdc": "*.rtdc", "zarr": "*.zip"}
LOST = ("damage that a library", "damage for which")
FRAMES = np.random.default_rng(1).integers(0, 4000, (30, 2, 9, 7)).astype(np.uint16)


def seeds(folder, reader):
    """Write small files for one reader, one with each packing, beside which real ones are used where present."""
    for number, options in enumerate(({}, {"compression": "gzip", "fletcher32": True}, dict(hdf5plugin.Zstd()))):
        for libver in ("earliest", "latest"):
            chunks = (8, 1, 9, 7) if options else None
            with h5py.File(folder / f"stack{number}{libver}.h5", "w", libver=libver) as file:
                file.attrs["pixel_um"] = 0.3
                file.create_dataset("frames", data=FRAMES, chunks=chunks, **options)
                file["channels"] = ["bf", "df"]
                file["classes"] = np.array(["a", "b"], "S1")
                file["labels"] = np.arange(30) % 2
            with h5py.File(folder / f"events{number}{libver}.rtdc", "w", libver=libver) as file:
                file.attrs["experiment:sample"] = "donor"
                file.attrs["imaging:pixel size"] = 0.34
                file.create_dataset("events/image", data=FRAMES[:, 0].astype(np.uint8), chunks=(4, 9, 7), **options)
                file["events/deform"] = np.linspace(0, 1, 30)
                file["events/time"] = np.linspace(0, 1, 30)
    import zarr

    for version in (2, 3):
        with zarr.storage.ZipStore(folder / f"stack{version}.zip", mode="w") as store:
            group = zarr.create_group(store, zarr_format=version)
            group.create_array("frames", data=FRAMES, chunks=(8, 1, 9, 7))
            group.create_array("labels", data=np.arange(30) % 2)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # texts of one length are not specified yet
                group.create_array("classes", data=np.array(["a", "b"]))
    real = sorted(RTDC.glob("*.rtdc")) if RTDC.is_dir() and reader == "rtdc" else []
    return sorted(folder.glob(ENDINGS[reader])) + real


def mutate(data, rng):
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        # Most of a file is pixels; what can do harm is in the headers, of which the first are at the start.
        at = rng.randrange(min(len(data), rng.choice((128, 2048, 8192, len(data)))))
        kind = rng.randrange(6)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at] = rng.choice((0, 1, 2, 127, 128, 255))
        elif kind == 2:
            data[at : at + 4] = rng.choice((0, 1, 255, 65535, 2**31 - 1, 2**32 - 1)).to_bytes(4, "little")
        elif kind == 3:
            data[at : at + 8] = rng.choice((0, 1, 2**32, 2**63 - 1, 2**64 - 1, len(data))).to_bytes(8, "little")
        elif kind == 4:
            other = rng.randrange(len(data))
            data[at : at + 16] = data[other : other + 16]
        else:
            data = data[: max(64, at)] if rng.random() < 0.3 else data[:at] + data[at + rng.randrange(1, 9) :]
        if len(data) < 64:
            break
    return bytes(data)


def mutate_zip(source, target, rng):
    """Damage the files in the archive, not the archive: its checksums would keep nearly all damage out."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        names = old.namelist()
        hit = {rng.choice([name for name in names if name.endswith(("json", ".zarray"))]), rng.choice(names)}
        for name in names:
            data = old.read(name)
            if name in hit and rng.random() < 0.8:
                data = mutate_text(data, rng) if data[:1] == b"{" else mutate(data, rng)
            new.writestr(name, data)


def mutate_text(data, rng):
    words = (b"0", b"-1", b"1e9", b"null", b'"|O"', b'"pickle"', b"99999999999", b"[]", b"{}", b'"<u2"', b"true")
    at = rng.randrange(len(data))
    return data[:at] + rng.choice(words) + data[at + rng.randrange(12) :] if rng.random() < 0.7 else mutate(data, rng)


def one(path, outcomes):
    with path.open("rb") as stream:
        head = stream.read(64)
    is_rtdc, is_zarr = sniff_rtdc(path, head), sniff_zarr(path, head)
    for opened in (open_rtdc,) if is_rtdc else (open_zarr,) if is_zarr else (open_hdf5,):
        try:
            with opened(path) as recording:
                read = sum(1 for _ in zip(range(200), recording, strict=False))
                outcomes["read" if read and not recording.skipped else "in part"] += 1
        except CellgateError as error:
            outcomes["lost" if any(word in str(error) for word in LOST) else "refused"] += 1
    if is_rtdc:
        with contextlib.suppress(CellgateError):
            write_rtdc_scores(path, path.with_suffix(".out"), np.full((30, 2), 0.5), ("a", "b"), overwrite=True)
            outcomes["scored"] += 1


def child(folder, first, last):
    files = [Path(line) for line in (folder / "seeds.txt").read_text().splitlines()]
    figures = Figures()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for case in range(first, last):
        rng = random.Random(case)
        source = files[case % len(files)]
        path = folder / f"case{source.suffix}"
        print("case", case, source.name, flush=True)
        # Their default action ends the process, wherever it is. Computing time, since the machine may be busy.
        signal.setitimer(signal.ITIMER_PROF, MOST_S)
        signal.alarm(30 * int(MOST_S))
        if source.suffix == ".zip":
            mutate_zip(source, path, rng)
        else:
            path.write_bytes(mutate(source.read_bytes(), rng))
        try:
            with figures.case() as outcomes:
                one(path, outcomes)
        except Exception as error:  # noqa: BLE001 - what this looks for
            print("BAD", case, source.name, type(error).__name__, error, flush=True)
        signal.setitimer(signal.ITIMER_PROF, 0)
    print(figures.found(peak_mib=round(peak_mib(), 1)))


def run(folder, reader, cases):
    """Return what was raised that is no CellgateError, and the cases that ended the process, with how."""
    folder.mkdir()
    kept = folder / "seeds"
    kept.mkdir()
    (folder / "seeds.txt").write_text("\n".join(map(str, seeds(kept, reader))))
    bad, ended, first = [], [], 0
    while first < cases:
        done = subprocess.run(
            [sys.executable, __file__, folder, str(first), str(cases)], capture_output=True, text=True, cwd=Path.cwd()
        )
        lines = done.stdout.splitlines()
        bad += [line for line in lines if line.startswith("BAD")]
        started = [line for line in lines if line.startswith("case")]
        if done.returncode == 0:
            assert int(started[-1].split()[1]) == cases - 1
            print(reader, f"cases from {first}:", lines[-1])
            break
        assert started, done.stderr
        ended.append(f"{started[-1]}: {done.returncode} {done.stderr[-300:]}")
        first = int(started[-1].split()[1]) + 1
    return bad, ended


@pytest.mark.parametrize("reader", ENDINGS)
@pytest.mark.parametrize("cases", [200, pytest.param(20_000, marks=[pytest.mark.slow, pytest.mark.timeout(7200)])])
def test_damaged_files_never_surprise(tmp_path, reader, cases):
    bad, ended = run(tmp_path / "fuzz", reader, cases)
    assert not bad
    assert not ended


if __name__ == "__main__":
    child(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
