"""Targets, rate limits and dead time; wells of plates."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.errors import InputError
from streamer.decision.windows import AbortCodes, AtTarget, Plate, Target, Targets

CODES = AbortCodes(target_reached=12, hardware_abort=13, rate_limit=14)
SECOND = 10**9


def admit(targets, *cells):
    way, time = zip(*cells, strict=True)
    codes = targets.admit(np.array(way, np.uint8), np.array(time, np.int64))
    assert codes.dtype == np.uint8
    return codes.tolist()


def test_a_way_stops_at_its_target_or_goes_on():
    targets = Targets([Target(2), Target(2, AtTarget.CONTINUE)], CODES)
    assert admit(targets, (1, 1), (1, 2), (2, 3)) == [0, 0, 0]
    assert (targets.reached(1), targets.reached(2)) == (True, False)
    assert admit(targets, (1, 4), (2, 5), (2, 6)) == [12, 0, 0]
    assert targets.sorted == [0, 2, 3]
    assert targets.reached(2)


def test_dead_time_holds_between_neighbours_in_time_whatever_the_order():
    targets = Targets([Target(dead_time_ns=100)], CODES)
    assert admit(targets, (1, 1000), (1, 1099), (1, 1100), (1, 901), (1, 900), (1, 1050)) == [0, 13, 0, 13, 0, 13]


def test_a_shared_actuator_is_busy_for_all_ways_and_others_for_their_own():
    both = [Target(dead_time_ns=100), Target(dead_time_ns=50)]
    assert admit(Targets(both, CODES, shared=True), (1, 0), (2, 60), (2, 100)) == [0, 13, 0]
    assert admit(Targets(both, CODES, shared=False), (1, 0), (2, 60), (2, 100), (1, 99)) == [0, 0, 13, 13]


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.integers(1, 5), st.lists(st.integers(0, 3 * SECOND), min_size=1, max_size=60))
def test_no_second_has_more_than_the_limit(limit, times):
    targets = Targets([Target(per_second=limit)], CODES)
    codes = admit(targets, *((1, time) for time in sorted(times)))
    kept = [time for time, code in zip(sorted(times), codes, strict=True) if not code]
    assert set(codes) <= {0, 14}
    assert all(sum(start <= time < start + SECOND for time in kept) <= limit for start in kept)
    assert len(kept) >= min(limit, len(times))


def test_an_aborted_cell_counts_for_nothing():
    targets = Targets([Target(2, per_second=2, dead_time_ns=100)], CODES)
    assert admit(targets, (1, 0), (1, 50), (1, 150), (1, 300)) == [0, 13, 0, 12]


def test_dead_time_remembers_a_bounded_past():
    targets = Targets([Target(dead_time_ns=1)], CODES)
    assert sum(admit(targets, *((1, 2 * time) for time in range(20_000)))) == 0
    assert len(targets._pulses[1]) <= 4096


@pytest.mark.parametrize(
    ("target", "field"),
    [
        (Target(0), "count: found 0"),
        (Target(per_second=0), "per_second: found 0"),
        (Target(dead_time_ns=-1), "dead_time_ns: found -1"),
        (Target(per_second=1001, dead_time_ns=1_000_000), "per_second: found 1001, expected at most 1000"),
    ],
)
def test_an_impossible_target_is_refused_naming_way_and_field(target, field):
    with pytest.raises(InputError, match=re.escape(f"config: way left: {field}")):
        target.check("config", "left")


def test_wells_are_filled_row_by_row():
    assert [Plate(96).well(n) for n in (0, 11, 12, 95)] == ["A1", "A12", "B1", "H12"]
    assert [Plate(384).well(n) for n in (0, 23, 24, 383)] == ["A1", "A24", "B1", "P24"]
    assert [Plate(96, 3).well(n) for n in (0, 2, 3)] == ["A1", "A1", "A2"]
    assert len({Plate(384).well(n) for n in range(384)}) == 384
    assert Plate(96, 5).capacity == 480


@pytest.mark.parametrize("n", [-1, 96])
def test_there_is_no_well_beyond_the_last(n):
    with pytest.raises(ValueError, match="plate for 96"):
        Plate(96).well(n)


def test_plates_of_other_sizes_are_refused():
    with pytest.raises(InputError, match="plate: wells: found 48, expected 96 or 384"):
        Plate(48)
    with pytest.raises(InputError, match="cells_per_well"):
        Plate(96, 0)
