"""`bench/gpu.sh`: one step's failure costs no other, limits hold, and what was measured before a cut is kept."""

import json
import os
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest

from bench.gpu.__main__ import TOTAL_S, run
from bench.gpu._rows import Row, Setting, read_rows
from bench.gpu._steps import Step, steps
from bench.gpu.missing import missing

REPOSITORY = Path(__file__).parents[3]


def step(tmp_path, program, seconds=20.0, reason=None):
    out = tmp_path / "rows"
    return Step("tried", seconds, [sys.executable, "-c", program, str(out)], out, read_rows, reason)


def outcome(tried, left=60.0):
    result = {"rows": [], "results": {}, "seconds": {}, "failed": {}, "skipped": {}}
    run(tried, time.monotonic() + left, result)
    return result


WRITE = "import sys; from pathlib import Path; from bench.gpu._rows import Setting\n"
WRITE += "Setting('cpu', True, Path(sys.argv[1])).add('item', 'case', 1.5, 'µs')\n"


@pytest.fixture(autouse=True)
def path(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))


def test_rows_come_back_as_they_were_written(tmp_path):
    result = outcome(step(tmp_path, WRITE))
    assert result["rows"] == [{"item": "item", "case": "case", "value": 1.5, "unit": "µs"}]
    assert not result["failed"] and not result["skipped"]


def test_a_step_that_fails_leaves_what_it_had_and_says_why(tmp_path):
    result = outcome(step(tmp_path, WRITE + "sys.exit('the GPU is on fire')"))
    assert len(result["rows"]) == 1
    assert result["failed"]["tried"] == "exit code 1: the GPU is on fire"


def test_a_step_that_hangs_is_cut_off_with_all_it_started(tmp_path):
    program = WRITE + (
        "import subprocess, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "Path(sys.argv[1] + '.pid').write_text(str(child.pid)); time.sleep(600)"
    )
    result = outcome(step(tmp_path, program, seconds=4.0))
    assert len(result["rows"]) == 1
    assert result["failed"]["tried"].startswith("cut off after 4 s")
    child = int((tmp_path / "rows.pid").read_text())
    until = time.monotonic() + 10
    while alive(child):
        assert time.monotonic() < until, "what the step started is still there"
        time.sleep(0.05)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # Where nobody collects orphans a dead one stays as a zombie.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def test_what_cannot_be_had_is_skipped_and_not_failed(tmp_path):
    assert outcome(step(tmp_path, "", reason="no cells"))["skipped"] == {"tried": "no cells"}
    assert outcome(step(tmp_path, "", left := 0.0), left)["skipped"] == {"tried": "the 25 minutes are over"}
    gone = outcome(step(tmp_path, "print('no pycuda'); import sys; sys.exit(3)"))
    assert gone["skipped"] == {"tried": "no pycuda"} and not gone["failed"]


def test_a_step_that_measures_nothing_has_failed(tmp_path):
    assert outcome(step(tmp_path, "print('done')"))["failed"] == {"tried": "it measured nothing: done"}


def test_a_row_that_was_cut_off_is_left_out(tmp_path):
    rows = tmp_path / "rows"
    Setting("cpu", True, rows).add("a", "b", 1.0, "")
    with rows.open("ab") as file:
        file.write(b'{"item": "a", "ca')
    assert read_rows(rows) == [Row("a", "b", 1.0, "")]


def test_all_steps_together_take_less_than_25_minutes(tmp_path):
    planned = steps(tmp_path, dry=False, cells=tmp_path / "jurkat.npz")
    assert sum(each.seconds for each in planned) <= TOTAL_S < 25 * 60
    assert len({each.name for each in planned}) == len({each.out for each in planned}) == len(planned)
    trained = [" ".join(each.command) for each in planned if each.name.startswith("crossval")]
    assert all("--folds 5" in command and "--device cuda" in command for command in trained)
    without = steps(tmp_path, dry=False, cells=None)
    assert [each.name for each in without if each.reason] == ["crossval deepflow", "crossval deepflow-released"]


@pytest.mark.parametrize("dry", [False, True])
def test_the_commands_of_steps_are_ones_that_exist(tmp_path, dry):
    """Options are looked up in the command line's own definition: a dry run tries only some of them."""
    import typer

    from bench.cli import app as bench_app
    from bench.gpu.items import ITEMS
    from streamer.cli import app

    known = {
        "bench": typer.main.get_command(bench_app).commands,
        "streamer.cli": typer.main.get_command(app).commands,
    }
    for each in steps(tmp_path, dry=dry, cells=tmp_path / "jurkat.npz"):
        assert each.command[:2] == [sys.executable, "-m"]
        module, name, *arguments = each.command[2:]
        if module == "bench.gpu.items":
            assert name in ITEMS
            continue
        options = {option for parameter in known[module][name].params for option in parameter.opts}
        assert {argument for argument in arguments if argument.startswith("--")} <= options


def test_nothing_is_missing_where_everything_is_installed():
    pytest.importorskip("torch")
    assert missing() == []


def test_what_is_missing_is_told_by_python_alone():
    """Without any package: what pyproject asks for but PyTorch, which must be the one for CUDA."""
    program = "import bench.gpu.missing as m; print('\\n'.join(m.missing()))"
    done = subprocess.run(
        [sys.executable, "-S", "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    told = done.stdout.split()
    dependencies = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["dependencies"]
    assert {*dependencies, *(need for need in told if need.startswith("onnx"))} <= set(told)
    assert len([need for need in told if need.startswith("onnx")]) == 2
    assert not any(need.startswith("torch") for need in told)


def test_without_a_gpu_it_says_so_and_stops():
    environment = {**os.environ, "PATH": "/usr/bin:/bin", "PYTHON": sys.executable}
    done = subprocess.run(
        ["bash", REPOSITORY / "bench/gpu.sh"], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        pytest.skip("there is a GPU")
    assert done.returncode == 2 and done.stderr.startswith("gpu.sh: no NVIDIA GPU here")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_dry_run_tries_every_step(tmp_path):
    pytest.importorskip("torch")
    out = tmp_path / "gpu.json"
    environment = {**os.environ, "PYTHON": sys.executable}
    done = subprocess.run(
        ["bash", REPOSITORY / "bench/gpu.sh", "--dry-run", out],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=880,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(out.read_text())
    assert result["dry_run"] is True and result["failed"] == {}
    assert {"pycuda", "tensorrt"} <= result["skipped"].keys()
    items = {row["item"] for row in result["rows"]}
    assert {"bf16 matrix product", "copy", "student", "throughput student-micro", "crossval deepflow"} <= items
    assert done.stdout.splitlines()[-1] == f"written: {out}"
