"""Slots are handed out once, in the order in which they came back, and none is ever lost."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.ingest import SlotPool, WaitingLine

CHECKED = settings(derandomize=True, deadline=None, max_examples=150)
STEPS = st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.randoms(use_true_random=False)), max_size=60)


def pool_of(slots=8):
    return SlotPool(slots, (2, 3, 4), np.dtype("uint16"))


@CHECKED
@given(STEPS)
def test_slots_come_and_go_as_in_a_plain_queue(steps):
    pool, free, out = pool_of(), list(range(8)), []
    for take, n, random in steps:
        if take and n > len(free):
            with pytest.raises(ValueError, match="slots asked for"):
                pool.acquire(n)
            if not free:
                with pytest.raises(ValueError, match="none free"):
                    pool.acquire_one()
        elif take:
            taken = [pool.acquire_one()] if n == 1 else pool.acquire(n).tolist()
            assert taken == free[:n]
            free = free[n:]
            out += taken
        else:
            back = random.sample(out, min(n, len(out)))
            pool.release(np.array(back, np.intp))
            out = [slot for slot in out if slot not in back]
            free += back
        assert pool.free == len(free)
        assert sorted([*free, *out]) == list(range(8))
    pool.release(np.array(out, np.intp))
    assert sorted(pool.acquire(8).tolist()) == list(range(8))


def test_what_was_handed_out_does_not_change_when_slots_come_back():
    pool = pool_of(4)
    taken = pool.acquire(4)
    before = taken.tolist()
    pool.release(taken[::-1].copy())
    assert taken.tolist() == before


@CHECKED
@given(st.lists(st.integers(0, 7), min_size=1, max_size=8, unique=True))
def test_gather_gives_the_frames_of_the_slots_in_a_row(slots):
    pool = pool_of()
    pool.frames[...] = np.arange(pool.frames.size, dtype=np.uint16).reshape(pool.frames.shape)
    found = pool.gather(np.array(slots, np.intp))
    assert np.array_equal(found, pool.frames[slots])
    assert found.flags.c_contiguous


def test_slots_in_a_row_are_gathered_without_a_copy():
    pool = pool_of()
    assert np.shares_memory(pool.gather(np.arange(2, 6)), pool.frames)
    assert np.shares_memory(pool.gather(np.array([5])), pool.frames)
    assert not np.shares_memory(pool.gather(np.array([5, 4])), pool.frames)
    assert not np.shares_memory(pool.gather(np.array([1, 3, 2, 4])), pool.frames)


def test_steady_traffic_stays_in_consecutive_slots():
    pool = pool_of(8)
    waiting = pool.acquire(4)
    for _ in range(100):
        more = pool.acquire(2)
        assert more[1] - more[0] in (1, -7)
        waiting = np.concatenate([waiting, more])
        pool.release(waiting[:2])
        waiting = waiting[2:]


def test_the_pool_starts_whole_and_empty():
    pool = pool_of(64)
    assert (pool.size, pool.free) == (64, 64)
    assert pool.frames.shape == (64, 2, 3, 4)
    assert pool.frames.dtype == np.uint16
    assert not pool.frames.any()


class TestWaitingLine:
    @CHECKED
    @given(st.lists(st.tuples(st.sampled_from(["push", "pop", "peek", "take"]), st.integers(0, 7)), max_size=60))
    def test_the_line_is_a_list(self, steps):
        line, model, fresh = WaitingLine(10), [], 0
        for what, n in steps:
            if what == "push":
                n = min(n, 10 - len(model))
                slots = list(range(fresh, fresh + n))
                fresh += n
                if n == 1:
                    line.push_one(slots[0])
                else:
                    line.push(np.array(slots, np.intp))
                model += slots
            elif what == "pop":
                assert line.pop(n).tolist() == model[:n]
                model = model[n:]
            elif what == "peek":
                assert line.peek(n).tolist() == model[:n]
            else:
                chosen = np.array([slot % 8 < n for slot in model], np.bool_)
                taken = line.take_where(chosen)
                assert taken.tolist() == [slot for slot in model if slot % 8 < n]
                model = [slot for slot in model if slot % 8 >= n]
            assert len(line) == len(model)
        assert line.peek(100).tolist() == model

    def test_what_was_popped_stays_as_it_was(self):
        line = WaitingLine(4)
        line.push(np.array([1, 2, 3]))
        taken = line.pop(2)
        line.push(np.array([7, 8]))
        line.push(np.array([9]))
        assert taken.tolist() == [1, 2]
        assert line.pop(9).tolist() == [3, 7, 8, 9]

    def test_what_was_taken_out_stays_as_it_was(self):
        line = WaitingLine(4)
        line.push(np.array([1, 2, 3, 4]))
        taken = line.take_where(np.array([True, False, True, False]))
        line.push(np.array([5, 6]))
        assert taken.tolist() == [1, 3]
        assert line.pop(9).tolist() == [2, 4, 5, 6]

    def test_an_empty_line_gives_nothing(self):
        line = WaitingLine(4)
        assert line.pop(3).tolist() == line.peek(3).tolist() == []
        assert line.take_where(np.zeros(0, np.bool_)).tolist() == []
        assert len(line) == 0


def test_a_pool_that_is_all_free_begins_anew_at_slots_the_cache_still_has():
    pool = pool_of(256)
    for _ in range(1000):
        used = pool.acquire(1)
        assert used[0] < 64
        pool.release(used)
    assert sorted(pool.acquire(256).tolist()) == list(range(256))


def test_a_pool_in_use_does_not_begin_anew():
    pool = pool_of(256)
    held = pool.acquire(1)
    for _ in range(1000):
        pool.release(pool.acquire(1))
    pool.release(held)
    assert sorted(pool.acquire(256).tolist()) == list(range(256))
