"""Building, and the cache of plans."""

import os
import sys

import msgspec
import numpy as np
import pytest
from typer import Typer
from typer.testing import CliRunner

from engines.byte_pairs import byte_pairs
from engines.errors import BundleError, CellgateError, EngineError, InputError, MissingExtraError
from engines.tensorrt import TensorRtEngine, build_plan, devices, open_tensorrt
from engines.tensorrt import _build as _build_module
from engines.tensorrt.cli import build_command, parse_ladder
from tests.support.toy import CHANNELS, toy_frames
from tests.support.two_graphs import constant_frames, with_int8


def test_a_plan_is_built_once_and_private(machine, toy_bundle):
    first = build_plan(toy_bundle, "fp32", (4, 1, 4))
    again = build_plan(toy_bundle, "fp32", (1, 4))
    assert (first.built_in_s > 0, again.built_in_s) == (True, 0.0)
    assert again.blob == first.blob
    assert first.key.ladder == (1, 4)
    assert first.path.stat().st_mode & 0o777 == 0o600
    assert first.path.parent.stat().st_mode & 0o777 == 0o700
    assert build_plan(toy_bundle, "fp32", (1, 4), again=True).built_in_s > 0


def test_whatever_a_plan_depends_on_makes_another_one(machine, toy_bundle, digital):
    paths = [build_plan(toy_bundle, "fp32", (1,)).path]
    paths.append(build_plan(toy_bundle, "fp32", (1, 2)).path)
    paths.append(build_plan(toy_bundle, "fp32", (1,), refittable=True).path)
    paths.append(build_plan(digital, "fp32", (1,)).path)
    paths.append(build_plan(digital, "fp16", (1,)).path)
    machine.cuda_version = 13010
    paths.append(build_plan(toy_bundle, "fp32", (1,)).path)
    machine.gpus[0] = ("Another GPU", (8, 9), 1 << 30)
    paths.append(build_plan(toy_bundle, "fp32", (1,)).path)
    assert len(set(paths)) == len(paths)


def _damage(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


SPOILT = {
    "its content is damaged": _damage,
    "was not written by Cellgate": lambda path: path.write_bytes(b"a plan of somebody's"),
    "its header is damaged": lambda path: path.write_bytes(b"CGSEAL01" + b"\xff" * 40),
    "others can write to it": lambda path: path.chmod(0o666),
    "it is not a plain file": lambda path: (path.unlink(), path.mkdir()),
    "a plan is a plain file of your own": lambda path: (path.rename(f"{path}.real"), path.symlink_to(f"{path}.real")),
}


@pytest.mark.parametrize("reason", SPOILT)
def test_spoilt_plans_are_refused(machine, toy_bundle, reason):
    SPOILT[reason](build_plan(toy_bundle, "fp32", (1,)).path)
    with pytest.raises(EngineError, match=reason):
        build_plan(toy_bundle, "fp32", (1,))


def test_a_plan_under_anothers_name_is_refused(machine, toy_bundle):
    one, two = build_plan(toy_bundle, "fp32", (1,)), build_plan(toy_bundle, "fp32", (1, 2))
    one.path.write_bytes(two.path.read_bytes())
    with pytest.raises(EngineError, match="belongs to another graph, GPU, driver or TensorRT"):
        build_plan(toy_bundle, "fp32", (1,))


def test_another_users_cache_is_refused(machine, toy_bundle, monkeypatch):
    build_plan(toy_bundle, "fp32", (1,))
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    with pytest.raises(EngineError, match=f"belongs to user {mine}, not to you"):
        build_plan(toy_bundle, "fp32", (1,))


def test_a_plan_of_another_machine_is_not_loaded(machine, toy_bundle):
    plan = build_plan(toy_bundle, "fp32", (1,))
    machine.gpus[0] = ("Another GPU", (9, 0), 1 << 30)
    with pytest.raises(EngineError, match=r"built for .*Stand-in GPU.*build it anew"):
        TensorRtEngine(toy_bundle, plan)


def test_bytes_tensorrt_does_not_know_are_an_error_with_its_reason(machine, toy_bundle):
    plan = build_plan(toy_bundle, "fp32", (1,))
    wrong = type(plan)(plan.key, b"anything", plan.path)
    with pytest.raises(EngineError, match=r"the plan does not load: .*magic tag.*build it anew"):
        TensorRtEngine(toy_bundle, wrong)


def test_a_refused_build_says_why_and_what_to_do(machine, toy_bundle):
    machine.build_refusal = "[virtualMemoryBuffer.cpp] Error Code 2: OutOfMemory (requested size 9 GiB)"
    with pytest.raises(EngineError, match=r"cannot build 'toy' for batches of .*OutOfMemory.*use a smaller ladder"):
        build_plan(toy_bundle, "fp32", (1,))


def test_a_builder_or_runtime_that_does_not_start_says_why(machine, toy_bundle):
    plan = build_plan(toy_bundle, "fp32", (1,))
    machine.start_refused = True
    with pytest.raises(EngineError, match=r"builder cannot start: CUDA initialization failure.*check NVIDIA's driver"):
        build_plan(toy_bundle, "fp32", (1,), again=True)
    with pytest.raises(EngineError, match=r"runtime cannot start: CUDA initialization failure.*check NVIDIA's driver"):
        TensorRtEngine(toy_bundle, plan)


def test_precision_ladder_and_int8_graph_are_checked_before_anything_is_needed(toy_bundle):
    with pytest.raises(InputError, match="fp32 or fp16 or int8"):
        build_plan(toy_bundle, "bf16")
    with pytest.raises(InputError, match="batch sizes of 1 to 65536"):
        build_plan(toy_bundle, "fp32", (0,))
    with pytest.raises(BundleError, match="a graph of precision int8"):
        build_plan(toy_bundle, "int8")


def test_without_tensorrt_one_line_says_what_to_install(toy_bundle, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(MissingExtraError, match=r"packages tensorrt and pycuda.*pip install 'cellgate\[gpu\]'"):
        build_plan(toy_bundle, "fp32", (1,))
    monkeypatch.setitem(sys.modules, "pycuda.driver", None)
    with pytest.raises(MissingExtraError, match="pycuda"):
        devices()


@pytest.fixture
def archive(tmp_path):
    """240 cells for the toy bundle, ten of them nearer to `bright` than to `blinding`, not by much."""
    path = tmp_path / "cells.npz"
    frames = np.concatenate([toy_frames(np.arange(230) % 3), constant_frames([1900] * 10)])
    np.savez(path, frames=frames, channels=CHANNELS)
    return path


def _build(*words):
    app = Typer()
    app.command()(build_command)
    return CliRunner().invoke(app, [str(word) for word in words])


def test_the_command_builds_says_where_and_compares(machine, toy_bundle, archive):
    words = (toy_bundle.path, "--precision", "fp32", "--ladder", "8,1", "--cells", archive)
    done = _build(*words)
    assert done.exit_code == 0, done.output
    assert "toy fp32 for Stand-in GPU, batches of 1, 8: built in" in done.output
    assert "changed decisions  0 (0.00%)" in done.output
    assert "answers as the reference does" in done.output
    assert set(machine.executed) == {1, 8}
    assert "was built before" in _build(*words).output
    machine.gpus.clear()
    refused = _build(toy_bundle.path)
    assert isinstance(refused.exception, CellgateError)
    assert "there is no NVIDIA GPU" in str(refused.exception)


def test_a_plan_that_answers_differently_is_thrown_away(machine, toy_bundle, archive, tmp_path, monkeypatch):
    other = with_int8(toy_bundle, tmp_path / "both", (100, 1000, 2700)).graph("int8").read_bytes()
    monkeypatch.setattr(_build_module, "graph_for", lambda *_: byte_pairs(other))
    words = (toy_bundle.path, "--precision", "fp32", "--ladder", "8", "--cells", archive)
    kept = _build(*words, "--no-verify")
    assert kept.exit_code == 0 and "answers as" not in kept.output
    plan = build_plan(toy_bundle, "fp32", (8,)).path
    assert plan.exists()
    done = _build(*words)
    assert isinstance(done.exception, EngineError)
    assert "10 changed classes (4.17%, at most 0.10%)" in str(done.exception)
    assert f"thrown away: {plan}" in done.output
    assert not plan.exists()


def test_cells_to_compare_on_are_looked_at_before_minutes_are_spent(machine, toy_bundle, tmp_path):
    few = tmp_path / "few.npz"
    np.savez(few, frames=toy_frames(np.arange(9) % 3), channels=CHANNELS)
    done = _build(toy_bundle.path, "--precision", "fp32", "--ladder", "1", "--cells", few)
    assert isinstance(done.exception, InputError)
    assert "--cells: found 9 cells, expected 200 or more" in str(done.exception)
    assert not list((tmp_path / "cache").rglob("*.plan"))


@pytest.mark.parametrize("text", ["", "1,,2", "a", "-1", "0", "1e3", "99999999", "²"])
def test_ladders_that_are_none(text):
    with pytest.raises(InputError, match="ladder"):
        parse_ladder(text)


def test_progress_goes_to_the_callback(machine, toy_bundle):
    seen = []
    build_plan(toy_bundle, "fp32", (1,), progress=lambda *step: seen.append(step))
    assert seen == [("Building", 0, 2), ("Building", 1, 2), ("Building", 2, 2), ("Building", 2, 2)]


def test_several_gpus_are_one_engine(machine, toy_bundle):
    machine.gpus.append(("Stand-in GPU", (9, 0), 1 << 30))
    assert [facts.ordinal for facts in devices()] == [0, 1]
    engine = open_tensorrt(toy_bundle, precision="fp32", ladder=(1, 2), gpus=(0, 1))
    assert engine.name.startswith("2 × tensorrt")
    assert engine.capacity == 4
    assert list(engine.warm()) == [1, 2]
    engine.close()
    assert (machine.used[0], machine.used[1]) == (0, 0)
    with pytest.raises(InputError, match="one or more different GPUs"):
        open_tensorrt(toy_bundle, gpus=(0, 0))


def test_a_key_goes_through_json(machine, toy_bundle):
    key = build_plan(toy_bundle, "fp32", (1,)).key
    assert msgspec.json.decode(msgspec.json.encode(key), type=type(key)) == key
