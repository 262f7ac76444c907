"""The engine that answers at once keeps the interface every engine has."""

import select

import numpy as np
import pytest

from bench import offline
from bench.live import InstantEngine, frames_for, write_instant_bundle
from bench.offline import run_offline
from engines.errors import EngineError


@pytest.fixture
def engine(tmp_path):
    made = InstantEngine(write_instant_bundle(tmp_path / "bundle", channels=3, height=8, width=8), (1, 2, 4))
    yield made
    made.close()


def readable(engine):
    return bool(select.select([engine.fileno()], (), (), 0)[0])


def test_it_answers_a_batch_when_it_is_submitted(engine):
    assert set(engine.warm()) == {1, 2, 4}
    assert engine.collect() is None
    assert not readable(engine)
    engine.submit(frames_for(engine.bundle)[:3])
    assert readable(engine)
    assert not engine.ready
    answer = engine.collect()
    assert answer.probabilities.shape == (3, 3)
    np.testing.assert_allclose(answer.probabilities.sum(1), 1, atol=1e-6)
    assert answer.embedding.shape == (3, engine.bundle.manifest.outputs.embedding)
    assert answer.measurements.shape == (3, len(engine.bundle.manifest.outputs.measurements))
    assert engine.ready
    assert not readable(engine)


def test_it_refuses_what_every_engine_refuses(engine):
    frames = frames_for(engine.bundle)
    with pytest.raises(EngineError, match="above the top rung 4"):
        engine.submit(frames[:5])
    with pytest.raises(EngineError, match="expected uint16"):
        engine.submit(frames[:2].astype(np.float32))
    engine.submit(frames[:1])
    with pytest.raises(EngineError, match="under way already"):
        engine.submit(frames[:1])


@pytest.mark.parametrize(("waiting", "taken"), [(1, 1), (3, 3), (9, 4)])
def test_it_takes_all_that_wait_up_to_its_top(engine, waiting, taken):
    assert engine.take(waiting) == taken


def test_offline_counts_the_cells_of_whole_batches(engine):
    found = run_offline(engine, frames_for(engine.bundle), 0.05)
    assert found.cells % 4 == 0
    assert found.cells > 0
    assert found.seconds >= 0.05
    assert engine.ready


def test_offline_ends_when_its_time_runs_out_before_another_batch_is_sent(engine, monkeypatch):
    looks = iter([0.0, 0.04, 0.06, 0.07])  # at the beginning; before the second batch; whether it may still go; the end
    monkeypatch.setattr(offline.time, "perf_counter", lambda: next(looks))
    assert run_offline(engine, frames_for(engine.bundle), 0.05).cells == 4


def test_frames_are_as_the_bundle_takes_them_and_not_too_many(engine):
    frames = frames_for(engine.bundle, least=10)
    assert frames.shape[1:] == engine.bundle.frame_shape
    assert frames.dtype == engine.bundle.dtype
    assert 10 <= len(frames) <= 1024
    assert frames.flags.c_contiguous
