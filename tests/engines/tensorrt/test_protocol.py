"""Two batches under way, order, wake-ups, faults, and closing at any moment."""

import select

import numpy as np
import pytest

from engines.errors import BundleError, EngineError
from engines.tensorrt import TensorRtEngine, build_plan
from tests.support.toy import toy_frames, write_toy_bundle


def _readable(engine, timeout_s=0.0):
    return bool(select.select([engine], [], [], timeout_s)[0])


@pytest.fixture
def engine(opened, toy_bundle):
    """The toy bundle on the stand-in."""
    return opened(toy_bundle)


def test_two_batches_are_under_way_and_come_in_order(machine, engine):
    machine.running.clear()
    assert engine.capacity == 2
    engine.submit(toy_frames(np.array([0])))
    assert engine.ready
    engine.submit(toy_frames(np.array([1, 2])))
    assert not engine.ready
    with pytest.raises(EngineError, match="2 batches are under way already"):
        engine.submit(toy_frames(np.array([0])))
    assert engine.collect() is None
    assert engine.collect(timeout_s=0.01) is None
    assert not _readable(engine)
    machine.running.set()
    assert engine.collect(timeout_s=30.0).probabilities.argmax(1).tolist() == [0]
    assert engine.ready
    assert engine.collect(timeout_s=30.0).probabilities.argmax(1).tolist() == [1, 2]
    assert engine.collect() is None
    assert not _readable(engine)


def test_the_descriptor_is_readable_while_a_result_waits(engine):
    for _ in range(30):
        engine.submit(toy_frames(np.array([0])))
        engine.submit(toy_frames(np.array([1])))
        for wanted in (0, 1):
            assert _readable(engine, 30.0)
            assert engine.collect().probabilities.argmax() == wanted
        assert not _readable(engine)


def test_frames_may_change_once_submitted(machine, engine):
    frames = toy_frames(np.array([2]))
    machine.running.clear()
    engine.submit(frames)
    frames[:] = 0
    machine.running.set()
    assert engine.collect(timeout_s=30.0).probabilities.argmax() == 2


def test_warm_times_every_rung(engine):
    best = engine.warm(repeats=1)
    assert list(best) == [1, 4, 16]
    assert all(seconds > 0 for seconds in best.values())
    assert engine.ready
    assert [engine.take(n) for n in (1, 3, 40)] == [1, 3, 16]


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        (toy_frames(np.zeros(17, int)), "a batch of 17 is above the top rung 16"),
        (toy_frames(np.zeros(0, int)), "n at least 1"),
        (toy_frames(np.array([0]), height=9), "expected uint16"),
        (toy_frames(np.array([0]), dtype="uint8"), "found uint8"),
    ],
)
def test_wrong_frames_are_refused_and_the_engine_goes_on(engine, frames, said):
    with pytest.raises(EngineError, match=said):
        engine.submit(frames)
    engine.submit(toy_frames(np.array([1])))
    assert engine.collect(timeout_s=30.0).probabilities.argmax() == 1


def test_a_fault_of_the_gpu_is_an_error_with_its_reason_and_stays(machine, engine):
    machine.fault_in_kernel = "an illegal memory access was encountered"
    engine.submit(toy_frames(np.array([0])))
    assert _readable(engine, 30.0)
    with pytest.raises(EngineError, match="illegal memory access"):
        engine.collect(timeout_s=30.0)
    assert engine.collect() is None
    assert not engine.ready
    with pytest.raises(EngineError, match="illegal memory access"):
        engine.submit(toy_frames(np.array([0])))
    engine.close()


def test_a_refused_start_gives_tensorrts_reason(machine, opened, toy_bundle):
    engine = opened(toy_bundle, graphs=False)
    machine.refuse_execution = "input is on fire"
    with pytest.raises(EngineError, match=r"a batch of 1 was refused.*input is on fire"):
        engine.submit(toy_frames(np.array([0])))
    assert not engine.ready


@pytest.mark.parametrize("under_way", [0, 1, 2])
def test_closing_frees_all_memory_at_any_moment_and_twice(machine, engine, under_way):
    for _ in range(under_way):
        engine.submit(toy_frames(np.array([0])))
    assert machine.used[0] > 0
    engine.close()
    engine.close()
    assert machine.used[0] == 0
    assert not machine.graphs
    assert not engine.ready
    with pytest.raises(EngineError, match="closed"):
        engine.submit(toy_frames(np.array([0])))
    with pytest.raises(EngineError, match="closed"):
        engine.slots()
    assert engine.collect() is None


def test_a_gpu_that_hangs_does_not_hang_closing(machine, engine, monkeypatch):
    monkeypatch.setattr("engines.tensorrt._engine.CLOSE_S", 0.05)
    machine.running.clear()
    engine.submit(toy_frames(np.array([0])))
    engine.close()
    assert machine.used[0] > 0


def test_too_little_memory_names_the_remedy_and_frees_what_was_taken(machine, toy_bundle):
    plan = build_plan(toy_bundle, "fp32", (1, 64))
    machine.gpus[0] = (*machine.gpus[0][:2], 30_000)
    with pytest.raises(EngineError, match=r"memory is used up.*use a smaller ladder"):
        TensorRtEngine(toy_bundle, plan)
    assert machine.used[0] == 0


def test_a_refused_context_names_reason_and_remedy(machine, toy_bundle):
    plan = build_plan(toy_bundle, "fp32", (1, 4))
    machine.contexts_refused = True
    with pytest.raises(EngineError, match=r"no execution context for batches of 1.*OutOfMemory.*use a smaller ladder"):
        TensorRtEngine(toy_bundle, plan)
    assert machine.used[0] == 0


def test_a_plan_of_another_bundle_is_refused(machine, toy_bundle, tmp_path):
    other = write_toy_bundle(tmp_path / "wide", width=9)
    with pytest.raises(BundleError, match=r"input: found .*9, 2.* expected .*8, 8, 2"):
        TensorRtEngine(toy_bundle, build_plan(other, "fp32", (1,)))


def test_weights_are_exchanged_only_where_they_can_be(opened, machine, toy_bundle, tmp_path, digital):
    engine = opened(toy_bundle)
    with pytest.raises(BundleError, match="classes"):
        engine.refit(digital)
    with pytest.raises(EngineError, match="build with --refittable"):
        engine.refit(toy_bundle)
    machine.running.clear()
    engine.submit(toy_frames(np.array([1])))
    with pytest.raises(EngineError, match="only between batches"):
        engine.refit(toy_bundle)
    machine.running.set()
    assert engine.collect(timeout_s=30.0).probabilities.argmax() == 1
