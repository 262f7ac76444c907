"""Batch after batch: in order, as many under way as the engine takes, and nothing lost of what was done."""

from collections import deque

import numpy as np
import pytest

from engines.backends import Predictions, keep_busy
from engines.errors import EngineError


class Counting:
    """Answers each batch with its first number; takes `capacity` batches, and notes how many it has."""

    name = "counting"

    def __init__(self, capacity, fails=()):
        self.capacity, self.fails, self.under_way, self.most = capacity, fails, deque(), 0

    def submit(self, frames):
        assert len(self.under_way) < self.capacity
        if ("submit", int(frames[0])) in self.fails:
            raise EngineError("at submit")
        self.under_way.append(frames)
        self.most = max(self.most, len(self.under_way))

    def collect(self, timeout_s=0.0):
        if not self.under_way:
            return None
        frames = self.under_way.popleft()
        if ("collect", int(frames[0])) in self.fails:
            raise EngineError("at collect")
        if ("hang", int(frames[0])) in self.fails:
            self.under_way.appendleft(frames)
            return None
        return Predictions(frames, frames, frames, 0.0)


def batches(n, torn=None):
    for number in range(n):
        if number == torn:
            raise ValueError("torn")
        yield str(number), np.array([number], np.float32)


def taken(engine, given, error=None, match=""):
    found = []

    def take():
        for what, answer in keep_busy(engine, given, 0.05):
            assert what == str(int(answer.embedding[0]))
            found.append(int(what))

    if error is None:
        take()
    else:
        with pytest.raises(error, match=match):
            take()
    assert not engine.under_way or any(how == "hang" for how, _ in engine.fails)
    return found


@pytest.mark.parametrize("capacity", [1, 2, 5])
@pytest.mark.parametrize("n", [0, 1, 4, 30])
def test_in_order_and_as_many_as_it_takes(capacity, n):
    engine = Counting(capacity)
    assert taken(engine, batches(n)) == list(range(n))
    assert engine.most == min(capacity, n)


@pytest.mark.parametrize("capacity", [1, 3])
def test_it_is_full_while_an_answer_is_handled_and_while_a_batch_is_made(capacity):
    engine = Counting(capacity)
    full = []

    def watched():
        for batch in batches(20):
            full.append(len(engine.under_way))
            yield batch

    handled = [len(engine.under_way) for _ in keep_busy(engine, watched())]
    assert handled == [capacity] * (20 - capacity) + list(range(capacity))[::-1]
    assert full == [*range(capacity), *[capacity] * (20 - capacity)]


def test_what_was_under_way_comes_before_an_error_of_the_reader():
    assert taken(Counting(3), batches(20, torn=7), ValueError, "torn") == list(range(7))


def test_what_was_under_way_comes_before_an_error_of_submit():
    assert taken(Counting(3, [("submit", 7)]), batches(20), EngineError, "at submit") == list(range(7))


def test_a_batch_that_fails_ends_it_and_those_after_it_are_dropped():
    assert taken(Counting(3, [("collect", 7)]), batches(20), EngineError, "at collect") == list(range(7))


def test_a_batch_that_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr("engines.backends._keep_busy._LAST_PATIENCE_S", 0.05)
    assert taken(Counting(2, [("hang", 3)]), batches(20), EngineError, "not done after") == list(range(3))


def test_who_stops_taking_leaves_the_engine_free():
    engine = Counting(3)
    answers = keep_busy(engine, batches(20))
    next(answers)
    answers.close()
    assert not engine.under_way
