"""Machines that are not there, bundles that are."""

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from engines.backends import open_engine
from engines.bundle import load_bundle, pretrained
from engines.cells.digital import render
from engines.tensorrt import TensorRtEngine, build_plan
from tests.support.trt_stand_in.install import standing_in

LADDER = (1, 4, 16)


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A stand-in for TensorRT, pycuda and the GPU."""
    with standing_in(monkeypatch, tmp_path / "cache") as found:
        yield found


@pytest.fixture(scope="session")
def digital():
    """The shipped bundle."""
    return load_bundle(pretrained("digital"))


@pytest.fixture(scope="session")
def cells(digital):
    """Sixteen rendered cells, and what the CPU engine says of them."""
    frames = np.ascontiguousarray(render(16, seed=5).frames)
    engine = open_engine(digital, "openvino", threads=1, ladder=(16,))
    engine.submit(frames)
    expected = engine.collect(timeout_s=30.0)
    engine.close()
    assert expected is not None
    return frames, expected


@pytest.fixture
def opened(machine):
    """Open engines that are closed at the end of the test."""
    engines = []

    def opening(bundle, precision="fp32", ladder=LADDER, *, refittable=False, **options):
        plan = build_plan(bundle, precision, ladder, refittable=refittable)
        engines.append(TensorRtEngine(bundle, plan, **options))
        return engines[-1]

    yield opening
    machine.running.set()
    for engine in engines:
        engine.close()
