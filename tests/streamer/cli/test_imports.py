"""What a fresh process loads: the live path needs no PyTorch, and no command waits for libraries it does not use."""

import json
import subprocess
import sys

import pytest

HEAVY = {"torch", "onnx", "onnxruntime", "openvino"}


def loaded(statement):
    """Return the modules a fresh process has after this statement."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return set(json.loads(done.stdout))


def test_importing_the_streamer_loads_next_to_nothing():
    extra = loaded("import streamer") - loaded("pass")
    assert {name.partition(".")[0] for name in extra} == {"streamer"}


@pytest.mark.parametrize(
    "module",
    [
        "streamer.cli",
        "streamer.client",
        "streamer.config",
        "streamer.decision",
        "streamer.ingest",
        "streamer.report",
        "streamer.simulator",
        "streamer.telemetry",
        "streamer.wire",
        "streamer.journal",
        "streamer.observer",
        "streamer.loop",
        "engines.backends",
        "engines.bundle",
        "engines.cells",
    ],
)
def test_no_room_loads_a_framework(module):
    assert not {name.partition(".")[0] for name in loaded(f"import {module}")} & HEAVY


def test_the_engine_itself_needs_neither_pytorch_nor_onnx():
    found = {name.partition(".")[0] for name in loaded("import engines.backends._openvino")}
    assert "openvino" in found
    assert not found & {"torch", "onnx", "onnxruntime"}
