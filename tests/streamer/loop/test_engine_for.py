"""The engine is built as the configuration asks for it, and measures where a gate looks."""

from pathlib import Path

import numpy as np
import pytest

from streamer.config import parse_config
from streamer.loop import engine_for
from tests.support.toy import toy_frames


@pytest.mark.parametrize("looks", [True, False])
def test_measurements_are_there_where_a_gate_looks_at_them(toy_bundle, looks):
    feature = toy_bundle.manifest.outputs.measurements[0] if looks else toy_bundle.classes[0]
    tree = {
        "streamer": {"bundle": str(toy_bundle.path)},
        "engine": {"name": "openvino", "threads": 1, "ladder": [2]},
        "gate": [{"name": "a", "way": "left", "where": {feature: {"min": 0.5}}}],
    }
    engine = engine_for(parse_config(tree, "test", Path()), toy_bundle).engine
    try:
        engine.submit(toy_frames([0, 1]))
        found = engine.collect(30.0)
    finally:
        engine.close()
    assert np.isfinite(found.probabilities).all()
    assert np.isfinite(found.measurements).all() == looks
    assert np.isnan(found.measurements).all() != looks
