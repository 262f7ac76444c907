"""Several engines as one, with engines that only pretend."""

import select

import numpy as np
import pytest

from engines.backends import MultiEngine, Predictions, Wakeup, one_per_device, open_engine
from engines.errors import EngineError, InputError


class Pretending:
    """An engine of capacity 2 whose batches are done when the test says so; answers the frames' first count."""

    ladder = (1, 2)
    capacity = 2

    def __init__(self, bundle, name):
        self.bundle, self.name = bundle, name
        self.under_way, self.finished, self.closed = [], 0, 0
        self.refusing = self.failing = False
        self._wakeup = Wakeup()

    @property
    def ready(self):
        return len(self.under_way) < self.capacity and not self.closed

    def warm(self):
        return {1: 0.001, 2: 0.002 if self.name == "a" else 0.003}

    def take(self, waiting):
        return min(waiting, 2)

    def submit(self, frames):
        if self.refusing:
            raise EngineError(f"{self.name}: refused")
        self.under_way.append(int(frames.flat[0]))

    def finish(self, n=1):
        self.finished += n
        self._wakeup.set()

    def collect(self, timeout_s=0.0):
        if not self.finished:
            return None
        self.finished -= 1
        if not self.finished:
            self._wakeup.clear()
        value = np.array([[self.under_way.pop(0)]], np.float32)
        if self.failing:
            raise EngineError(f"{self.name}: failed")
        return Predictions(value, value, value, 0.001)

    def fileno(self):
        return self._wakeup.fileno()

    def close(self):
        self.closed += 1
        self._wakeup.close()


@pytest.fixture
def pair(toy_bundle):
    """Two of them, and the one engine they are."""
    engines = Pretending(toy_bundle, "a"), Pretending(toy_bundle, "b")
    multi = MultiEngine(engines)
    yield *engines, multi
    multi.close()


def _submit(multi, *values):
    for value in values:
        multi.submit(np.full((1, 2, 8, 8), value, np.uint16))


def _readable(engine):
    return bool(select.select([engine], [], [], 0)[0])


def _collected(multi):
    return int(multi.collect().probabilities[0, 0])


def test_batches_go_to_the_least_loaded_and_come_back_in_order(pair):
    a, b, multi = pair
    _submit(multi, 1, 2, 3, 4)
    assert (a.under_way, b.under_way) == ([1, 3], [2, 4])
    assert not multi.ready
    with pytest.raises(EngineError, match="all are at work"):
        _submit(multi, 5)
    b.finish(2)
    assert multi.collect() is None
    a.finish(1)
    assert [_collected(multi), _collected(multi)] == [1, 2]
    assert multi.collect() is None
    _submit(multi, 6)
    assert (a.under_way, b.under_way) == ([3, 6], [4])
    a.finish(2)
    assert [_collected(multi), _collected(multi), _collected(multi)] == [3, 4, 6]


def test_it_is_readable_when_the_oldest_is_done_and_only_then(pair):
    a, b, multi = pair
    assert not _readable(multi)
    _submit(multi, 1, 2)
    b.finish()
    assert not _readable(multi)
    a.finish()
    assert _readable(multi)
    assert _collected(multi) == 1
    assert _readable(multi)
    assert _collected(multi) == 2
    assert not _readable(multi)


def test_an_engine_that_refuses_is_passed_over(pair):
    a, b, multi = pair
    a.refusing = True
    _submit(multi, 1, 2)
    assert (a.under_way, b.under_way) == ([], [1, 2])
    b.finish(2)
    assert [_collected(multi), _collected(multi)] == [1, 2]
    b.refusing = True
    with pytest.raises(EngineError, match="refused"):
        _submit(multi, 3)


def test_a_failed_batch_is_gone_and_the_next_are_not(pair):
    a, b, multi = pair
    _submit(multi, 1, 2)
    a.failing = True
    a.finish()
    b.finish()
    with pytest.raises(EngineError, match="a: failed"):
        multi.collect()
    assert _collected(multi) == 2
    assert multi.collect() is None


def test_what_it_says_of_itself(pair, toy_bundle):
    a, b, multi = pair
    assert (multi.name, multi.ladder, multi.capacity) == ("2 × a", (1, 2), 4)
    assert multi.warm() == {1: 0.001, 2: 0.003}
    assert multi.bundle is toy_bundle
    multi.close()
    multi.close()
    assert (a.closed, b.closed) == (1, 1)
    assert not multi.ready
    with pytest.raises(EngineError, match="closed"):
        _submit(multi, 1)


def test_engines_that_do_not_go_together_are_refused(toy_bundle):
    a, b = Pretending(toy_bundle, "a"), Pretending(toy_bundle, "b")
    b.ladder = (1, 4)
    with pytest.raises(InputError, match="bundle and ladder"):
        MultiEngine([a, b])
    with pytest.raises(InputError, match="one or more"):
        MultiEngine([])
    a.close()
    b.close()


def test_one_that_fails_comes_last_and_at_last_gets_no_more(pair):
    a, b, multi = pair
    a.failing = True
    _submit(multi, 1)
    a.finish()
    with pytest.raises(EngineError, match="a: failed"):
        multi.collect()
    _submit(multi, 2, 3, 4)  # the third finds no other place
    assert (a.under_way, b.under_way) == ([4], [2, 3])
    b.finish(2)
    assert [_collected(multi), _collected(multi)] == [2, 3]
    for value in (5, 6):
        a.finish()
        with pytest.raises(EngineError, match="a: failed"):
            multi.collect()
        if value == 5:
            _submit(multi, value, value, value)
            b.finish(2)
            assert [_collected(multi), _collected(multi)] == [5, 5]
    assert (multi.name, multi.capacity) == ("1 of 2 × a", 2)
    _submit(multi, 7, 8)
    assert (a.under_way, b.under_way) == ([], [7, 8])
    assert not multi.ready


def test_one_that_answers_again_is_as_good_as_any(pair):
    a, b, multi = pair
    a.failing = True
    _submit(multi, 1)
    a.finish()
    with pytest.raises(EngineError):
        multi.collect()
    a.failing = False
    _submit(multi, 2, 3, 4)
    b.finish(2)
    a.finish()
    assert [_collected(multi) for _ in range(3)] == [2, 3, 4]
    _submit(multi, 5)
    assert a.under_way == [5]


def test_one_per_device_and_none_left_open_where_one_cannot_be(toy_bundle):
    opened = []

    def open_one(device):
        if device == 2:
            raise EngineError("GPU 2: out of order")
        opened.append(Pretending(toy_bundle, str(device)))
        return opened[-1]

    assert one_per_device((1,), open_one) is opened[0]
    with pytest.raises(EngineError, match="GPU 2"):
        one_per_device((0, 1, 2), open_one)
    assert [engine.closed for engine in opened] == [0, 1, 1]
    opened[0].close()
    for devices in ((), (0, 0)):
        with pytest.raises(InputError, match="one or more different GPUs"):
            one_per_device(devices, open_one)


def test_engines_of_the_processor_as_members_answer_as_one_does(toy_bundle):
    def open_one(_):
        return open_engine(toy_bundle, "openvino", threads=1, ladder=(1, 4))

    multi, alone = one_per_device((0, 1), open_one), open_one(0)
    frames = np.random.default_rng(0).integers(0, 4000, (8, 2, 8, 8)).astype(np.uint16)
    multi.warm()
    found, submitted = [], 0
    while len(found) < 8:
        while submitted < 8 and multi.ready:
            multi.submit(frames[submitted : submitted + 1])
            submitted += 1
        found.append(multi.collect(5.0).probabilities[0])
    for frame, answer in zip(frames, found, strict=True):
        alone.submit(frame[None])
        np.testing.assert_allclose(answer, alone.collect(5.0).probabilities[0], rtol=1e-5)
    multi.close()
    alone.close()
