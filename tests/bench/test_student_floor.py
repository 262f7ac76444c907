import json

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from bench import student_floor
from engines.backends import open_engine


def test_an_empty_graph_has_the_bundles_input_and_outputs(toy_bundle, tmp_path):
    empty = student_floor.empty_bundle(toy_bundle, tmp_path / "empty")
    assert (empty.frame_shape, empty.dtype) == (toy_bundle.frame_shape, toy_bundle.dtype)
    engine = open_engine(empty, ladder=(1,))
    engine.submit(np.full((1, *toy_bundle.frame_shape), 9, toy_bundle.dtype))
    found = engine.collect(30.0)
    engine.close()
    assert found.probabilities.shape == (1, 3) and found.measurements.shape == (1, 2)


def test_every_contender_is_measured_and_written_down(toy_bundle, tmp_path, capsys):
    out = tmp_path / "results" / "floor.json"
    student_floor.main(["--bundle", str(toy_bundle.path), "--seconds", "0.1", "--json", str(out)])
    report = json.loads(out.read_text())
    whats = ("bundle", "measured", "empty")
    names = [f"{library} {what}" for library in ("openvino", "onnxruntime") for what in whats]
    assert list(report["contenders"]) == [*names, "interface"]
    for figures in report["contenders"].values():
        assert figures["cells"] > 0 and 0 < figures["p10_us"] <= figures["p50_us"] <= figures["p99_us"]
    assert "one cell: " in capsys.readouterr().out
