"""The word that a batch is over: at odd moments, late, twice, or never."""

import select
import threading
import time

import numpy as np
import pytest

from engines.backends import LadderEngine, Wakeup, Worker, WorkerLane, open_engine
from engines.errors import EngineError
from tests.support.toy import toy_frames

MODULE = "engines.backends._ladder_engine"
SHORT_S = 0.2


class SilentLane:
    """Answers with the first pixel of each cell as soon as it is let, and leaves the word of it to the test."""

    def __init__(self, rung, bundle):
        self.frames = np.zeros((rung, *bundle.frame_shape), bundle.dtype)
        self.outputs = tuple(np.zeros((rung, width), np.float32) for width in (3, 2, 2))
        self.ended = threading.Event()
        self.error = None
        self.done = None
        self.asked = 0

    def run(self):
        for output in self.outputs:
            output[:] = self.frames[:, 0, 0, 0, None]

    def start(self, done):
        self.run()
        self.done = done

    def wait(self, timeout_s):
        self.asked += 1
        return self.ended.wait(timeout_s)

    def finish(self):
        if self.error is not None:
            raise RuntimeError(self.error)


class Word(Wakeup):
    """Holds back whoever sets it, before or after the descriptor is readable."""

    def __init__(self):
        super().__init__()
        self.hold = None
        self.entered, self.go_on, self.left = threading.Event(), threading.Event(), threading.Event()
        self.wrote_to = []

    def set(self):
        hold, self.hold = self.hold, None
        if hold == "before":
            self._wait()
        self.wrote_to.append(self.fileno())
        super().set()
        if hold == "after":
            self._wait()
        self.left.set()

    def _wait(self):
        self.entered.set()
        self.go_on.wait(SHORT_S)  # not for ever: the engine may rightly wait for this thread


@pytest.fixture
def word(monkeypatch):
    word = Word()
    monkeypatch.setattr(f"{MODULE}.Wakeup", lambda: word)
    yield word
    word.close()


@pytest.fixture
def lanes(toy_bundle):
    return [SilentLane(1, toy_bundle), SilentLane(1, toy_bundle)]


def submit(engine, *classes):
    for each in classes:
        engine.submit(toy_frames(np.array([each])))


def readable(engine):
    poller = select.poll()
    poller.register(engine.fileno(), select.POLLIN)
    return bool(poller.poll(0))


def poll(engine):
    """Look, as the loop does, until there is an answer."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if (predictions := engine.collect()) is not None:
            return predictions.embedding[:, 0].tolist()
        time.sleep(0.01)
    return None


def elsewhere(job):
    thread = threading.Thread(target=job, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("wait_s", [0.0, 30.0])
def test_a_batch_collected_while_its_word_is_on_its_way_leaves_nothing_readable(toy_bundle, lanes, word, wait_s):
    engine = LadderEngine(toy_bundle, "silent", {1: lanes[:1]})
    submit(engine, 1)
    lanes[0].ended.set()
    word.hold = "before"
    thread = elsewhere(lanes[0].done)
    assert word.entered.wait(30)
    assert engine.collect(wait_s) is not None
    word.go_on.set()
    thread.join(30)
    assert word.left.is_set()
    assert not readable(engine)
    engine.close()


def test_with_several_under_way_no_word_is_lost(toy_bundle, lanes, word):
    engine = LadderEngine(toy_bundle, "silent", {1: lanes})
    submit(engine, 1, 2)
    lanes[1].done()
    word.hold = "after"
    thread = elsewhere(lanes[0].done)
    assert word.entered.wait(30)
    first = engine.collect()
    word.go_on.set()
    thread.join(30)
    assert readable(engine)  # for the first if it was not had, else for the second
    if first is None:
        assert engine.collect() is not None
    assert readable(engine)
    assert poll(engine) == [3000]
    assert not readable(engine)
    for lane in lanes:
        lane.ended.set()
    engine.close()


def test_a_word_that_comes_after_the_batch_was_collected_is_ignored(toy_bundle, lanes):
    engine = LadderEngine(toy_bundle, "silent", {1: lanes[:1]})
    lanes[0].ended.set()
    submit(engine, 1)
    late = lanes[0].done
    assert engine.collect(30) is not None
    late()
    assert not readable(engine)
    submit(engine, 2)
    late()
    assert not readable(engine)
    lanes[0].done()
    assert readable(engine)
    assert poll(engine) == [3000]
    engine.close()


def test_nothing_is_left_readable_by_a_warm_up_whose_words_come_late(toy_bundle, lanes):
    engine = LadderEngine(toy_bundle, "silent", {1: lanes[:1]})
    lanes[0].ended.set()
    engine.warm(1)
    lanes[0].done()
    assert not readable(engine)
    engine.close()


def test_closing_does_not_free_a_descriptor_that_is_being_written_to(toy_bundle, lanes, word):
    engine = LadderEngine(toy_bundle, "silent", {1: lanes})
    submit(engine, 1, 2)
    for lane in lanes:
        lane.ended.set()
    word.hold = "before"
    thread = elsewhere(lanes[0].done)
    assert word.entered.wait(30)
    descriptor = engine.fileno()
    engine.close()
    word.go_on.set()
    thread.join(30)
    assert word.wrote_to == [descriptor]
    lanes[1].done()  # too late to matter
    assert engine.fileno() == -1


def test_a_batch_whose_word_never_comes_is_found_by_looking(toy_bundle, lanes):
    engine = LadderEngine(toy_bundle, "silent", {1: lanes[:1]})
    lanes[0].ended.set()
    lanes[0].error = "the device is on fire"
    submit(engine, 1)
    with pytest.raises(EngineError, match="on fire"):
        poll(engine)
    assert engine.ready
    lanes[0].error = None
    submit(engine, 2)
    assert poll(engine) == [3000]
    assert not readable(engine)
    engine.close()


def test_a_batch_that_only_takes_long_is_not_taken_for_over(toy_bundle, lanes, monkeypatch):
    monkeypatch.setattr(f"{MODULE}._SILENT_S", 0.0)
    engine = LadderEngine(toy_bundle, "silent", {1: lanes})
    submit(engine, 1, 2)
    lanes[1].ended.set()
    lanes[1].done()
    assert engine.collect() is None
    assert lanes[0].asked == 1
    assert not readable(engine)
    lanes[0].ended.set()
    assert poll(engine) == [1000]
    assert readable(engine)
    assert poll(engine) == [3000]
    engine.close()


def test_looking_does_not_ask_about_a_batch_that_has_only_begun(toy_bundle, lanes, monkeypatch):
    monkeypatch.setattr(f"{MODULE}._SILENT_S", 1000.0)
    engine = LadderEngine(toy_bundle, "silent", {1: lanes[:1]})
    submit(engine, 1)
    assert engine.collect() is None
    assert lanes[0].asked == 0
    lanes[0].ended.set()
    engine.close()


def test_a_batch_of_the_calling_thread_is_never_asked_about(toy_bundle, lanes, monkeypatch):
    monkeypatch.setattr(f"{MODULE}._SILENT_S", -1.0)
    engine = LadderEngine(toy_bundle, "silent", {1: lanes[:1]})
    engine._inline |= {1}
    submit(engine, 2)
    assert poll(engine) == [3000]
    assert lanes[0].asked == 0
    engine.close()


def test_a_workers_lane_on_which_nothing_was_started_keeps_nobody_waiting():
    class Lane(WorkerLane):
        def run(self):
            pass

    worker = Worker("idle")
    assert Lane(worker, np.zeros((1, 1, 1, 1), np.uint16), ()).wait(0.0)
    worker.close()


def test_a_failed_openvino_request_without_a_callback_is_an_engine_error(toy_bundle, monkeypatch):
    class Request:
        def start_async(self):
            pass

        def wait(self):
            raise RuntimeError("the request failed")

        def wait_for(self, _):
            raise RuntimeError("the request failed")

    engine = open_engine(toy_bundle, "openvino", threads=1, ladder=(1,))
    with monkeypatch.context() as patch:
        patch.setattr(engine._lanes[1][0], "_request", Request())
        submit(engine, 1)
        with pytest.raises(EngineError, match="the request failed"):
            poll(engine)
    submit(engine, 2)
    assert engine.collect(30).probabilities.argmax() == 2
    engine.close()
