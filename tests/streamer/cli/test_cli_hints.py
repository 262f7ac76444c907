"""`--hint` and `--groups` of the commands that read cells."""

import json

import numpy as np
import pytest
import typer
import typer.main
from typer.testing import CliRunner

from engines.cells import HINT_HELP
from engines.errors import InputError
from engines.training.cli import command_of
from streamer.cli import app
from tests.support.made_cells import write_image
from tests.support.toy import CHANNELS, CLASSES, toy_frames

COMMANDS = ("info", "send", "demo", "convert", "train", "crossval", "evaluate", "classify", "verify", "quantise")


def invoke(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def archive(tmp_path):
    labels = np.arange(30) % 3
    plates = np.arange(30) // 10
    path = tmp_path / "cells.npz"
    np.savez(path, frames=toy_frames(labels), channels=CHANNELS, classes=CLASSES, labels=labels, plate=plates)
    return path


@pytest.fixture
def folder(tmp_path):
    """Class folders of one TIFF per cell, whose pages have no names; the last of them is damaged."""
    pytest.importorskip("tifffile")
    labels = np.arange(12) % 3
    for number, (frame, label) in enumerate(zip(toy_frames(labels), labels, strict=True)):
        write_image(tmp_path / "cells" / CLASSES[label] / f"{number}.tif", frame)
    (tmp_path / "cells" / CLASSES[0] / "99.tif").write_bytes(b"II*\x00 and no more")
    return tmp_path / "cells"


NAMED = f"channels={','.join(CHANNELS)}"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_reads_cells_takes_hints_and_says_so_alike(command):
    (option,) = [p for p in typer.main.get_command(app).commands[command].params if p.name == "hint"]
    assert (option.opts, option.multiple, option.help) == (["--hint"], True, HINT_HELP)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_hint_reaches_the_reader(tmp_path, toy_bundle, archive, command):
    if command in ("train", "crossval"):
        pytest.importorskip("torch")
    if command == "quantise":
        pytest.importorskip("onnx")
    bundle, out = toy_bundle.path, tmp_path / "out.csv"
    words = {
        "info": [archive],
        "send": [archive, "--to", "ipc://nobody"],
        "demo": ["--cells", archive, "--bundle", bundle, "--plain"],
        "convert": [archive, tmp_path / "out.h5"],
        "train": [archive, "--out", out],
        "crossval": [archive, "--out", out],
        "evaluate": [bundle, archive],
        "classify": [archive, "--bundle", bundle, "--out", out],
        "verify": [bundle, "--cells", archive],
        "quantise": [bundle, "--cells", archive, "--out", out],
    }[command]
    result = invoke(command, *words, "--hint", "colour=red")
    assert isinstance(result.exception, InputError), result.output
    assert "colour: found red, expected a hint that the reader of npz knows" in str(result.exception)
    result = invoke(command, *words, "--hint", "colour")
    assert "--hint: hint: found colour, expected NAME=VALUE" in str(result.exception)
    assert not out.exists()


@pytest.mark.parametrize("command", ["train", "crossval"])
def test_groups_by_a_name_that_is_nowhere(tmp_path, archive, command):
    pytest.importorskip("torch")
    result = invoke(command, archive, "--out", tmp_path / "o", "--groups", "donor")
    assert isinstance(result.exception, InputError), result.output
    assert "groups: found donor, expected an array of text or integers per cell" in str(result.exception)
    assert "plate" in str(result.exception)


def test_evaluate_groups_by_the_hint(tmp_path, toy_bundle, archive):
    result = invoke(
        "evaluate", toy_bundle.path, archive, "--groups", "--hint", "groups=plate", "--json", tmp_path / "f.json"
    )
    assert result.exit_code == 0, result.output
    assert "skipped" not in result.stderr
    found = json.loads((tmp_path / "f.json").read_text())
    assert found["made"]["command"] == "cellgate evaluate toy cells.npz --hint groups=plate --groups --precision fp32"
    assert [group["name"] for group in found["groups"]] == ["0", "1", "2"]


def test_what_the_reader_skipped_is_told_on_standard_error(toy_bundle, folder):
    result = invoke("evaluate", toy_bundle.path, folder, "--hint", NAMED)
    assert result.exit_code == 0, result.output
    assert "12 cells" in result.stdout
    assert "skipped 1: image: one that cannot be decoded" in result.stderr.splitlines()


def test_classify_takes_hints_and_does_not_go_on_under_others(monkeypatch, tmp_path, toy_bundle, folder):
    words = ["classify", folder, "--bundle", toy_bundle.path, "--out", tmp_path / "r.csv"]

    def interrupted(*_, **__):
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr("engines.offline._classify.classify", interrupted)
        assert "power cut" in str(invoke(*words, "--hint", NAMED).exception)
    result = invoke(*words, "--resume", "--hint", NAMED, "--hint", "levels=group")
    assert isinstance(result.exception, InputError)
    assert "to go on with the unfinished run" in str(result.exception)
    result = invoke(*words, "--resume", "--hint", NAMED)
    assert result.exit_code == 0, result.output
    assert "r.csv: 12 cells" in result.output
    assert f"--hint {NAMED}" in (tmp_path / "r.csv.json").read_text()


def test_a_manifest_tells_hints_as_typed_and_no_path():
    told = []
    sample = typer.Typer()

    @sample.command()
    def command(context: typer.Context, hint: list[str] = typer.Option([]), groups: str = "", teacher: str = ""):  # noqa: B008
        told.append(command_of(context, "train"))

    words = ["--hint", "levels=group/class", "--hint", "table=/some/where/g.csv", "--hint", "pattern=(?P<cell>.+)"]
    CliRunner().invoke(sample, [*words, "--groups", "set/plate", "--teacher", "/some/where/b"], catch_exceptions=False)
    assert told == [
        "cellgate train --hint levels=group/class --hint table=g.csv --hint 'pattern=(?P<cell>.+)' "
        "--groups set/plate --teacher b"
    ]


def test_convert_and_demo_refuse_hints_where_no_cells_are_read(tmp_path, folder):
    assert "12 cells" in invoke("convert", folder, tmp_path / "c.npz", "--hint", NAMED).output
    with np.load(tmp_path / "c.npz") as file:
        assert tuple(file["channels"]) == CHANNELS
    result = invoke("demo", "--hint", "tile=66", "--plain")
    assert "demo: --hint: found tile, expected --cells" in str(result.exception)
