"""Networks with fresh weights: exported once, found again, and made anew when they are damaged."""

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from bench.fresh import INPUTS, fresh_network
from bench.live import frames_for
from engines.backends import open_engine
from engines.networks import NETWORKS


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_every_network_has_an_input():
    assert set(INPUTS) == set(NETWORKS)


def test_a_network_is_exported_once_in_both_precisions_and_runs(cache):
    made = fresh_network("student", "int8")
    assert (made.frame_shape, len(made.classes), made.dtype.name) == ((1, 48, 48), 2, "uint16")
    stamp = made.graph("int8").stat().st_mtime_ns
    again = fresh_network("student", "int8")
    assert again.sha256 == made.sha256
    assert again.graph("int8").stat().st_mtime_ns == stamp
    for precision in ("fp32", "int8"):
        engine = open_engine(made, precision=precision, ladder=(2,), threads=1)
        engine.submit(frames_for(made)[:2])
        assert engine.collect(30.0).probabilities.shape == (2, 2)
        engine.close()


def test_a_damaged_one_is_made_anew():
    made = fresh_network("student-micro", shape=(3, 32, 32, 4))
    assert (made.frame_shape, len(made.classes)) == ((3, 32, 32), 4)
    made.graph().write_bytes(b"scratched")
    again = fresh_network("student-micro", shape=(3, 32, 32, 4))
    assert again.graph().read_bytes() != b"scratched"
