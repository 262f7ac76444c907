"""The demo, as a user starts it."""

import subprocess
import sys

import msgspec
import numpy as np
import pytest

from engines.bundle import pretrained
from tests.support.toy import CHANNELS, CLASSES, toy_frames

KEYS = {
    "sent",
    "received",
    "missing",
    "duplicates",
    "rejected",
    "decided",
    "kept",
    "not_kept",
    "cells_per_s",
    "latency_us",
    "accuracy",
    "balanced_accuracy",
    "confusion",
    "engine",
    "bundle_sha256",
}


def _demo(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "streamer.cli", "demo", "--plain", *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


@pytest.fixture
def toy_cells(tmp_path):
    """A file of labelled toy cells, and how many there are."""
    classes = np.random.default_rng(0).integers(0, 3, 200)
    path = tmp_path / "cells.npz"
    np.savez(path, frames=toy_frames(classes), channels=CHANNELS, labels=classes.astype(np.uint8), classes=CLASSES)
    return path


def _check(figures):
    assert set(figures) >= KEYS
    assert figures["sent"] == figures["decided"] + figures["missing"]
    assert figures["decided"] == figures["kept"] + sum(figures["not_kept"].values())
    assert figures["account_errors"] == []
    assert figures["journal_records"] == figures["decided"]
    assert figures["kept_after_deadline"] == 0
    assert set(figures["latency_us"]) >= {"p50", "p90", "p99", "p999", "max", "from_arrival", "from_trigger"}


def test_recorded_cells_are_classified_and_the_account_adds_up(tmp_path, toy_bundle, toy_cells):
    done = _demo(
        *("--cells", toy_cells, "--bundle", toy_bundle.path, "--rate", 400, "--seconds", 2, "--json", "out.json"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    figures = msgspec.json.decode((tmp_path / "out.json").read_bytes())
    _check(figures)
    assert 600 < figures["sent"] < 1000
    assert figures["accuracy"] == figures["balanced_accuracy"] == 1.0
    assert np.array(figures["confusion"]).sum() == figures["scored"] <= figures["decided"]
    assert figures["bundle_sha256"] == toy_bundle.sha256
    assert figures["decisions_received"] == figures["decided"]
    assert "Summary" in done.stdout
    assert "✗" not in done.stdout


def test_digital_cells_by_default(tmp_path):
    if not pretrained("digital").is_dir():
        pytest.skip("the bundle `digital` is not there")
    done = _demo("--rate", 200, "--seconds", 2, "--json", "out.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    figures = msgspec.json.decode((tmp_path / "out.json").read_bytes())
    _check(figures)
    assert figures["accuracy"] > 0.8


def test_cells_the_bundle_was_trained_on_are_not_scored(tmp_path, toy_cells):
    from engines.bundle import fingerprints, load_bundle, write_bundle
    from engines.cells import read_npz
    from tests.support.toy import write_toy_bundle

    cells = read_npz(toy_cells)
    plain = write_toy_bundle(tmp_path / "plain")
    manifest = plain.manifest
    trained_on = fingerprints(cells.frames[:1])  # toy cells of one class are all alike
    write_bundle(
        tmp_path / "trained",
        name="trained",
        classes=manifest.classes,
        inputs=manifest.input,
        outputs=manifest.outputs,
        graphs={"fp32": (plain.graph().read_bytes(), 18)},
        seen=trained_on,
    )
    done = _demo(
        *("--cells", toy_cells, "--bundle", tmp_path / "trained", "--seconds", 1, "--json", "out.json"), cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    figures = msgspec.json.decode((tmp_path / "out.json").read_bytes())
    seen = load_bundle(tmp_path / "trained").seen(cells.frames)
    assert figures["left_out_as_trained_on"] == seen.sum() > 0
    assert figures["distinct_cells"] == (~seen).sum()
    row = CLASSES.index(CLASSES[int(cells.labels[0])])
    assert sum(figures["confusion"][row]) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--rate", "-1"), "--rate"),
        (("--cells", "nothing.npz"), "nothing.npz"),
        (("--bundle", "nowhere"), "nowhere"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, arguments, words):
    done = _demo(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
