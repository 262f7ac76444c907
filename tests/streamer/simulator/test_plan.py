"""A plan is fixed before anything is sent, and its times are those of a stream of independent cells."""

import numpy as np
import pytest

from engines.errors import InputError
from streamer.simulator import make_plan, percentiles


def test_even_cells_come_one_every_period():
    plan = make_plan(7, rate=250, seconds=2, arrivals="even")
    assert len(plan) == 500
    assert plan.trigger_ns.dtype == np.int64
    assert plan.trigger_ns.tolist() == [i * 4_000_000 for i in range(500)]


@pytest.mark.parametrize("seed", range(5))
def test_the_number_of_poisson_cells_is_within_five_sigma(seed):
    plan = make_plan(10, rate=2000, seconds=10, seed=seed)
    assert abs(len(plan) - 20_000) < 5 * np.sqrt(20_000)


def test_the_number_of_poisson_cells_varies_as_it_should():
    """Over many seconds of 100 cells on average the variance is the mean (five sigma of its own estimate)."""
    counts = [len(make_plan(10, rate=100, seconds=1, seed=seed)) for seed in range(400)]
    assert np.mean(counts) == pytest.approx(100, abs=5 * 10 / np.sqrt(400))
    assert np.var(counts) == pytest.approx(100, abs=5 * 100 * np.sqrt(2 / 400))


@pytest.mark.parametrize("seed", range(3))
def test_the_gaps_between_poisson_cells_are_exponential(seed):
    """Kolmogorov-Smirnov against 1 - exp(-rate t); 1.95 / sqrt(n) is exceeded once in a thousand."""
    plan = make_plan(10, rate=1000, seconds=20, seed=seed)
    gaps = np.sort(np.diff(plan.trigger_ns) * 1e-9)
    expected = 1 - np.exp(-1000 * gaps)
    steps = np.arange(len(gaps) + 1) / len(gaps)
    distance = max(np.abs(expected - steps[1:]).max(), np.abs(expected - steps[:-1]).max())
    assert distance < 1.95 / np.sqrt(len(gaps))


@pytest.mark.parametrize("arrivals", ["poisson", "even"])
def test_times_ascend_within_the_span(arrivals):
    plan = make_plan(3, rate=5000, seconds=1.5, arrivals=arrivals, seed=4)
    assert (np.diff(plan.trigger_ns) >= 0).all()
    assert plan.trigger_ns[0] >= 0
    assert plan.trigger_ns[-1] < 1_500_000_000


@pytest.mark.parametrize("recorded", [1, 7, 100, 5000])
def test_every_cell_is_sent_once_before_any_is_sent_again(recorded):
    plan = make_plan(recorded, rate=1000, seconds=1, arrivals="even", seed=1)
    for first in range(0, 1000, recorded):
        part = plan.cell[first : first + recorded].tolist()
        assert len(set(part)) == len(part)
        assert set(part) <= set(range(recorded))
        if len(part) == recorded:
            assert sorted(part) == list(range(recorded))


def test_each_round_has_an_order_of_its_own():
    plan = make_plan(50, rate=100, seconds=1, arrivals="even")
    assert plan.cell[:50].tolist() != plan.cell[50:].tolist()
    assert plan.cell[:50].tolist() != list(range(50))


def test_the_same_seed_gives_the_same_plan_and_another_another():
    first, again, other = (make_plan(9, rate=500, seconds=1, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(first.trigger_ns, again.trigger_ns)
    assert np.array_equal(first.cell, again.cell)
    assert not np.array_equal(first.trigger_ns[:50], other.trigger_ns[:50])


@pytest.mark.parametrize(("limit", "cells"), [(0, 0), (1, 1), (99, 99), (100, 100), (101, 100), (None, 100)])
def test_a_limit_cuts_the_end_off(limit, cells):
    whole = make_plan(9, rate=100, seconds=1, arrivals="even")
    plan = make_plan(9, rate=100, seconds=1, arrivals="even", limit=limit)
    assert len(plan) == cells
    assert np.array_equal(plan.trigger_ns, whole.trigger_ns[:cells])


@pytest.mark.parametrize("arrivals", ["poisson", "even"])
def test_a_plan_may_be_empty(arrivals):
    plan = make_plan(9, rate=1e-9, seconds=1, arrivals=arrivals)
    assert len(plan) == 0
    assert plan.cell.dtype == np.intp


@pytest.mark.parametrize(
    ("recorded", "rate", "seconds"),
    [
        (1, 0, 1),
        (1, 1, 0),
        (1, -1, 1),
        (1, -1, -1),
        (1, float("nan"), 1),
        (1, 1, float("nan")),
        (1, float("inf"), 1),
        (1, 1e300, 1e300),
        (1, 1e6, 101),
        (0, 1, 1),
    ],
)
def test_a_plan_that_cannot_be_is_refused(recorded, rate, seconds):
    with pytest.raises(InputError, match=r"^plan: "):
        make_plan(recorded, rate=rate, seconds=seconds)


@pytest.mark.parametrize("wrong", [{"seed": -1}, {"limit": -1}])
def test_negative_seeds_and_limits_are_refused(wrong):
    with pytest.raises(InputError, match=r"^plan: "):
        make_plan(3, rate=10, seconds=1, **wrong)


def test_percentiles_of_known_values():
    assert percentiles(np.arange(10_001) / 10) == {
        "p50": 500.0,
        "p90": 900.0,
        "p99": 990.0,
        "p999": 999.0,
        "max": 1000.0,
    }
    assert percentiles(np.array([3.26])) == dict.fromkeys(("p50", "p90", "p99", "p999", "max"), 3.3)
    assert percentiles(np.zeros(0)) == {}
