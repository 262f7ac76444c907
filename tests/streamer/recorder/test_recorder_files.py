"""The recorder's files: whole when closed, readable when killed, and never more than is there."""

import random
import subprocess
import sys
import time

import numpy as np
import pytest

from engines.cells import gather, open_recording
from engines.errors import InputError, MissingExtraError
from streamer.journal import record_dtype
from streamer.recorder import Choice, How, Names, record
from streamer.recorder._series_file import SeriesFile
from streamer.vocabulary import Reason
from streamer.wire import Handed, Recording, Schema

CLASSES, CHANNELS = ("a", "b/c", "d"), ("green", "red")
ENDINGS = (".h5", ".zarr")
MODULES = {".h5": "hdf5plugin", ".zarr": "zarr"}


def a_recording(dtype="uint16", shape=(2, 6, 5), what="all"):
    return Recording(
        version=1,
        series="s",
        what=what,
        fraction=1.0,
        seed=0,
        heartbeat_s=1.0,
        buffer_bytes=1 << 20,
        started_unix_ns=1_790_000_000_000_000_000,
        started_monotonic_ns=500,
        start_ticks=1000,
        schema=Schema(CHANNELS, dtype, (1, 1000), shape[1:]),
        info={"pixel_um": "0.34", "operator": "é"},
        bundle="toy",
        bundle_sha256="00",
        channels=CHANNELS,
        dtype=dtype,
        shape=shape,
        fit="crop-pad",
        classes=CLASSES,
        gates=("g",),
        ways=("waste", "left"),
        reasons=tuple(reason.label for reason in Reason),
    )


def cells(recording, first, n):
    """Records and frames that tell their seq."""
    seqs = np.arange(first, first + n, dtype=np.uint64)
    records = np.zeros(n, record_dtype(len(CLASSES)))
    records["seq"], records["ticks"] = seqs, seqs + 1000
    records["class_"], records["arrival_ns"], records["decided_ns"] = seqs % 3, seqs + 500, seqs + 2500
    records["probabilities"] = np.eye(3, dtype=np.float32)[records["class_"]] * 0.75
    records["slack_ns"] = 2**63 - 1
    frames = np.empty((n, *recording.shape), recording.dtype)
    frames[:] = (seqs % 200)[:, None, None, None]
    return records, seqs, frames


def feed(file, first, n):
    records, seqs, frames = cells(file.recording, first, n)
    handed = Handed("s", file.handed.offered + n, file.handed.handed + n)
    return file.add([records.tobytes(), seqs.tobytes(), frames.tobytes()], n, handed)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(("compression", "dtype"), [("none", "float32"), ("gzip", "uint16"), ("zstd", "uint8")])
def test_what_is_recorded_reads_back(tmp_path, ending, compression, dtype):
    pytest.importorskip(MODULES[ending])
    path = tmp_path / f"r{ending}"
    file = SeriesFile(path, a_recording(dtype), Choice("all"), compression)
    for first, n in ((0, 3), (3, 1), (4, 300)):
        feed(file, first, n)
        file.write()
    file.close("end")
    with open_recording(path) as back:
        assert (len(back), back.channels, back.classes, back.shape) == (304, CHANNELS, CLASSES, (6, 5))
        assert (back.dtype, back.pixel_um) == (np.dtype(dtype), 0.34)
        for seq, cell in enumerate(back):
            assert (cell.frame == seq % 200).all()
            assert (cell.label, cell.trigger_s) == (seq % 3, seq / 1000)
            facts = cell.facts
            assert (facts["seq"], facts["trigger_ticks"], facts["arrival_ns"]) == (seq, seq + 1000, seq)
            assert (facts["decided_ns"], facts["latency_us"]) == (seq + 2000, 2.0)
            assert (facts["confidence"], facts["p(b|c)"]) == (0.75, 0.75 if seq % 3 == 1 else 0)
            assert "slack_us" not in facts
        assert back.skipped == {}
        about = back.about
        assert "not ground truth" in about["labels_are"]
        assert "labels_are" in list(about)[:12]  # so many `cellgate info` shows
        assert (about["ended"], about["offered"], about["recorded"]) == ("end", "304", "304")
        assert about["info"] == '{"pixel_um":"0.34","operator":"é"}'
        assert about["ways"] == '["waste","left"]'


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_without_cells_is_one(tmp_path, ending):
    pytest.importorskip(MODULES[ending])
    file = SeriesFile(tmp_path / f"r{ending}", a_recording(), Choice("kept"), "gzip")
    file.close("end")
    with open_recording(file.path) as back:
        assert len(back) == 0


KILLED = """
import os, sys
from pathlib import Path
from streamer.recorder import Choice
from streamer.recorder._series_file import SeriesFile
from tests.streamer.recorder.test_recorder_files import a_recording, feed
file = SeriesFile(Path(sys.argv[1]), a_recording(), Choice("all"), "gzip")
seq = 0
while True:
    feed(file, seq, 37)
    seq += 37
    file.write()
    os.write(1, f"{file.taken.recorded}\\n".encode())
"""


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_killed_recorder_leaves_what_it_had_written(tmp_path, ending):
    pytest.importorskip(MODULES[ending])
    rng = random.Random(1)
    for number in range(4):
        path = tmp_path / f"r{number}{ending}"
        with subprocess.Popen([sys.executable, "-c", KILLED, path], stdout=subprocess.PIPE, text=True) as process:
            process.stdout.readline()
            time.sleep(rng.uniform(0.0, 0.15))
            process.kill()
            told = [int(line) for line in process.stdout.read().split()]
        with open_recording(path) as back:
            assert len(back) >= (told[-1] if told else 37)
            assert len(back) % 37 == 0
            assert [cell.facts["seq"] for cell in back] == list(range(len(back)))
            assert all((cell.frame == seq % 200).all() and cell.label == seq % 3 for seq, cell in enumerate(back))
            assert set(back.skipped) <= {"recorded in part when the recorder ended"}
            assert back.about["ended"] == "unheard"
            assert gather(back).labels.tolist() == [seq % 3 for seq in range(len(back))]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_is_readable_while_it_grows(tmp_path, ending):
    pytest.importorskip(MODULES[ending])
    file = SeriesFile(tmp_path / f"r{ending}", a_recording(), Choice("all"), "gzip")
    feed(file, 0, 40)
    file.write()
    feed(file, 40, 10)
    read = f"from engines.cells import open_recording as o; print(len(list(o({str(file.path)!r}))))"
    done = subprocess.run([sys.executable, "-c", read], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "40"
    file.close("end")


def test_what_is_damaged_or_lost_or_not_asked_for_is_counted(tmp_path):
    pytest.importorskip("hdf5plugin")
    file = SeriesFile(tmp_path / "r.h5", a_recording(what="kept"), Choice("sample", 0.5, 3), "none")
    records, seqs, frames = cells(file.recording, 0, 100)
    records["reason"][::4] = Reason.COINCIDENT
    file.add([records.tobytes(), seqs.tobytes(), frames.tobytes()], 100, Handed("s", 100, 100))
    file.add([records.tobytes()[1:], seqs.tobytes(), frames.tobytes()], 100, Handed("s", 210, 205, {"behind": 5}))
    late = cells(file.recording, 300, 7)
    file.add([b"", late[1].tobytes(), late[2].tobytes()], 7, Handed("s", 217, 212, {"behind": 5}))
    file.close("end")
    account = file.account()
    offered = account.pop("offered")
    assert offered == sum(account.values()) == 217
    assert (account["lost"], account["skipped_behind"], account["dropped_damaged"]) == (5, 5, 100)
    assert (account["dropped_undecided"], account["under_way"]) == (7, 0)
    kept = np.flatnonzero((records["reason"] == 0) & Choice("sample", 0.5, 3).of_seqs(seqs))
    with open_recording(file.path) as back:
        assert [cell.facts["seq"] for cell in back] == kept.tolist()
        assert back.about["offered_are"] == "kept"
        assert back.about["recorded_are"] == "of these: a sample of 0.5, by seed 3"
    assert account["not_asked"] == 100 - len(kept)


@pytest.mark.parametrize(("out", "missing"), [("r.h5", "h5py"), ("r.h5", "hdf5plugin"), ("r.zarr", "zarr")])
def test_a_missing_library_is_named_before_anything_is_done(tmp_path, monkeypatch, out, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtraError, match=r"cellgate\[files\]"):
        record("ipc:///nowhere", Names(tmp_path / out), How(Choice("all")))


def test_names_never_take_one_that_is_there(tmp_path):
    (tmp_path / "s.h5").touch()
    assert Names(tmp_path).next("s").name == "s-2.h5"
    assert Names(tmp_path, zarr=True).next("s").name == "s.zarr"
    assert Names(tmp_path / "s.h5").next("other").name == "s-2.h5"
    assert Names(tmp_path / "x.zarr").zarr
    for out in (tmp_path / "not-there", tmp_path / "not-there/r.h5", tmp_path / "r.tiff"):
        with pytest.raises(InputError, match="--out"):
            Names(out)
