"""The command: figures to a file and a table, sweeps, plots, and one line for bad input."""

import json
import sys
from importlib.util import find_spec

import pytest
import typer
from typer.testing import CliRunner

from engines.errors import InputError, MissingExtraError
from streamer.cli.simulate_sort import simulate_sort_command
from streamer.decision.windows import Mode, SortRule
from streamer.sortsim import parse_window, read_confusion

MATRIX = {"classes": ["a", "b", "c"], "matrix": [[8, 1, 1], [3, 5, 2], [0, 4, 16]]}


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the command alone in an empty directory; what it raises on purpose comes through."""
    monkeypatch.chdir(tmp_path)
    app = typer.Typer()
    app.command()(simulate_sort_command)

    def run(*words):
        result = CliRunner().invoke(app, ["--cells", "2000", *map(str, words)])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


def test_one_setting_gives_its_figures(run, tmp_path):
    result = run("--rate", 3300, "--wanted", 0.07, "--window", "150us", "--mode", "purity", "--json", "out.json")
    assert result.exit_code == 0
    assert "purity" in result.stdout
    figures = json.loads((tmp_path / "out.json").read_text())
    names = {"purity", "yield", "recovery", "coincidence", "abort_rate", "sort_rate", "sorted_per_s"}
    assert names <= set(figures)
    assert names == set(figures["standard_errors"]) == set(figures["predicted"])
    assert figures["setting"]["leading_us"] == figures["setting"]["trailing_us"] == 75


def test_a_sweep_gives_a_point_per_value(run, tmp_path):
    run("--sweep", "window=50us:500us:4", "--leading", 0.2, "--json", "out.json")
    report = json.loads((tmp_path / "out.json").read_text())
    assert report["values"] == [50, 200, 350, 500]
    assert [point["setting"]["leading_us"] for point in report["points"]] == [10, 40, 70, 100]
    run("--sweep", "rate=1000:3000:3", "--json", "out.json")
    report = json.loads((tmp_path / "out.json").read_text())
    assert [point["setting"]["rate"] for point in report["points"]] == [1000, 2000, 3000]


def test_a_confusion_matrix_gives_sensitivity_and_specificity(run, tmp_path):
    (tmp_path / "m.json").write_text(json.dumps(MATRIX))
    assert read_confusion(tmp_path / "m.json", ["a"]) == (0.8, 27 / 30)
    assert read_confusion(tmp_path / "m.json", ["a", "b"]) == (17 / 20, 16 / 20)
    run("--confusion", "m.json", "--wanted-class", "a", "--json", "out.json")
    assert json.loads((tmp_path / "out.json").read_text())["setting"]["sensitivity"] == 0.8


def test_windows_in_drops_split_into_steps():
    rule = parse_window("1.5drops", Mode.PURITY, 1 / 3, 32_000)
    assert rule == SortRule(Mode.PURITY, 15_625, 31_250)
    assert parse_window("0.15 ms", Mode.YIELD, 0.0, None) == SortRule(Mode.YIELD, 0, 150_000)


CASES = {
    "no unit": (["--window", "150"], "--window: found 150, expected a number and a unit"),
    "no frequency": (["--window", "3drops"], "--drop-frequency: found nothing"),
    "no step": (["--window", "1.01drops", "--drop-frequency", "1000"], "--window: found 1.01drops"),
    "bad leading": (["--leading", "2"], "--leading: found 2.0"),
    "bad rate": (["--rate", "-1"], "rate: found -1.0"),
    "bad fraction": (["--wanted", "1.2"], "wanted: found 1.2"),
    "no latency": (["--latency", "nothing.txt"], "--latency: found nothing.txt"),
    "bad latency": (["--latency", "lognormal:5ms:1ms"], "--latency: found lognormal:5ms:1ms"),
    "bad latencies": (["--latency", "words.txt"], "words.txt: latencies"),
    "no confusion": (["--confusion", "nothing.json"], "nothing.json: file"),
    "bad confusion": (["--confusion", "words.txt"], "words.txt: JSON"),
    "wrong matrix": (["--confusion", "shape.json"], "shape.json: matrix"),
    "no wanted class": (["--confusion", "m.json"], "m.json: wanted: found nothing"),
    "unknown class": (["--confusion", "m.json", "--wanted-class", "z"], "found z, expected one of a, b, c"),
    "long window": (["--window", "9ms", "--sort-delay", "4ms"], "way wanted: trailing window: found 4500 µs"),
    "bad target": (["--target", "0"], "way wanted: count: found 0"),
    "bad sweep": (["--sweep", "colour=1:2:3"], "--sweep: found colour=1:2:3"),
    "sweep of one": (["--sweep", "rate=1:2:1"], "--sweep: found rate=1:2:1"),
    "sweep too far": (["--sweep", "wanted=0:2:3"], "wanted: found 2.0"),
    "unwritable": (["--json", "nowhere/out.json"], "nowhere/out.json: --json"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_one_line(run, tmp_path, case):
    (tmp_path / "words.txt").write_text("not numbers")
    (tmp_path / "m.json").write_text(json.dumps(MATRIX))
    (tmp_path / "shape.json").write_text(json.dumps({**MATRIX, "matrix": [[1, 2, 3]]}))
    words, expected = CASES[case]
    with pytest.raises(InputError) as caught:
        run(*words)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_matplotlib_a_plot_says_what_to_install(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"cellgate\[plot\]"):
        run("--plot", "plots", "--sweep", "rate=1000:2000:2")


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="matplotlib is not installed")
def test_a_sweep_is_drawn(run, tmp_path):
    run("--plot", "plots", "--sweep", "rate=1000:2000:2")
    assert (tmp_path / "plots/trade-off-rate.svg").read_text().startswith("<?xml")
    assert (tmp_path / "plots/trade-off-rate.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InputError, match="--sweep: found nothing"):
        run("--plot", "plots")
