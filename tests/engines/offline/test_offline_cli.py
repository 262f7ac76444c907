"""`cellgate classify` and `cellgate convert` as a user meets them."""

import csv
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from engines.errors import CellgateError, EngineError, InputError, MissingExtraError
from engines.offline.cli import classify_command, convert_command
from engines.results import read_results
from tests.support.engines import ScriptedEngine
from tests.support.tables import sample, values_of
from tests.support.toy import CHANNELS, CLASSES, toy_frames, write_toy_bundle


def run(*words):
    app = typer.Typer()
    app.command("classify")(classify_command)
    app.command("convert")(convert_command)
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def cells(tmp_path):
    path = tmp_path / "cells.npz"
    classes = np.arange(50) % 3
    wrong = np.where(np.arange(50) < 5, 0, classes)
    np.savez(path, frames=toy_frames(classes), channels=CHANNELS, classes=CLASSES, labels=wrong)
    return path


def test_a_csv_of_labelled_cells(toy_bundle, tmp_path, cells):
    result = run("classify", cells, "--bundle", toy_bundle.path, "--out", tmp_path / "r.csv")
    assert result.exit_code == 0, result.output
    assert "r.csv: 50 cells" in result.output
    assert "accuracy 0.9400 of 50 labelled cells" in result.output
    with (tmp_path / "r.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["class"] for row in rows] == [CLASSES[i % 3] for i in range(50)]
    assert not (tmp_path / "r.csv.parts").exists()


@pytest.mark.parametrize("ending", [".fcs", ".parquet", ".h5ad"])
def test_the_result_says_where_it_is_from(toy_bundle, tmp_path, cells, ending):
    pytest.importorskip({".parquet": "pyarrow", ".h5ad": "h5py"}.get(ending, "numpy"))
    out = tmp_path / f"r{ending}"
    assert run("classify", cells, "--bundle", toy_bundle.path, "--out", out, "--embedding").exit_code == 0
    results = read_results(out)
    about = results.head.about
    assert (about.cells, about.bundle, about.bundle_sha256) == ("cells.npz", "toy", toy_bundle.sha256)
    assert about.command.startswith("cellgate classify cells.npz --bundle toy")
    assert str(tmp_path) not in results.head.json()
    assert values_of(results)["embedding"].shape == (50, 2)


def test_other_names_for_the_channels(toy_bundle, tmp_path):
    cells = tmp_path / "cells.npz"
    np.savez(cells, frames=toy_frames(np.arange(9) % 3), channels=["Ch1", "Ch6"])
    words = ["classify", cells, "--bundle", toy_bundle.path, "--out", tmp_path / "r.csv"]
    assert "Ch1, Ch6" in str(run(*words).exception)
    assert run(*words, "--channels-map", "brightfield=Ch1, darkfield=Ch6").exit_code == 0


def test_an_unfinished_run_is_told_and_goes_on(toy_bundle, tmp_path, cells, monkeypatch):
    import engines.results

    out = tmp_path / "r.csv"
    words = ["classify", cells, "--bundle", toy_bundle.path, "--out", out]

    def full(*_):
        raise InputError(out, "file", "No space left on device", "a file that can be written")

    with monkeypatch.context() as patch:
        patch.setattr(engines.results, "write_results", full)
        assert isinstance(run(*words).exception, InputError)
    assert (tmp_path / "r.csv.parts").is_dir() and not out.exists()
    assert "--resume" in str(run(*words).exception)
    assert run(*words, "--resume").exit_code == 0
    assert len(values_of(read_results(out))["index"]) == 50


def test_a_run_does_not_go_on_with_other_cells(toy_bundle, tmp_path, cells):
    from engines.offline._parts import identity

    before = identity(cells)
    shutil.copy(cells, tmp_path / "copy.npz")
    with cells.open("r+b") as file:
        file.seek(300)
        file.write(b"xx")
    assert identity(cells) != before


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (["--out", "r.txt"], "ending"),
        (["--out", "no/r.csv"], "folder"),
        (["--out", "r.rtdc"], "ending"),
        (["--out", "r.csv", "--channels-map", "brightfield"], "pair"),
        (["--out", "r.csv", "--precision", "int8"], "graphs"),
        (["--out", "r.csv", "--engine", "abacus"], "name"),
    ],
)
def test_bad_options_are_told_before_anything_is_written(toy_bundle, cells, monkeypatch, words, field):
    monkeypatch.chdir(cells.parent)
    error = run("classify", cells, "--bundle", toy_bundle.path, *words).exception
    assert isinstance(error, InputError)
    assert error.field == field
    assert [path.name for path in Path.cwd().iterdir()] == ["cells.npz"]


def test_a_missing_library_is_told_before_the_run(toy_bundle, cells, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    result = run("classify", cells, "--bundle", toy_bundle.path, "--out", cells.with_name("r.parquet"))
    assert isinstance(result.exception, MissingExtraError)
    assert [path.name for path in cells.parent.iterdir()] == ["cells.npz"]


@pytest.fixture
def rtdc(tmp_path):
    """An RT-DC file of 12 events, and a bundle for it."""
    h5py = pytest.importorskip("h5py")
    pytest.importorskip("hdf5plugin")
    with h5py.File(tmp_path / "m.rtdc", "w") as file:
        file.attrs["experiment:event count"] = 12
        file.attrs["setup:channel width"] = 20.0
        file["events/image"] = toy_frames(np.arange(12) % 3, dtype="uint8")[:, 0]
        file["events/deform"] = np.linspace(0, 0.1, 12)
    return tmp_path / "m.rtdc", write_toy_bundle(tmp_path / "toy8", dtype="uint8")


def test_a_full_disk_is_told_in_a_line_and_the_run_goes_on_later(tmp_path, rtdc):
    source, bundle = rtdc
    room = source.stat().st_size + 500  # for the parts and the copy, not for the scores
    words = ["classify", source, "--bundle", bundle.path, "--out", tmp_path / "scored.rtdc"]
    words += ["--channels-map", "darkfield=brightfield"]
    done = subprocess.run(
        [sys.executable, "-m", "streamer.cli", *map(str, words)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "File too large" in done.stderr and "Traceback" not in done.stderr, done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"m.rtdc", "toy8", "scored.rtdc.parts"}
    assert run(*words, "--resume").exit_code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"m.rtdc", "toy8", "scored.rtdc"}


def test_scores_go_back_into_an_rtdc_file(tmp_path, rtdc):
    h5py = pytest.importorskip("h5py")
    source, bundle = rtdc
    out = tmp_path / "scored.rtdc"
    words = ["classify", source, "--bundle", bundle.path, "--out", out]
    result = run(*words, "--channels-map", "darkfield=brightfield")
    assert result.exit_code == 0, result.exception
    probabilities = tmp_path / "r.csv"
    words[-1] = probabilities
    assert run(*words, "--channels-map", "darkfield=brightfield").exit_code == 0
    found = values_of(read_results(probabilities))
    with h5py.File(out) as file:
        names = sorted(name for name in file["events"] if name.startswith("ml_score_"))
        assert len(names) == 3
        scores = {file.attrs[f"user:{name}"]: file[f"events/{name}"][:] for name in names}
        for name in CLASSES:
            assert np.array_equal(scores[name].astype(np.float32), found[f"p({name})"])
        assert len(file["events/ml_class"]) == 12


def test_cells_through_every_format_and_back(tmp_path, cells):
    pytest.importorskip("hdf5plugin")
    pytest.importorskip("zarr")
    for source, out in (("cells.npz", "a.h5"), ("a.h5", "b.zarr"), ("b.zarr", "c.npz")):
        result = run("convert", tmp_path / source, tmp_path / out)
        assert result.exit_code == 0, result.exception
        assert f"{out}: 50 cells" in result.output
    with np.load(cells) as first, np.load(tmp_path / "c.npz") as last:
        for name in ("frames", "channels", "classes", "labels"):
            assert np.array_equal(first[name], last[name]), name
    assert isinstance(run("convert", tmp_path / "a.h5", tmp_path / "b.zarr").exception, CellgateError)


def test_results_through_every_format_and_back(tmp_path):
    pytest.importorskip("pyarrow")
    pytest.importorskip("h5py")
    from engines.results import write_results
    from tests.support.tables import assert_same

    table = sample(30, embedding=2)
    write_results(table, tmp_path / "a.parquet")
    for source, out in (("a.parquet", "b.h5ad"), ("b.h5ad", "c.csv"), ("c.csv", "d.parquet")):
        assert run("convert", tmp_path / source, tmp_path / out).exit_code == 0
    assert_same(table, read_results(tmp_path / "d.parquet"))


def test_cells_and_results_are_not_turned_into_each_other(tmp_path, cells):
    from engines.results import write_results

    write_results(sample(3), tmp_path / "r.fcs")
    for source, out in (("cells.npz", "x.fcs"), ("r.fcs", "x.npz"), ("r.fcs", "r.fcs"), ("no.npz", "x.npz")):
        assert isinstance(run("convert", tmp_path / source, tmp_path / out).exception, InputError)
        assert not (tmp_path / "x.fcs").exists()
    assert isinstance(run("convert", cells, tmp_path / "x.h5", "--size", "9x9").exception, InputError)
    assert isinstance(run("convert", cells, tmp_path / "x.npz", "--size", "9").exception, InputError)
    assert run("convert", cells, tmp_path / "x.npz", "--size", "9x6").exit_code == 0
    with np.load(tmp_path / "x.npz") as made:
        assert made["frames"].shape == (50, 2, 9, 6)


def test_a_result_among_the_cells_goes_on_and_a_dangling_link_is_no_trouble(tmp_path):
    from engines.offline.cli import _identity

    cells, out = tmp_path / "cells", tmp_path / "cells" / "r.csv"
    (cells / "dim").mkdir(parents=True)
    (cells / "dim" / "1.png").write_bytes(b"1")
    (cells / "dim" / "gone.png").symlink_to("nowhere")
    before = _identity(str(cells), None, out)
    (cells / "r.csv.parts").mkdir()
    (cells / "r.csv.parts" / "part-000000.npz").write_bytes(b"2")
    (cells / "r.csv.json").write_bytes(b"{}")
    assert _identity(str(cells), None, out) == before
    (cells / "dim" / "2.png").write_bytes(b"3")
    assert _identity(str(cells), None, out) != before


def test_another_table_of_labels_is_another_run(tmp_path, cells):
    from engines.offline.cli import _identity

    gates = tmp_path / "gates.csv"
    gates.write_text("path;gate\na;G1\n")
    before = _identity(str(cells), str(gates), tmp_path / "r.csv")
    gates.write_text("path;gate\na;G22\n")
    assert _identity(str(cells), str(gates), tmp_path / "r.csv") != before


def test_a_run_goes_on_only_with_the_same_classes(toy_bundle, tmp_path, cells, monkeypatch):
    import engines.results

    def full(*_):
        raise InputError("r.csv", "file", "No space left on device", "a file that can be written")

    words = ["classify", cells, "--bundle", toy_bundle.path, "--out", tmp_path / "r.csv", "--resume"]
    with monkeypatch.context() as patch:
        patch.setattr(engines.results, "write_results", full)
        run(*words)
    said = json.loads((tmp_path / "r.csv.parts" / "run.json").read_text())
    assert json.loads(said["classes"]) == list(CLASSES)
    (tmp_path / "r.csv.parts" / "run.json").write_text(json.dumps(said | {"classes": "[]"}))
    assert run(*words).exception.field == "classes"


def test_an_engine_that_does_not_warm_up_leaves_nothing_behind(toy_bundle, tmp_path, cells, monkeypatch):
    import engines.backends

    engine = ScriptedEngine(toy_bundle)

    def broken():
        raise EngineError("toy: does not compile")

    monkeypatch.setattr(engine, "warm", broken)
    monkeypatch.setattr(engines.backends, "open_engine", lambda *_args, **_options: engine)
    result = run("classify", cells, "--bundle", toy_bundle.path, "--out", tmp_path / "r.csv")
    assert isinstance(result.exception, EngineError)
    assert [path.name for path in tmp_path.iterdir()] == ["cells.npz"]


def test_cells_whose_names_are_no_utf8(toy_bundle, tmp_path, monkeypatch):
    import engines.results

    tifffile = pytest.importorskip("tifffile")
    root = tmp_path / os.fsdecode(b"ce\xfclls")
    try:
        (root / os.fsdecode(b"d\xfc")).mkdir(parents=True)
    except OSError:
        pytest.skip("this file system has no such names")
    for number, frame in enumerate(toy_frames(np.arange(5) % 3)):
        tifffile.imwrite(root / os.fsdecode(b"d\xfc") / f"{number}.tif", frame)
    out = root / "r.csv"

    def full(*_):
        raise InputError(out, "file", "No space left on device", "a file that can be written")

    words = ["classify", root, "--bundle", toy_bundle.path, "--out", out, "--hint", f"channels={','.join(CHANNELS)}"]
    with monkeypatch.context() as patch:
        patch.setattr(engines.results, "write_results", full)
        assert isinstance(run(*words).exception, InputError)
    assert run(*words, "--resume").exit_code == 0
    head = read_results(out).head
    assert head.about.cells == "ce\ufffdlls"
    assert next(column.labels for column in head.columns if column.name == "label") == ("d\ufffd",)
