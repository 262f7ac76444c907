"""What engines have in common, on lanes that can be told to wait and to fail."""

import select
import threading

import numpy as np
import pytest

from engines.backends import LadderEngine, Worker, WorkerLane
from engines.errors import EngineError
from tests.support.toy import toy_frames


class Lane(WorkerLane):
    """Answers with the first pixel of each cell, when let."""

    def __init__(self, worker, rung, bundle):
        frames = np.zeros((rung, *bundle.frame_shape), bundle.dtype)
        super().__init__(worker, frames, tuple(np.zeros((rung, width), np.float32) for width in (3, 2, 2)))
        self.gate = threading.Event()
        self.gate.set()
        self.fail = False

    def run(self):
        assert self.gate.wait(30)
        if self.fail:
            raise RuntimeError("a long story\nthe device is on fire\n")
        for output in self.outputs:
            output[:] = self.frames[:, 0, 0, 0, None]


@pytest.fixture
def lanes(toy_bundle):
    workers = [Worker("one"), Worker("two")]
    yield {rung: [Lane(worker, rung, toy_bundle) for worker in workers] for rung in (1, 4)}
    for worker in workers:
        worker.close()


def frames_of(*classes):
    return toy_frames(np.array(classes))


def readable(engine, timeout_ms=0):
    poller = select.poll()
    poller.register(engine.fileno(), select.POLLIN)
    return bool(poller.poll(timeout_ms))


def counts(predictions):
    return predictions.embedding[:, 0].tolist()


def test_as_many_batches_as_there_are_lanes_and_answers_in_their_order(toy_bundle, lanes):
    engine = LadderEngine(toy_bundle, "lanes", lanes)
    assert engine.capacity == 2
    lanes[1][0].gate.clear()
    engine.submit(frames_of(1))
    assert engine.ready
    engine.submit(frames_of(2, 0, 1))
    assert not engine.ready
    with pytest.raises(EngineError, match="under way"):
        engine.submit(frames_of(0))
    assert readable(engine, 30_000)  # the second is done, which is not the turn of
    assert engine.collect() is None
    assert not readable(engine)
    lanes[1][0].gate.set()
    assert readable(engine, 30_000)
    assert counts(engine.collect()) == [1000]
    assert readable(engine)
    assert counts(engine.collect()) == [3000, 100, 1000]
    assert not readable(engine)
    assert engine.collect() is None
    engine.close()


def test_what_a_batch_of_before_left_is_not_seen(toy_bundle, lanes):
    engine = LadderEngine(toy_bundle, "lanes", lanes)
    for _ in range(2):
        engine.submit(frames_of(2, 2, 2, 2))
        engine.collect(30)
    for _ in range(2):
        engine.submit(frames_of(1, 1))
        assert counts(engine.collect(30)) == [1000, 1000]
    assert all((lane.frames[2:] == 0).all() for lane in lanes[4])
    engine.close()


@pytest.mark.parametrize("wait_s", [0.0, 30.0])
def test_a_fault_is_an_engine_error_with_its_reason_and_the_engine_goes_on(toy_bundle, lanes, wait_s):
    engine = LadderEngine(toy_bundle, "lanes", lanes)
    lanes[1][0].fail = True
    engine.submit(frames_of(1))
    engine.submit(frames_of(2))
    assert readable(engine, 30_000)
    with pytest.raises(EngineError, match=r"^lanes: the device is on fire$"):
        for _ in range(1000):
            assert engine.collect(wait_s) is None
            assert readable(engine, 30_000)
    assert counts(engine.collect(30)) == [3000]
    lanes[1][0].fail = False
    for level in (1, 2, 1):
        engine.submit(frames_of(level))
        assert counts(engine.collect(30)) == [[100, 1000, 3000][level]]
    engine.close()


def test_a_fault_on_the_calling_thread_is_told_at_submit(toy_bundle, lanes):
    engine = LadderEngine(toy_bundle, "lanes", {rung: row[:1] for rung, row in lanes.items()})
    engine.warm()
    engine._inline |= {1}  # however slow this machine is
    lanes[1][0].fail = True
    with pytest.raises(EngineError, match="on fire"):
        engine.submit(frames_of(1))
    assert engine.ready
    lanes[1][0].fail = False
    engine.submit(frames_of(2))
    assert readable(engine)
    assert counts(engine.collect()) == [3000]
    engine.close()


def test_closing_waits_for_what_is_under_way_and_releases_once(toy_bundle, lanes):
    released = []
    engine = LadderEngine(toy_bundle, "lanes", lanes, lambda: released.append(True))
    lanes[1][0].gate.clear()
    engine.submit(frames_of(1))
    threading.Timer(0.05, lanes[1][0].gate.set).start()
    engine.close()
    engine.close()
    assert released == [True]
    assert lanes[1][0].outputs[0][0, 0] == 1000
    assert not engine.ready
    assert engine.collect(0.1) is None


def test_waiting_in_vain_is_none(toy_bundle, lanes):
    engine = LadderEngine(toy_bundle, "lanes", lanes)
    lanes[1][0].gate.clear()
    engine.submit(frames_of(1))
    assert engine.collect(0.02) is None
    lanes[1][0].gate.set()
    assert counts(engine.collect(30)) == [1000]
    engine.close()


@pytest.mark.parametrize("stage", ["run", "start"])
def test_a_fault_of_a_real_engine_leaves_it_usable(engine, stage, monkeypatch):
    lane = engine._lanes[1][0]

    def fail(*_):
        raise RuntimeError("told to fail")

    with monkeypatch.context() as patch:
        patch.setattr(lane, stage, fail)
        # A worker's lane fails where its worker runs it, all others at once.
        with pytest.raises(EngineError, match="told to fail"):
            engine.submit(frames_of(1))
            assert engine.collect(30) is not None
            engine._inline |= {1}
            engine.submit(frames_of(1))
    engine._inline = frozenset()
    assert engine.ready
    engine.submit(frames_of(2))
    assert engine.collect(30).probabilities.argmax() == 2


@pytest.mark.parametrize("pin", [None, True, False])
def test_throughput_mode_keeps_several_batches_under_way(toy_bundle, named, pin):
    from engines.backends import open_engine

    engine = open_engine(toy_bundle, named, threads=2, ladder=(1, 4), mode="throughput", pin=pin)
    assert engine.capacity == (1 if named == "torch" else 2)
    wanted = [[0], [1, 2, 0], [2], [0, 0, 0, 1]]
    answers = []
    for classes in wanted:
        if not engine.ready:
            answers.append(engine.collect(30))
        engine.submit(frames_of(*classes))
    while (answer := engine.collect(30)) is not None:
        answers.append(answer)
    assert [answer.probabilities.argmax(axis=1).tolist() for answer in answers] == wanted
    engine.close()
