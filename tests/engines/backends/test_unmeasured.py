"""An engine built without measurements answers the same classes, and says that it does not know the rest."""

import sys

import numpy as np
import onnx
import pytest

from engines.backends import open_engine
from engines.backends._unmeasured import without_measurements
from engines.bundle import load_bundle, pretrained
from engines.errors import EngineError, MissingExtraError
from tests.engines.backends.conftest import require


@pytest.fixture(scope="module")
def student():
    return load_bundle(pretrained("jurkat-student"))


@pytest.fixture(scope="module")
def frames(student):
    random = np.random.default_rng(0)
    return random.integers(200, 1200, (5, *student.frame_shape)).astype(student.dtype)


def answers(bundle, name, frames, precision="fp32", **options):
    engine = open_engine(bundle, name, precision=precision, threads=1, ladder=(1, 4), **options)
    try:
        engine.warm()
        found = []
        for part in (frames[:1], frames[1:]):
            engine.submit(part)
            found.append(engine.collect(timeout_s=30))
        return found
    finally:
        engine.close()


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_classes_are_the_same_and_measurements_are_not_known(student, frames, name, precision):
    require(name)
    whole = answers(student, name, frames, precision)
    left = answers(student, name, frames, precision, measure=False)
    for expected, found in zip(whole, left, strict=True):
        assert np.isfinite(expected.measurements).all()
        assert found.measurements.shape == expected.measurements.shape
        assert np.isnan(found.measurements).all()
        np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-6)
        np.testing.assert_allclose(found.embedding, expected.embedding, rtol=1e-4, atol=1e-5)


def test_what_only_measurements_need_is_gone_and_the_graph_is_sound(student):
    graph = student.graph()
    whole, left = onnx.load(str(graph)), onnx.ModelProto.FromString(without_measurements(student, graph))
    onnx.checker.check_model(left, full_check=True)
    assert [output.name for output in left.graph.output] == ["probabilities", "embedding"]
    names = {node.name for node in left.graph.node}
    assert names < {node.name for node in whole.graph.node}
    assert not any("/measure" in name or "/unfamiliarity" in name for name in names)
    assert any("/network" in name for name in names)
    used = {name for node in left.graph.node for name in node.input}
    assert {constant.name for constant in left.graph.initializer} <= used


def test_a_graph_that_is_none_and_a_missing_library_are_told(student, tmp_path, monkeypatch):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"not a graph")
    with pytest.raises(EngineError, match=r"broken\.onnx of jurkat-student is no ONNX graph"):
        without_measurements(student, broken)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match="onnxruntime"):
        without_measurements(student, student.graph())
