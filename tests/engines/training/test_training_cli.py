import subprocess
import sys

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

pytest.importorskip("torch")
pytest.importorskip("onnx")

from engines.bundle import load_bundle
from engines.errors import CellsError, InputError
from engines.training.cli import load, train_command

app = typer.Typer()
app.command()(train_command)


@pytest.fixture
def archive(tmp_path):
    generator = np.random.default_rng(0)
    labels = np.arange(60) % 2
    frames = generator.normal(500 + 300 * labels[:, None, None, None], 9, (60, 2, 16, 16)).astype(np.uint16)
    path = tmp_path / "mine.npz"
    np.savez(path, frames=frames, labels=labels, classes=["dim", "bright"], channels=["brightfield", "darkfield"])
    return path


def test_command_writes_a_bundle_that_tells_no_path(archive, tmp_path):
    out = tmp_path / "bundles" / "mine"
    words = [str(archive), "--out", str(out), "--network", "student", "--channels", "darkfield", "--epochs", "1"]
    result = CliRunner().invoke(app, [*words, "--threads", "1", "--seed", "3"], catch_exceptions=False)
    assert result.exit_code == 0
    assert "mine: 12 held-out cells: accuracy" in result.output
    bundle = load_bundle(out)
    assert bundle.manifest.input.channels == ("darkfield",)
    assert bundle.manifest.training["command"] == (
        "cellgate train mine.npz --out mine --network student --channels darkfield --epochs 1 --seed 3 --threads 1"
    )
    assert str(tmp_path) not in (out / "manifest.json").read_text()
    assert str(tmp_path).encode() not in bundle.graph().read_bytes()


def test_missing_channel_is_one_line(archive, tmp_path):
    with pytest.raises(InputError, match="channels: found PI, expected distinct names among brightfield,darkfield"):
        CliRunner().invoke(
            app, [str(archive), "--out", str(tmp_path / "b"), "--channels", "PI"], catch_exceptions=False
        )


def test_missing_file_is_one_line(tmp_path):
    with pytest.raises(CellsError, match="expected a readable file"):
        load(str(tmp_path / "none.npz"), 0)


@pytest.mark.parametrize("cells", ["digital:", "digital:0", "digital:many", "digital:-5"])
def test_digital_wants_a_number(cells):
    with pytest.raises(InputError, match="digital:N"):
        load(cells, 0)


def test_digital_cells_are_rendered_with_a_uniform_mix():
    cells = load("digital:210", 1)
    assert len(cells) == 210
    assert cells.name == "digital:210"
    assert np.bincount(cells.labels, minlength=len(cells.classes)).min() > 10
    assert np.array_equal(cells.frames, load("digital:210", 1).frames)


def test_the_command_line_loads_no_pytorch_until_it_trains():
    code = "import sys, engines.training.cli; sys.exit('torch' in sys.modules or 'onnx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
