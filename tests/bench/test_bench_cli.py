"""`cellgate bench` as a user runs it: files, tables, plots, and one clear line for what cannot be."""

import json
import subprocess
import sys
from importlib.util import find_spec

import pytest
import typer.main
from typer.testing import CliRunner

from bench.cli import app
from bench.plots import draw
from bench.suite import BENCHES
from engines.errors import InputError, MissingExtraError

COMMANDS = typer.main.get_command(app).commands


@pytest.fixture
def bench(tmp_path):
    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "streamer.cli", "bench", *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_and_option_says_what_it_is(command):
    node = COMMANDS[command]
    assert node.help
    assert all(getattr(parameter, "help", None) for parameter in node.params if parameter.name != "help")


def test_every_bench_of_all_has_a_command_of_its_own():
    assert set(BENCHES) <= set(COMMANDS)
    assert list(BENCHES)[:4] == ["throughput", "latency", "overhead", "saturation"]


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="matplotlib is not installed")
def test_all_writes_one_file_and_draws(bench, toy_bundle, tmp_path):
    options = ["--bundle", toy_bundle.path, "--ladder", "1,4", "--seconds", "0.1", "--only", "latency"]
    done = bench("all", *options, "--json", "all.json", "--plot", "plots")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads((tmp_path / "all.json").read_text())
    assert set(report["results"]) == {"latency"}
    assert report["command"].startswith("cellgate bench all --bundle")
    assert {"processor", "cores", "governor", "load_average", "versions"} <= set(report["environment"])
    assert report["seconds"] == 0.1
    assert report["date"]
    assert (tmp_path / "plots/latency.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (tmp_path / "plots/latency.svg").read_bytes()[:2000]
    assert "Planned sending to decision" in done.stdout


def test_one_bench_writes_its_figures_at_the_top(bench, toy_bundle, tmp_path):
    options = ["--bundle", toy_bundle.path, "--ladder", "4", "--seconds", "0.1", "--shares", "0.2", "--no-policies"]
    done = bench("saturation", *options, "--json", "saturation.json")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads((tmp_path / "saturation.json").read_text())
    assert {"maximum_cells_per_s", "best_goodput_per_s", "sweep", "environment"} <= set(report)
    assert report["bench"] == "saturation"
    assert "Decisions in time per second" in done.stdout
    compared = bench("compare", "saturation.json", "saturation.json")
    assert compared.returncode == 0
    assert "none worse by more than 10%" in compared.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["latency", "--rates", "100,fast"], "--rates: found 100,fast, expected numbers above 0"),
        (["latency", "--rates", "-5"], "--rates: found -5"),
        (["throughput", "--messages", "1.5"], "--messages: found 1.5, expected whole numbers"),
        (["throughput", "--ladder", "0"], "--ladder: found 0"),
        (["throughput", "--seconds", "0"], "--seconds: found 0.0, expected 0.05 to 3600"),
        (["saturation", "--bundle", "nowhere"], "nowhere"),
        (["saturation", "--bundle", "digital", "--network", "student"], "--network: found student beside"),
        (["overhead", "--network", "perceptron"], "--network: found perceptron"),
        (["overhead", "--json", "no/such/place.json"], "--json: found no such directory"),
        (["all", "--only", "latency,speed"], "--only: found speed, expected throughput or"),
        (["compare", "a.json", "b.json"], "a.json: result: found No such file"),
    ],
)
def test_what_cannot_be_is_one_line(bench, arguments, words):
    done = bench(*arguments)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert words in done.stderr


def test_without_matplotlib_a_plot_is_refused_before_anything_is_measured(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = CliRunner().invoke(app, ["latency", "--plot", str(tmp_path / "plots")])
    assert isinstance(result.exception, MissingExtraError)
    assert "cellgate[plot]" in str(result.exception)


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="matplotlib is not installed")
def test_a_plot_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="--plot"):
        draw("name", tmp_path / "file", lambda axes: axes.plot([1, 2]))
