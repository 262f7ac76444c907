"""When a cell's fate is fixed, at edges of windows, by the clock, and at its deadline."""

import numpy as np
import pytest

from streamer.decision.windows import Fate, Mode, SortRule, Timing, WindowResolver
from streamer.decision.windows import _resolver as resolver_module

NO_DEADLINE = 2**63 - 1


@pytest.fixture(params=[0, 12], ids=["all at once", "one by one"], autouse=True)
def _few(request, monkeypatch):
    """Judge by each of the two ways."""
    monkeypatch.setattr(resolver_module, "FEW", request.param)


def resolver(mode, leading=10, trailing=20, *, ways=1, in_order=False, **timing):
    return WindowResolver([SortRule(mode, leading, trailing)] * ways, Timing(**timing), in_order=in_order)


def arrive(to, *cells, deadline=NO_DEADLINE):
    seq, trigger = zip(*cells, strict=True)
    due = np.full(len(cells), deadline, np.int64)
    to.arrive(np.array(seq, np.uint64), np.array(trigger, np.int64), due)


def verdict(to, *cells):
    seq, way = zip(*cells, strict=True)
    to.verdict(np.array(seq, np.uint64), np.array(way, np.uint8))


def fates(to, now):
    resolved = to.resolve(now)
    assert resolved.keep.tolist() == [fate == Fate.KEEP for fate in resolved.fate]
    return {seq: Fate(fate) for seq, fate in zip(resolved.seq.tolist(), resolved.fate.tolist(), strict=True)}


def test_unwanted_cells_and_those_of_yield_mode_are_fixed_at_once():
    to = resolver(Mode.YIELD)
    arrive(to, (0, 100), (1, 101), (2, 102))
    verdict(to, (0, 1), (1, 0))
    assert fates(to, 101) == {0: Fate.KEEP, 1: Fate.UNWANTED}
    assert len(to) == 1
    assert fates(to, 101) == {}


@pytest.mark.parametrize("mode", [Mode.PURITY, Mode.SINGLE])
@pytest.mark.parametrize(("neighbour", "inside"), [(89, False), (90, True), (120, True), (121, False)])
def test_a_neighbour_on_an_edge_is_inside(mode, neighbour, inside):
    to = resolver(mode)
    arrive(to, *sorted([(0, 100), (1, neighbour)], key=lambda cell: cell[1]))
    verdict(to, (0, 1), (1, 0))
    assert fates(to, 500)[0] == (Fate.COINCIDENT if inside else Fate.KEEP)


def test_a_window_is_open_while_a_cell_may_still_come_on_its_very_edge():
    to = resolver(Mode.PURITY, transport_ns=5)
    arrive(to, (0, 100))
    verdict(to, (0, 1))
    assert fates(to, 125) == {}  # one triggered at 120 may take until 125
    assert to.next_due_ns() == 126
    arrive(to, (1, 120))
    verdict(to, (1, 0))
    assert fates(to, 125) == {0: Fate.COINCIDENT, 1: Fate.UNWANTED}


def test_the_clock_closes_a_window_when_it_said_so():
    to = resolver(Mode.SINGLE, transport_ns=5)
    arrive(to, (0, 100))
    verdict(to, (0, 1))
    assert fates(to, 110) == {}
    assert fates(to, to.next_due_ns() - 1) == {}
    assert fates(to, to.next_due_ns()) == {0: Fate.KEEP}
    assert to.next_due_ns() is None


def test_a_later_cell_closes_a_window_less_the_reorder_span():
    to = resolver(Mode.PURITY, reorder_ns=7, transport_ns=10**6)
    arrive(to, (0, 100))
    verdict(to, (0, 1))
    arrive(to, (1, 127))
    assert fates(to, 130) == {}
    arrive(to, (2, 128))
    assert fates(to, 130) == {0: Fate.KEEP}


def test_the_end_of_the_stream_closes_every_window():
    to = resolver(Mode.PURITY, reorder_ns=10**6, transport_ns=10**6)
    arrive(to, (0, 100), (1, 300))
    verdict(to, (0, 1), (1, 1))
    assert fates(to, 301) == {}
    to.close()
    assert fates(to, 302) == {0: Fate.KEEP, 1: Fate.KEEP}


def test_an_undecided_neighbour_holds_a_pure_cell_and_loses_a_single_one():
    pure, single = resolver(Mode.PURITY), resolver(Mode.SINGLE)
    for to in (pure, single):
        arrive(to, (0, 100), (1, 105))
        verdict(to, (0, 1))
    assert fates(single, 500) == {0: Fate.COINCIDENT}
    assert fates(pure, 500) == {}
    verdict(pure, (1, 1))
    assert fates(pure, 500) == {0: Fate.KEEP, 1: Fate.KEEP}


def test_a_cell_for_another_way_is_unwanted_for_this_one():
    to = resolver(Mode.PURITY, ways=2)
    arrive(to, (0, 100), (1, 105))
    verdict(to, (0, 1), (1, 2))
    assert fates(to, 101) == {0: Fate.COINCIDENT, 1: Fate.COINCIDENT}


def test_a_deadline_forces_a_cell_in_time_and_to_waste():
    to = resolver(Mode.PURITY, margin_ns=10, ahead_ns=5)
    arrive(to, (0, 100), (1, 105), deadline=1000)
    verdict(to, (0, 1))
    assert fates(to, 984) == {}
    assert to.next_due_ns() == 985
    assert fates(to, 985) == {0: Fate.COINCIDENT}


@pytest.mark.parametrize("mode", list(Mode))
def test_what_is_decided_after_the_last_moment_is_late(mode):
    to = resolver(mode, margin_ns=10)
    arrive(to, (0, 100), deadline=1000)
    arrive(to, (1, 500), deadline=1000)
    verdict(to, (0, 1))
    assert fates(to, 990) == {0: Fate.KEEP}
    verdict(to, (1, 1))
    assert fates(to, 991) == {1: Fate.LATE}


def test_a_straggler_is_counted_and_sees_its_own_neighbours():
    to = resolver(Mode.PURITY)
    arrive(to, (0, 100), (1, 200))
    verdict(to, (0, 1), (1, 0))
    assert fates(to, 200) == {0: Fate.KEEP, 1: Fate.UNWANTED}
    arrive(to, (2, 105), (3, 150))
    verdict(to, (2, 1), (3, 1))
    # What went out stays out, and the straggler is of its way; nothing lies near the other.
    assert fates(to, 201) == {2: Fate.KEEP, 3: Fate.KEEP}
    assert to.stragglers == 2


def test_kept_cells_of_a_way_come_out_in_order_and_waste_at_once():
    to = resolver(Mode.YIELD, ways=2, in_order=True)
    arrive(to, (0, 100), (1, 200), (2, 300), (3, 400))
    verdict(to, (1, 1), (2, 2), (3, 0))
    assert fates(to, 500) == {3: Fate.UNWANTED}
    verdict(to, (0, 2))
    resolved = to.resolve(501)
    assert resolved.seq.tolist() == [1, 0, 2]
    assert resolved.way.tolist() == [1, 2, 2]
    assert len(to) == 0


def test_a_deadline_ends_the_wait_for_the_order_and_who_is_overtaken_is_late():
    to = resolver(Mode.YIELD, in_order=True, margin_ns=10, ahead_ns=5)
    arrive(to, (0, 100), deadline=5000)
    arrive(to, (1, 200), deadline=1000)
    verdict(to, (1, 1))
    assert fates(to, 300) == {}
    assert to.next_due_ns() == 985
    assert fates(to, 985) == {1: Fate.KEEP}
    verdict(to, (0, 1))
    assert fates(to, 990) == {0: Fate.LATE}


def test_memory_holds_what_is_open_and_a_window_of_the_rest():
    to = resolver(Mode.PURITY, 10_000, 20_000)
    rng = np.random.default_rng(0)
    trigger = np.cumsum(rng.integers(1, 2000, 100_000))
    for first in range(0, len(trigger), 50):
        cells = np.arange(first, first + 50)
        to.arrive(cells.astype(np.uint64), trigger[cells], trigger[cells] + 10**9)
        to.verdict(cells.astype(np.uint64), (cells % 3 == 0).astype(np.uint8))
        to.resolve(int(trigger[cells[-1]]))
    assert len(to._table.trigger) == 1024
    assert len(to) < 50


def test_a_cell_whose_neighbours_may_be_forgotten_is_not_called_pure():
    to = resolver(Mode.PURITY)
    for first in range(0, 5000, 50):
        cells = [(seq, 100 * seq) for seq in range(first, first + 50)]
        arrive(to, *cells)
        verdict(to, *((seq, 0) for seq, _ in cells))
        to.resolve(cells[-1][1])
    arrive(to, (9999, 150))
    verdict(to, (9999, 1))
    assert fates(to, 10**6) == {9999: Fate.COINCIDENT}


def test_nothing_to_tell_is_an_empty_answer():
    to = resolver(Mode.PURITY)
    arrive_nothing = np.zeros(0)
    to.arrive(arrive_nothing.astype(np.uint64), arrive_nothing.astype(np.int64), arrive_nothing.astype(np.int64))
    resolved = to.resolve(0)
    assert [len(column) for column in resolved] == [0, 0, 0]
    assert [column.dtype for column in resolved] == [np.uint64, np.uint8, np.uint8]
