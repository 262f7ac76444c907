import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from engines.bundle import InputSpec, fingerprints, write_bundle
from engines.errors import EngineError, InputError
from streamer.cli.verify import verify_command
from tests.support.toy import CHANNELS, CLASSES, toy_frames
from tests.support.two_graphs import constant_frames, with_int8

app = typer.Typer()
app.command()(verify_command)


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture
def archive(tmp_path):
    labels = np.arange(240) % 3
    path = tmp_path / "mine.npz"
    frames = np.concatenate([toy_frames(labels[:230]), constant_frames([1900] * 10)])
    np.savez(path, frames=frames, labels=labels, classes=CLASSES, channels=CHANNELS)
    return path


def test_figures_are_told_and_a_pass_is_exit_code_0(toy_bundle, archive):
    done = run(toy_bundle.path, "--cells", archive)
    assert done.exit_code == 0
    assert "changed classes    0 (0.00%)" in done.output
    assert "answers as the reference does" in done.output


def test_decisions_are_those_of_a_configurations_gates(toy_bundle, archive, tmp_path):
    bundle = with_int8(toy_bundle, tmp_path / "both", (100, 1000, 2700))
    config = tmp_path / "sort.toml"
    config.write_text(
        f"""
        [streamer]
        bundle = "{bundle.path}"
        [decision]
        min_confidence = 0.9
        [[gate]]
        name = "strong"
        classes = ["blinding"]
        way = "left"
        [[gate]]
        name = "middle"
        where = {{ "brightfield:mean" = {{ min = 1500, max = 2500 }} }}
        """
    )
    with pytest.raises(EngineError, match="10 changed gate decisions"):
        run(bundle.path, "--cells", archive, "--precision", "int8", "--config", config)
    done = run(toy_bundle.path, "--cells", archive, "--config", config)
    assert "changed decisions  0 (0.00%) of gate strong, gate middle, kept for left" in done.output
    with pytest.raises(InputError, match=r"--threshold: found 0\.4, expected none beside --config"):
        run(bundle.path, "--cells", archive, "--threshold", "0.4", "--config", config)


def test_every_rung_of_a_ladder_is_tried(toy_bundle, archive):
    assert "answers as the reference does" in run(toy_bundle.path, "--cells", archive, "--ladder", "1,5").output
    with pytest.raises(InputError, match="--ladder: found a, expected batch sizes separated by commas"):
        run(toy_bundle.path, "--cells", archive, "--ladder", "a")


def test_json_is_json(toy_bundle, archive):
    figures = json.loads(run(toy_bundle.path, "--cells", archive, "--json").output)
    assert figures["cells"] == 240
    assert figures["changed_classes"] == 0
    assert figures["passed"] is True
    assert figures["bundle"] == toy_bundle.sha256


def test_a_tampered_graph_is_refused_after_its_figures(toy_bundle, archive, tmp_path):
    bundle = with_int8(toy_bundle, tmp_path / "both", (100, 1000, 2700))
    with pytest.raises(EngineError, match=r"10 changed classes \(4\.17%"):
        run(bundle.path, "--cells", archive, "--precision", "int8")


def test_cells_of_the_training_are_left_out_where_enough_others_are_there(toy_bundle, archive, tmp_path):
    tampered = with_int8(
        toy_bundle, tmp_path / "both", (100, 1000, 2700), seen=fingerprints(constant_frames([1900] * 10))
    )
    done = run(tampered.path, "--cells", archive, "--precision", "int8")
    assert "230 of" in done.output and "none the bundle was trained on" in done.output


def test_without_cells_a_bundle_of_other_channels_asks_for_some(toy_bundle, tmp_path):
    manifest = toy_bundle.manifest
    bundle = write_bundle(
        tmp_path / "other",
        name="other",
        classes=toy_bundle.classes,
        inputs=InputSpec(("fsc", "ssc"), "uint16", 8, 8),
        outputs=manifest.outputs,
        graphs={"fp32": (toy_bundle.graph().read_bytes(), 18)},
    )
    with pytest.raises(InputError, match="--cells: found nothing, expected a file of cells: rendered ones have"):
        run(bundle.path)


def test_an_unknown_precision_or_engine_is_named(toy_bundle, archive):
    with pytest.raises(InputError, match="--precision: found int4, expected fp32 or fp16 or int8"):
        run(toy_bundle.path, "--cells", archive, "--precision", "int4")
    with pytest.raises(InputError, match="found abacus"):
        run(toy_bundle.path, "--cells", archive, "--engine", "abacus")
