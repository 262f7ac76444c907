"""What is said of machines with and without this and that."""

import subprocess
from types import SimpleNamespace

import pytest

from engines import doctor
from engines.doctor import _engines, _machine, _nvidia
from engines.errors import BundleError, EngineError, MissingExtraError


def named(facts):
    return {fact.name: fact for fact in facts}


def test_this_machine_is_described():
    facts = named(doctor.machine())
    assert {
        "Python",
        "system",
        "processor",
        "cores",
        "memory",
        "governor",
        "clock source",
        "open files",
    } <= facts.keys()
    assert facts["Python"].state == "ok"
    assert all(fact.found for fact in facts.values())


@pytest.mark.parametrize(("governor", "state"), [("performance", "ok"), ("powersave", "note")])
def test_a_governor_that_saves_power_is_noted(monkeypatch, tmp_path, governor, state):
    file = tmp_path / "cpu0/cpufreq/scaling_governor"
    file.parent.mkdir(parents=True)
    file.write_text(f"{governor}\n")
    monkeypatch.setattr(_machine, "Path", lambda _: tmp_path)
    fact = _machine._governor()
    assert fact.found == governor
    assert fact.state == state


def test_libraries_that_are_not_there_come_with_what_to_install(monkeypatch):
    from importlib.metadata import PackageNotFoundError

    from engines.doctor import _libraries

    def version(name):
        if name in ("tensorrt-cu13", "numpy"):
            raise PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(_libraries, "version", version)
    facts = named(doctor.libraries())
    assert facts["tensorrt-cu13"].remedy == "pip install 'cellgate[gpu]'"
    assert facts["tensorrt-cu13"].state == "note"
    assert facts["numpy"].state == "bad"
    assert facts["torch"].found == "1.0"


DRIVER = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  {}  Thu Jan 1 00:00:00 UTC 2026"


@pytest.mark.parametrize(("version", "state"), [("580.65.06", "ok"), ("570.124.06", "note"), ("470.82.01", "bad")])
def test_a_driver_too_old_is_told_with_the_remedy(monkeypatch, version, state):
    monkeypatch.setattr(_nvidia, "no_gpu", lambda: None)
    monkeypatch.setattr(_nvidia, "read_text", lambda _: DRIVER.format(version))
    monkeypatch.setattr(_nvidia.shutil, "which", lambda _: "/usr/bin/nvidia-smi")
    row = "NVIDIA H200, 143771 MiB, 143000 MiB, 570.124.06, 9.0\n"
    monkeypatch.setattr(_nvidia.subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=0, stdout=row))
    driver, _, gpu = doctor.nvidia()
    assert (driver.found, driver.state) == (version, state)
    assert (driver.remedy is None) == (state == "ok")
    assert gpu.found == "NVIDIA H200, 143771 MiB, 143000 MiB free, compute capability 9.0"


def test_tools_that_hang_are_given_up(monkeypatch):
    def hang(*_, timeout, **__):
        raise subprocess.TimeoutExpired("nvidia-smi", timeout)

    monkeypatch.setattr(_nvidia, "no_gpu", lambda: None)
    monkeypatch.setattr(_nvidia.shutil, "which", lambda _: "/usr/bin/nvidia-smi")
    monkeypatch.setattr(_nvidia.subprocess, "run", hang)
    assert "does not answer" in doctor.nvidia()[2].found


def test_without_cudas_headers_pycuda_cannot_be_compiled(monkeypatch, tmp_path):
    monkeypatch.setattr(_nvidia, "no_gpu", lambda: None)
    monkeypatch.setattr(_nvidia, "_smi", lambda: None)
    monkeypatch.setattr(_nvidia, "ROOTS", ())
    monkeypatch.setattr(_nvidia.shutil, "which", lambda _: None)
    monkeypatch.setenv("CUDA_ROOT", str(tmp_path))
    headers = doctor.nvidia()[1]
    assert headers.state == "note" and "set CUDA_ROOT" in headers.remedy
    (tmp_path / "include").mkdir()
    (tmp_path / "include/cuda.h").touch()
    assert doctor.nvidia()[1].found == str(tmp_path)


def test_a_machine_without_a_gpu_says_so(monkeypatch):
    monkeypatch.setattr(_nvidia, "no_gpu", lambda: "no NVIDIA driver is loaded")
    (fact,) = doctor.nvidia()
    assert fact.found == "no NVIDIA driver is loaded"


def test_an_engine_that_hangs_or_crashes_is_a_line(toy_bundle, monkeypatch):
    (hangs,) = doctor.check_engines(toy_bundle.path, ["openvino"], budget_s=0.01)
    assert not hangs.works
    assert hangs.found == "no answer within 0.01 s"
    monkeypatch.setattr(
        _engines.subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=-11, stdout="half a li", stderr="")
    )
    (crashes,) = doctor.check_engines(toy_bundle.path, ["openvino"])
    assert not crashes.works
    assert crashes.found == "killed by signal 11"
    assert crashes.remedy


def test_errors_become_remedies():
    missing = _engines.failed("torch", MissingExtraError("the PyTorch engine", "torch"))
    assert missing.remedy == "pip install 'cellgate[torch]'"
    assert missing.found.endswith("optional dependencies 'torch'")
    assert not missing.works
    told = _engines.failed("torch", EngineError("no GPU; buy one"))
    assert (told.found, told.remedy) == ("no GPU", "buy one")
    assert _engines.failed("torch", EngineError("broken")).remedy is None
    assert "anew" in _engines.failed("torch", BundleError("b", "sha256", "x", "y")).remedy


def test_an_engine_that_answers_wrongly_does_not_work(toy_bundle, tmp_path, monkeypatch):
    from engines.doctor import __main__ as child

    real = child.open_engine

    def wrong(bundle, name, **options):
        engine = real(bundle, "openvino", threads=1, **options)
        if name == "torch":
            answer = engine.collect
            monkeypatch.setattr(engine, "collect", lambda timeout_s: _swapped(answer(timeout_s)))
        return engine

    monkeypatch.setattr(child, "open_engine", wrong)
    right = child.check("openvino", toy_bundle.path)
    assert right.works
    assert right.error < 1e-5
    assert right.cells_per_s > 0
    found = child.check("torch", toy_bundle.path)
    assert not found.works
    assert "answers wrongly" in found.found


def _swapped(predictions):
    from msgspec.structs import replace

    return replace(predictions, probabilities=predictions.probabilities[:, ::-1])
