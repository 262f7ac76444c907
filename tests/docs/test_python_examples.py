"""The Python examples do what their pages say."""

import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from engines.backends import open_engine
from engines.bundle import load_bundle
from streamer.config import parse_config
from tests.support.running import Running
from tests.support.toy import CHANNELS, toy_frames

EXAMPLES = Path(__file__).parents[2] / "docs/examples/python"


def test_the_python_examples_configuration_is_one():
    path = EXAMPLES / "config.toml"
    parse_config(tomllib.loads(path.read_text()), path, path.parent)


def test_camera_and_sorter_examples_sort_a_series(toy_bundle, tmp_path):
    cells = tmp_path / "cells.npz"
    np.savez(cells, frames=toy_frames(np.arange(300) % 3), channels=np.array(CHANNELS))
    with Running(tmp_path, toy_bundle.path) as streamer:
        sorter = subprocess.Popen(
            [sys.executable, "-u", EXAMPLES / "sorter.py", "--from", streamer.decisions],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert sorter.stdout.readline().startswith("waiting")
            camera = subprocess.run(
                [sys.executable, EXAMPLES / "camera.py", "--cells", cells, "--to", streamer.cells, "--rate", "1000"],
                capture_output=True,
                text=True,
                check=True,
                timeout=60,
            )
            told, _ = sorter.communicate(timeout=60)
        finally:
            sorter.kill()
            sorter.wait()
        assert streamer.stop() == 0
    assert "sent 300 = decided 300 + missing 0" in camera.stdout
    assert "decided 300 = kept 200 + not kept {'not_in_gate': 100}" in camera.stdout
    assert "kept 200 of 300 decided" in told


def test_a_network_of_logits_becomes_a_bundle(tmp_path):
    weights = np.array([[1, -1], [0.5, 2]], np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["x"], ["p"]),
            helper.make_node("Flatten", ["p"], ["f"]),
            helper.make_node("MatMul", ["f", "w"], ["y"]),
        ],
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2, 6, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(weights, "w")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), tmp_path / "n.onnx")
    script = EXAMPLES / "wrap_onnx.py"
    options = ["--classes", "alive,dead", "--channels", "a,b", "--offset", "100", "--scale", "400"]
    command = [sys.executable, script, tmp_path / "n.onnx", "--out", tmp_path / "mine", *options]
    subprocess.run(command, check=True, capture_output=True)

    engine = open_engine(load_bundle(tmp_path / "mine"), ladder=(4,))
    frames = np.random.default_rng(0).integers(0, 2000, (4, 2, 6, 4)).astype(np.uint16)
    engine.submit(frames)
    answer = engine.collect(30.0)
    engine.close()
    means = frames.mean((2, 3))
    scores = ((means - 100) / 400) @ weights
    expected = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    np.testing.assert_allclose(answer.probabilities, expected, atol=1e-5)
    np.testing.assert_allclose(answer.measurements, means, rtol=1e-6)
    np.testing.assert_allclose(answer.embedding, scores, atol=1e-4)
