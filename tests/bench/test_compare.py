"""The guard against getting worse compares by ratio, says what got worse, and says it with its exit code."""

import copy
import json

import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.compare import compare_files
from engines.errors import InputError

RESULT = {
    "bench": "throughput",
    "environment": {"processor": "A", "cores": 2},
    "engine_cells_per_s": 1000.0,
    "streamed_over_engine": 0.98,
    "streamed": [
        {"per_message": 1, "cells_per_s": 950.0, "over_engine": 0.95, "cpu_us_per_cell": {"loop": 40.0}},
        {"per_message": 64, "cells_per_s": 990.0, "over_engine": 0.99, "cpu_us_per_cell": {"loop": 10.0}},
    ],
    "missing": 0,
}


@pytest.fixture
def files(tmp_path):
    """Write the result, and another that `change` was made to; return both paths."""

    def write(change, old=RESULT):
        new = copy.deepcopy(old)
        change(new)
        paths = tmp_path / "old.json", tmp_path / "new.json"
        for path, result in zip(paths, (old, new), strict=True):
            path.write_text(json.dumps(result))
        return paths

    return write


def ratios(paths):
    return {line.figure: line.ratio for line in compare_files(*paths)}


def test_the_same_result_is_as_good_as_itself(files):
    found = ratios(files(lambda result: None))
    assert set(found.values()) == {1.0}
    assert "throughput streamed [per_message 64] over_engine" in found
    assert "throughput streamed [per_message 1] cpu_us_per_cell loop" in found
    assert not any("missing" in figure for figure in found)


def test_more_time_and_fewer_cells_are_both_worse(files):
    def change(result):
        result["streamed"][0]["cells_per_s"] = 475.0
        result["streamed"][1]["cpu_us_per_cell"]["loop"] = 20.0

    found = ratios(files(change))
    assert found["throughput streamed [per_message 1] cells_per_s"] == pytest.approx(0.5)
    assert found["throughput streamed [per_message 64] cpu_us_per_cell loop"] == pytest.approx(0.5)


def test_a_ratio_over_others_is_better_when_it_is_less(files):
    old = {"bench": "overhead", "environment": {}, "p50_ratio": 2.0, "p99_ratio": 2.0}
    found = ratios(files(lambda result: result.update(p50_ratio=4.0, p99_ratio=1.0), old))
    assert found == {"overhead p50_ratio": 0.5, "overhead p99_ratio": 2.0}


def test_members_of_a_list_are_matched_by_what_they_are_and_not_by_place(files):
    found = ratios(files(lambda result: result["streamed"].reverse()))
    assert set(found.values()) == {1.0}


def test_on_another_machine_only_ratios_within_a_run_count(files):
    def change(result):
        result["environment"]["processor"] = "B"
        result["engine_cells_per_s"] = 1.0

    found = ratios(files(change))
    assert all("over_engine" in figure for figure in found)


def test_one_bench_can_be_compared_with_a_file_of_all(files, tmp_path):
    old, _ = files(lambda result: None)
    whole = tmp_path / "all.json"
    whole.write_text(
        json.dumps({"bench": "all", "environment": RESULT["environment"], "results": {"throughput": RESULT}})
    )
    assert set(ratios((old, whole)).values()) == {1.0}


@pytest.mark.parametrize(("value", "tolerance", "code"), [(0.90, "0.1", 0), (0.5, "0.1", 1), (0.90, "0.05", 1)])
def test_the_exit_code_tells(files, value, tolerance, code):
    paths = files(lambda result: result.update(streamed_over_engine=value))
    done = CliRunner().invoke(app, ["compare", *map(str, paths), "--tolerance", tolerance])
    assert done.exit_code == code
    assert ("throughput streamed_over_engine" in done.output) == bool(code)
    assert ("1 of 8 figures are worse" in done.output) == bool(code)


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "JSON"), ("[]", "no environment"), ("{}", "no environment"), ('{"environment": {}, "x": 1}', "in common")],
)
def test_a_file_that_is_no_result_is_told_in_one_line(tmp_path, text, words):
    path, good = tmp_path / "bad.json", tmp_path / "good.json"
    path.write_text(text)
    good.write_text(json.dumps(RESULT))
    with pytest.raises(InputError) as error:
        compare_files(good, path)
    assert words in str(error.value) or "none that are in the other" in str(error.value)
    with pytest.raises(InputError, match=r"missing\.json"):
        compare_files(good, tmp_path / "missing.json")
