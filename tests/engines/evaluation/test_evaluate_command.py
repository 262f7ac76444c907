"""`cellgate evaluate`: figures, a page, and bad input by name."""

import json
import subprocess
import sys

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from engines.bundle import load_bundle, pretrained
from engines.errors import BundleError, CellsError, InputError
from engines.evaluation.cli import evaluate_command, load
from tests.support.judged import toy_cells

app = typer.Typer()
app.command()(evaluate_command)


def archive(path, cells):
    arrays = {"frames": cells.frames, "channels": np.array(cells.channels)}
    if cells.labels is not None:
        arrays |= {"labels": cells.labels, "classes": np.array(cells.classes)}
    np.savez(path, **arrays)
    return path


def run(*words):
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_the_command_writes_figures_and_a_page(toy_bundle, tmp_path):
    cells = archive(tmp_path / "mine.npz", toy_cells())
    (tmp_path / "mix.json").write_text('{"dim": 1, "bright": 2, "blinding": 1}')
    words = ["--class-mix", tmp_path / "mix.json", "--merge", "bright,blinding=lit", "--threads", 1]
    out = run(toy_bundle.path, cells, *words, "--json", tmp_path / "f.json", "--report", tmp_path / "a/b")
    for said in ("toy on mine.npz, 90 cells", "accuracy", "0.9444", "merged: accuracy", "carries no fingerprints"):
        assert said in out
    found = json.loads((tmp_path / "f.json").read_text())
    assert found["figures"]["accuracy"] == pytest.approx(85 / 90)
    assert found["figures"]["at_class_mix"]["recall_weighted"]["accuracy"] == pytest.approx(0.25 * 30 / 35 + 0.75)
    assert found["figures"]["merged"]["figures"]["classes"] == ["dim", "lit"]
    assert found["made"]["command"] == (
        "cellgate evaluate toy mine.npz --class-mix mix.json --merge bright,blinding=lit --precision fp32 --threads 1"
    )
    page = (tmp_path / "a/b/index.html").read_text()
    assert "94.4" in page
    for text in (page, (tmp_path / "f.json").read_text()):
        assert str(tmp_path) not in text


def test_shipped_bundles_go_by_name(monkeypatch, tmp_path, toy_bundle):
    assert load("digital").path == pretrained("digital")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digital").symlink_to(toy_bundle.path)
    assert load("digital").sha256 == toy_bundle.sha256
    assert load_bundle(toy_bundle.path).sha256 == load(str(toy_bundle.path)).sha256


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        (["{none}", "{cells}"], BundleError, "expected a bundle directory"),
        (["{toy}", "{none}"], CellsError, "none"),
        (["{toy}", "{cells}", "--precision", "fp16"], InputError, "--precision: found fp16, expected fp32 or int8"),
        (["{toy}", "{cells}", "--precision", "int8"], BundleError, "expected a graph of precision int8"),
        (["{toy}", "{cells}", "--map", "umap"], InputError, "--map: found umap, expected pca or tsne"),
        (["{toy}", "{cells}", "--engine", "abacus"], InputError, "abacus"),
        (["{toy}", "{cells}", "--merge", "dim"], InputError, "--merge: found dim"),
        (["{toy}", "{cells}", "--merge", "dim,dark=x"], InputError, "found dark, expected one of dim, bright"),
        (["{toy}", "{cells}", "--class-mix", "{none}"], InputError, "class mix: found No such file"),
        (["{toy}", "{cells}", "--groups"], CellsError, "groups: found nothing"),
        (["{toy}", "{cells}", "--unseen-only"], InputError, "seen: found no fingerprints"),
        (["{toy}", "{cells}", "--json", "{none}/f.json"], InputError, "--json: found No such file"),
        (["{toy}", "{cells}", "--report", "{cells}"], InputError, "report: found File exists"),
    ],
)
def test_bad_input_is_named(toy_bundle, tmp_path, words, error, message):
    places = {"none": tmp_path / "none", "toy": toy_bundle.path, "cells": archive(tmp_path / "c.npz", toy_cells())}
    with pytest.raises(error, match=message):
        run(*(word.format(**places) for word in words))


def test_the_command_line_evaluates_a_shipped_bundle(tmp_path):
    words = ["evaluate", "digital", "digital:70", "--seed", "5", "--json", tmp_path / "f.json", "--threads", "1"]
    done = subprocess.run([sys.executable, "-m", "streamer.cli", *words], capture_output=True, text=True, timeout=120)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    found = json.loads((tmp_path / "f.json").read_text())
    assert found["figures"]["cells"] == 70
    assert found["figures"]["accuracy"] > 0.8
    done = subprocess.run(
        [sys.executable, "-m", "streamer.cli", "evaluate", "digital", tmp_path / "none.npz"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("cellgate: ")
    assert len(done.stderr.splitlines()) == 1
