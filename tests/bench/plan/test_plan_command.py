"""`cellgate bench plan`: answers from a fit without measuring, and what bad input gets."""

import json
from dataclasses import replace

import msgspec
import pytest

from bench.plan import Asked, measure, parse_size
from bench.scale import read_model
from bench.subject import Options
from engines.errors import InputError
from tests.support.machine_model import engine, model, write_model


@pytest.fixture
def fit(tmp_path):
    return write_model(tmp_path / "fit.json", model())


def test_a_fit_answers_and_the_json_has_it_all(cellgate, fit, tmp_path):
    done = cellgate(
        "bench", "plan", "--channels", "2", "--size", "64", "--rate", "900", "--fit", fit, "--json", "p.json"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "just enough" in done.stdout and "deepflow in int8" in done.stdout
    found = json.loads((tmp_path / "p.json").read_text())
    assert found["bench"] == "plan" and found["fit"] == "fit.json"
    assert found["maximum_cells_per_s"] == pytest.approx(1000.0)
    assert found["binds"] == "engine" and found["met"] is True
    assert found["model_error"]["loop"] == {"held_out": 5, "median": 0.02, "worst": 0.05}


def test_a_shipped_bundle_brings_its_own_frames(cellgate, tmp_path):
    fit = write_model(tmp_path / "fit.json", model(engine("compact", "fp32", per_cell_s=1e-3)))
    done = cellgate("bench", "plan", "--bundle", "jurkat", "--rate", "10", "--fit", fit, "--json", "p.json")
    assert (done.returncode, done.stderr) == (0, "")
    shape = json.loads((tmp_path / "p.json").read_text())["camera"]["shape"]
    assert (shape["channels"], shape["height"], shape["width"], shape["classes"]) == (2, 40, 40, 7)


def test_a_file_of_all_benches_is_a_fit_too(cellgate, tmp_path):
    (tmp_path / "all.json").write_bytes(msgspec.json.encode({"bench": "all", "results": {"scale": model()}}))
    done = cellgate("bench", "plan", "--channels", "2", "--size", "96x64", "--rate", "5", "--fit", "all.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert "2×96×64" in done.stdout


BAD = {
    "no size": (Options(), Asked(5, 2), "plan: --channels and --size: found one or both missing"),
    "size of nothing": (Options(), Asked(5, 2, (0, 9)), "plan: --size: found 0, expected 1 to 4096 pixels"),
    "no channel": (Options(), Asked(5, 0, (9, 9)), "plan: --channels: found 0, expected 1 to 64"),
    "one class": (Options(), Asked(5, 2, (9, 9), classes=1), "plan: --classes: found 1, expected 2 to 1024"),
    "a link of nothing": (Options(), Asked(5, 2, (9, 9), link_gbit=0.0), "plan: --link-gbit: found 0.0"),
    "no time": (Options(seconds=0.0), Asked(5, 2, (9, 9)), "plan: --seconds: found 0.0"),
    "unknown network": (Options(network="x"), Asked(5, 2, (9, 9)), "plan: network: found x fp32, expected one of"),
    "both": (Options(bundle="digital", network="x"), Asked(5), "plan: --network: found x beside --bundle digital"),
    "messages": (Options(), Asked(5, 2, (9, 9), per_message=0), "plan: --per-message: found 0, expected 1 to 4096"),
    "rate of nothing": (Options(), Asked(0, 2, (9, 9)), "plan: --rate: found 0, expected cells per second"),
    "rate that is no number": (Options(), Asked(float("nan"), 2, (9, 9)), "plan: --rate: found nan, expected"),
}


@pytest.mark.parametrize(("options", "asked", "said"), BAD.values(), ids=BAD)
def test_bad_input_is_named(fit, options, asked, said):
    with pytest.raises(InputError) as told:
        measure(options, lambda _: None, asked=replace(asked, fit=fit))
    assert str(told.value).startswith(said)


@pytest.mark.parametrize("size", ["", "big", "12x", "x", "1x2x3", "-4", "٣", "999999"])
def test_a_size_that_is_none_is_named(size):
    with pytest.raises(InputError, match=r"plan: --size: found .*, expected pixels"):
        parse_size(size)


def test_sizes_are_height_and_width():
    assert [parse_size(size) for size in ("128", "96x64", "96×64")] == [(128, 128), (96, 64), (96, 64)]


def test_the_command_says_it_in_one_line(cellgate):
    done = cellgate("bench", "plan", "--rate", "5", "--channels", "2")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("cellgate: plan: --channels and --size: found one or both missing, expected both")


@pytest.mark.parametrize("content", [None, b"", b"\xff\x00", b"[1, 2]", b'{"bench": "limit"}', b'{"results": {}}'])
def test_a_file_that_is_no_fit_is_named(tmp_path, content):
    path = tmp_path / "bad.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"bad.json: --fit: found "):
        read_model(path)
