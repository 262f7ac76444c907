"""`cellgate doctor` as a process."""

import json
import subprocess
import sys

PROGRAM = "import typer; from streamer.cli.doctor import doctor_command; typer.run(doctor_command)"


def doctor(*arguments):
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=False, timeout=280
    )


def test_it_tries_every_engine_and_exits_with_0_if_one_works(toy_bundle):
    done = doctor("--json", "--bundle", str(toy_bundle.path))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    engines = {engine["name"]: engine for engine in found["engines"]}
    assert list(engines) == ["openvino", "onnxruntime", "torch", "tensorrt"]
    assert found["works"]
    assert engines["openvino"]["works"]
    assert engines["openvino"]["one_cell_us"] > 0
    assert all(engine["works"] or engine["found"] for engine in engines.values())
    assert found["bundle_sha256"] == toy_bundle.sha256
    names = [fact["name"] for fact in found["machine"]]
    assert {"processor", "NVIDIA driver", "CURVE keys", "ipc"} <= {*names}
    assert {"numpy", "openvino", "tensorrt-cu13", "pycuda"} <= {fact["name"] for fact in found["libraries"]}


def test_a_bundle_that_was_changed_is_refused_before_any_engine(toy_bundle, tmp_path):
    import shutil

    copy = tmp_path / "b"
    shutil.copytree(toy_bundle.path, copy)
    (copy / "fp32.onnx").write_bytes(b"something else")
    done = doctor("--bundle", str(copy))
    assert done.returncode != 0
    assert "sha256" in done.stderr


def test_names_with_markup_are_shown_as_they_are(capsys):
    from engines.doctor import EngineCheck, Fact
    from streamer.cli.doctor import Examination, _show

    fields = dict.fromkeys(EngineCheck.__struct_fields__) | {"name": "[/engine]", "found": "nothing", "works": False}
    _show(Examination(False, [Fact("[/fact]", "x")], [], [EngineCheck(**fields)], "[/bundle]", ""))
    told = capsys.readouterr().out
    assert all(name in told for name in ("[/engine]", "[/fact]", "[/bundle]"))
