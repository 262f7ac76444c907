import subprocess
import sys

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

pytest.importorskip("torch")
pytest.importorskip("onnx")

from engines.bundle import load_bundle
from engines.errors import BundleError, InputError
from engines.training import Recipe
from engines.training.cli import changed, named, train_command

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


def test_recipe_takes_any_number_by_name():
    recipe = changed(Recipe(), ["mixup=0.2", "batch=32", "bfloat16=true", "normalise=quantile"])
    assert recipe == Recipe(mixup=0.2, batch=32, bfloat16=True, normalise="quantile")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mixup", "expected NAME=VALUE with one of epochs"),
        ("speed=3", "found speed, expected NAME=VALUE with one of epochs"),
        ("batch=2.5", "recipe: batch: found 2.5, expected a whole number"),
        ("mixup=much", "recipe: mixup: found much, expected a number"),
        ("normalise=log", "recipe: normalise: found log, expected scale or percentile or quantile"),
        ("bfloat16=1", "recipe: bfloat16: found 1, expected true or false"),
        ("batch=1", "recipe: batch: found 1, expected 2 or more"),
    ],
)
def test_recipe_that_cannot_be_is_one_line(text, message):
    with pytest.raises(InputError, match=message):
        changed(Recipe(), [text])


def test_merge_on_the_command_line(archive, tmp_path):
    words = [str(archive), "--out", str(tmp_path / "b"), "--merge", "dim,bright=any", "--network", "student"]
    with pytest.raises(InputError, match="merge: found any, expected two classes or more left"):
        CliRunner().invoke(app, words, catch_exceptions=False)


def test_shipped_bundles_go_by_their_names():
    assert named("digital").manifest.name == "digital"
    with pytest.raises(BundleError):
        named("no-such-bundle")


def test_the_command_line_loads_no_heavy_library_until_it_needs_one():
    heavy = ["torch", "onnx", "onnxruntime", "openvino", "sklearn", "scipy", "h5py", "tifffile", "PIL", "pyarrow"]
    code = f"import sys, streamer.cli; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "[]"
