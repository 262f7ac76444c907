"""Which cells have come, held against a plain set that forgets nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.ingest import MAX_JUMP, WINDOW, SequenceWindow
from streamer.vocabulary import Rejection
from streamer.wire import WireError


class Model:
    """The same bookkeeping with a set of every seq there ever was."""

    def __init__(self, window, max_jump):
        self.window, self.max_jump = window, max_jump
        self.seen = set()
        self.high = self.duplicates = self.disordered = 0

    @property
    def counts(self):
        return self.high, len(self.seen), self.duplicates, self.disordered

    def admit(self, seq, n):
        """Return which of the cells are new, or the reason why none is looked at."""
        if n > self.window:
            return Rejection.OVERSIZED
        if not self.high - self.window <= seq <= self.high + self.max_jump:
            return Rejection.SEQ_RANGE
        cells = range(seq, seq + n)
        fresh = [cell not in self.seen for cell in cells]
        self.disordered += sum(new and cell < self.high for new, cell in zip(fresh, cells, strict=True))
        self.duplicates += n - sum(fresh)
        self.seen.update(cells)
        self.high = max(self.high, seq + n)
        return fresh


def counts(window):
    return window.high, window.received, window.duplicates, window.disordered


def agree(window, model, seq, n):
    expected = model.admit(seq, n)
    if isinstance(expected, Rejection):
        with pytest.raises(WireError) as caught:
            window.admit(seq, n)
        assert caught.value.reason == expected
    else:
        found = window.admit(seq, n)
        assert ([True] * n if found is None else found.tolist()) == expected
        assert found is None or not found.all()
    assert counts(window) == model.counts


STEPS = st.lists(st.tuples(st.integers(-20, 24), st.integers(1, 18)), max_size=60)


@settings(derandomize=True, deadline=None, max_examples=400)
@given(STEPS, st.sampled_from([1, 7, 16]))
def test_any_sequence_of_messages_agrees_with_a_set(steps, size):
    """Steps are relative to the highest seq: repeats, disorder, gaps, jumps past the window, and beyond the limits."""
    window, model = SequenceWindow(size, max_jump=20), Model(size, 20)
    for offset, n in steps:
        agree(window, model, max(0, model.high + offset), n)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.permutations(list(range(24))), st.lists(st.integers(0, 23), max_size=12))
def test_cells_in_any_order_within_the_window_are_each_accepted_once(order, again):
    window = SequenceWindow(32, max_jump=100)
    for seq in [*order, *again]:
        window.admit(seq, 1)
    assert (window.high, window.received, window.duplicates) == (24, 24, len(again))
    highest = np.maximum.accumulate(order)
    assert window.disordered == int((np.array(order) < highest).sum())


def test_cells_in_order_are_all_new():
    window = SequenceWindow()
    for seq in range(0, 1000, 10):
        assert window.admit(seq, 10) is None
    assert counts(window) == (1000, 1000, 0, 0)


def test_a_gap_that_fills_later_is_disorder_and_not_a_duplicate():
    window = SequenceWindow()
    window.admit(0, 5)
    window.admit(10, 5)
    assert window.admit(5, 5) is None
    assert counts(window) == (15, 15, 0, 5)


def test_a_message_half_known_says_which_half():
    window = SequenceWindow()
    window.admit(0, 5)
    assert window.admit(3, 4).tolist() == [False, False, True, True]
    assert counts(window) == (7, 7, 2, 0)


@pytest.mark.parametrize(
    ("seq", "n", "reason"),
    [
        (WINDOW + 10 + MAX_JUMP + 1, 1, Rejection.SEQ_RANGE),
        (2**63 - 1, 1, Rejection.SEQ_RANGE),
        (9, 1, Rejection.SEQ_RANGE),
        (0, 1, Rejection.SEQ_RANGE),
        (WINDOW + 10, WINDOW + 1, Rejection.OVERSIZED),
    ],
)
def test_a_refused_message_changes_nothing(seq, n, reason):
    window = SequenceWindow()
    window.admit(0, WINDOW)
    window.admit(WINDOW, 10)
    before = counts(window)
    with pytest.raises(WireError) as caught:
        window.admit(seq, n)
    assert caught.value.reason == reason
    assert counts(window) == before
    assert window.admit(WINDOW + 9, 2).tolist() == [False, True]


def test_the_limits_themselves_are_inside():
    window = SequenceWindow()
    assert window.admit(MAX_JUMP, 1) is None
    assert window.high == MAX_JUMP + 1
    assert window.admit(window.high - WINDOW, 1) is None
    assert window.disordered == 1
    assert window.admit(window.high - WINDOW, 1).tolist() == [False]
    assert window.admit(window.high, WINDOW) is None


def test_a_jump_past_the_window_forgets_the_old_and_only_the_old():
    window = SequenceWindow(16, max_jump=1000)
    window.admit(0, 16)
    window.admit(116, 1)
    assert [window.admit(seq, 1) is None for seq in range(101, 117)] == [True] * 15 + [False]
    assert counts(window) == (117, 32, 1, 15)
