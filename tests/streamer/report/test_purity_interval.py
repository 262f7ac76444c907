import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.report import Chances, purity_interval
from streamer.report._chances import EXACT_CELLS
from streamer.report._interval import _approximate, _exact

DRAWS = 2000


def chances_of(values):
    chances = Chances()
    for part in np.array_split(np.asarray(values, float), 3):
        chances.add(part)
    return chances


def coverage(values, seed):
    """Return how often the interval holds the true share when each cell is right with its probability."""
    rng = np.random.default_rng(seed)
    low, high = purity_interval(chances_of(values))
    truth = (rng.random((DRAWS, len(values))) < values).mean(axis=1)
    return ((truth >= low - 1e-12) & (truth <= high + 1e-12)).mean()


@pytest.mark.parametrize("n", [200, 256, 257, 1000, 5000])
@pytest.mark.parametrize("p", [0.5, 0.8, 0.95])
def test_coverage_of_many_cells_of_one_probability(n, p):
    assert 0.92 <= coverage(np.full(n, p), seed=n) <= 0.98


@pytest.mark.parametrize("n", [60, 256, 257, 3000])
@pytest.mark.parametrize("shape", [(9, 1), (2, 2), (30, 3)])
def test_coverage_of_cells_of_different_probabilities(n, shape):
    values = np.random.default_rng(n).beta(*shape, n)
    assert 0.92 <= coverage(values, seed=n + 1) <= 0.985


@pytest.mark.parametrize("n", [1, 2, 3, 5, 10, 19])
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9, 0.99, 0.999])
def test_of_few_cells_the_interval_is_wide_enough(n, p):
    # A count of few cells has few values: the least interval that holds 95 % may hold far more.
    assert coverage(np.full(n, p), seed=n) >= 0.94


@pytest.mark.parametrize("p", [0.99, 0.999, 0.9999])
@pytest.mark.parametrize("n", [300, 3000])
def test_of_rare_wrong_cells_the_interval_is_wide_enough(n, p):
    assert coverage(np.full(n, p), seed=n) >= 0.92


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=300), st.sampled_from([1, 50]))
def test_it_never_leaves_0_to_1_and_holds_the_mean(values, times):
    chances = chances_of(values * times)
    low, high = purity_interval(chances)
    assert 0 <= low <= chances.mean <= high <= 1


def test_no_cell_and_one_cell():
    with pytest.raises(ValueError, match="0 cells"):
        purity_interval(Chances())
    assert purity_interval(chances_of([0.9])) == (0, 1)
    assert purity_interval(chances_of([0.99])) == (0.99, 1)
    assert purity_interval(chances_of([1.0])) == (1, 1)
    assert purity_interval(chances_of([1.0] * 400)) == (1, 1)
    with pytest.raises(ValueError, match="confidence of 1"):
        purity_interval(chances_of([0.9]), 1)


def test_the_exact_quantiles_are_those_of_the_binomial():
    n, p = 12, 0.7
    below = np.cumsum([math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)])
    assert _exact(np.full(n, p), 0.025) == (int((below < 0.025).sum()), int((below < 0.975).sum()))


@pytest.mark.parametrize("shape", [(1, 1), (5, 1), (60, 1)])
def test_the_approximation_is_within_a_cell_of_the_exact_quantiles(shape):
    values = np.random.default_rng(5).beta(*shape, EXACT_CELLS)
    exact, approximate = _exact(values, 0.025), _approximate(chances_of(values), 0.025)
    assert np.abs(np.subtract(exact, approximate)).max() <= 1


def test_rounding_is_brought_back_and_a_nan_counts_as_wrong():
    chances = chances_of([1.0000001, -1e-9, math.nan])
    assert (chances.cells, chances.total) == (3, 1.0)
    assert chances.mean == pytest.approx(1 / 3)


def test_memory_does_not_grow_and_moments_are_right():
    values = np.random.default_rng(2).random(1000)
    chances = chances_of(values)
    assert chances.each is None
    assert chances.variance == pytest.approx((values * (1 - values)).sum())
    assert chances.third_moment == pytest.approx((values * (1 - values) * (1 - 2 * values)).sum())
