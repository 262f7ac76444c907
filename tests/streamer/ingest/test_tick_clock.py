"""Hardware ticks become monotonic nanoseconds: exactly, and by the fastest message."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.ingest import TickClock

CHECKED = settings(derandomize=True, deadline=None, max_examples=200)
TIMEBASES = st.sampled_from([(1, 10**9), (2, 2 * 10**9), (1, 10**6), (1, 20_000_000), (1, 3), (7, 10**7), (1, 1)])
UINT64 = 2**64 - 1


def host(clock, *ticks):
    return clock.to_host(np.array(ticks, np.uint64)).tolist()


@pytest.mark.parametrize(
    ("timebase", "ticks", "ns"),
    [
        ((1, 10**9), 12_345, 12_345),
        ((1, 10**6), 12_345, 12_345_000),
        ((1, 20_000_000), 3, 150),
        ((1, 3), 1, 333_333_333),
        ((5, 10**9), 7, 35),
        ((1, 1), 2, 2_000_000_000),
    ],
)
def test_a_tick_is_as_long_as_the_timebase_says(timebase, ticks, ns):
    assert host(TickClock(timebase), ticks) == [ns]


def test_the_offset_makes_the_counter_the_monotonic_clock():
    clock = TickClock((1, 10**6))
    clock.observe(1_000, 5_000_000_000)
    assert host(clock, 1_000, 1_001, 999) == [5_000_000_000, 5_000_001_000, 4_999_999_000]


def test_the_fastest_message_sets_the_offset():
    clock = TickClock((1, 10**9))
    for ticks, transit in ((1000, 500), (2000, 80), (3000, 90_000), (4000, 100)):
        clock.observe(ticks, 10**6 + ticks + transit)
    assert clock.offset_ns == 10**6 + 80


def test_a_message_that_was_held_up_does_not_move_the_clock():
    clock = TickClock((1, 10**9))
    clock.observe(0, 50)
    before = clock.offset_ns
    clock.observe(10**6, 10**6 + 10**9)
    assert clock.offset_ns == before


def test_an_offset_that_no_longer_holds_is_forgotten():
    """A camera's counter drifts: what held 64 messages ago does not pin the clock for ever."""
    clock = TickClock((1, 10**9))
    clock.observe(0, 0)
    for i in range(1, 64):
        clock.observe(i, i + 1000)
    assert clock.offset_ns == 0
    clock.observe(64, 64 + 1000)
    assert clock.offset_ns == 1000


@CHECKED
@given(
    TIMEBASES,
    st.lists(st.integers(0, 2**53), min_size=1, max_size=5),
    st.integers(0, 2**53),
    st.integers(0, 2**50),
)
def test_mapping_is_exact_to_the_nanosecond(timebase, ticks, at, arrival):
    """Against exact fractions, rounded down; floats would be off by microseconds after a month."""
    clock = TickClock(timebase)
    clock.observe(at, arrival)
    ns = Fraction(*timebase) * 10**9
    exact = [int(tick * ns) + arrival - int(at * ns) for tick in ticks]
    assert host(clock, *ticks) == [min(max(value, -(2**62)), 2**62) for value in exact]


@CHECKED
@given(
    TIMEBASES,
    st.lists(st.one_of(st.integers(0, UINT64), st.integers(UINT64 - 9, UINT64)), min_size=1, max_size=5),
    st.one_of(st.integers(0, UINT64), st.sampled_from([0, UINT64, 2**63, 2**63 - 1])),
    st.integers(0, 2**62),
)
def test_no_counter_whatever_breaks_the_clock(timebase, ticks, at, arrival):
    """Every field of a start message is the sender's to choose, up to 2^64 - 1; what fits is exact even then."""
    clock = TickClock(timebase)
    clock.observe(at, arrival)
    found = clock.to_host(np.array(ticks, np.uint64))
    assert found.dtype == np.int64
    assert (np.abs(found) <= 2**62).all()
    ns = Fraction(*timebase) * 10**9
    for tick, value in zip(ticks, found.tolist(), strict=True):
        exact = int(tick * ns) + arrival - int(at * ns)
        if abs(exact) <= 2**62:
            assert value == exact


def test_a_big_counter_near_its_own_start_is_exact():
    clock = TickClock((1, 10**9))
    start = UINT64 - 10**9
    clock.observe(start, 777)
    assert host(clock, start, start + 10**8) == [777, 777 + 10**8]


def test_a_duration_is_counted_in_whole_ticks():
    assert TickClock((1, 10**9)).ticks_of(1500) == 1500
    assert TickClock((1, 10**6)).ticks_of(1500) == 1
    assert TickClock((1, 20_000_000)).ticks_of(1500) == 30


@pytest.mark.parametrize("ppm", [0, 20, -20, 100, -100])
def test_drift_is_followed(ppm):
    """A counter that is off by so many parts in a million, heartbeats once a second, transit times as they are."""
    rng = np.random.default_rng(abs(ppm))
    clock = TickClock((1, 10**9))
    worst = 0
    for second in range(300):
        now = 10**12 + second * 10**9
        ticks = int(second * 10**9 * (1 + ppm * 1e-6))
        clock.observe(ticks, now + 50_000 + int(rng.exponential(150_000)))
        if second > 80:
            worst = max(worst, abs(clock.to_host_one(ticks) - now))
    # 100 parts in a million make 6.4 ms in the 64 seconds that samples are kept.
    assert worst < 150_000
