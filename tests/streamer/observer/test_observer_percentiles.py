from __future__ import annotations

import math
from bisect import bisect_left

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.observer import histogram_max, histogram_percentile, histogram_since
from streamer.wire import HistogramData

EDGES = (-2.0, -0.5, 0.0, 0.25, 1.0, 3.0, 10.0)


def histogram_of(values, edges=EDGES):
    counts = [0] * (len(edges) + 1)
    for value in values:
        counts[bisect_left(edges, value)] += 1
    return HistogramData(tuple(edges), tuple(counts), float(sum(values)))


def bounds(value, edges=EDGES):
    """The bucket a value is in."""
    whole = (-math.inf, *edges, math.inf)
    bucket = bisect_left(edges, value)
    return whole[bucket], whole[bucket + 1]


@given(st.lists(st.floats(-5, 20), min_size=1, max_size=60), st.integers(0, 100))
def test_percentile_is_in_the_bucket_of_numpys(values, q):
    found = histogram_percentile(histogram_of(values), q)
    lowest = bounds(np.percentile(values, q, method="lower"))[0]
    highest = bounds(np.percentile(values, q, method="higher"))[1]
    assert lowest <= found <= highest


def test_percentile_of_many_values_is_close_to_numpys():
    values = np.random.default_rng(5).lognormal(-7.5, 0.6, 20_000)
    edges = tuple(np.geomspace(1e-5, 1e-1, 60))
    data = histogram_of(values.tolist(), edges)
    for q in (1, 50, 90, 99, 99.9):
        lower, upper = bounds(np.percentile(values, q), edges)
        assert abs(histogram_percentile(data, q) - np.percentile(values, q)) <= upper - lower


def test_percentile_interpolates_inside_the_bucket():
    data = HistogramData((1.0, 2.0), (0, 4, 0), 6.0)
    assert histogram_percentile(data, 50) == 1.5
    assert histogram_percentile(data, 100) == 2.0


def test_first_bucket_of_positive_values_begins_at_zero():
    assert histogram_percentile(HistogramData((1.0,), (2, 0), 1.0), 50) == 0.5


@given(st.lists(st.floats(-5, 20), min_size=1, max_size=40))
def test_percentiles_ascend(values):
    data = histogram_of(values)
    found = [histogram_percentile(data, q) for q in range(0, 101, 5)]
    assert found == sorted(found)


def test_what_is_beyond_the_edges_is_infinite_and_nothing_is_nan():
    assert histogram_percentile(HistogramData((1.0,), (0, 3), 9.0), 50) == math.inf
    assert histogram_percentile(HistogramData((-1.0,), (3, 0), -9.0), 50) == -math.inf
    assert histogram_percentile(HistogramData((0.0, 1.0), (3, 0, 0), 0.0), 50) == 0.0
    assert math.isnan(histogram_percentile(HistogramData((1.0,), (0, 0), 0.0), 50))
    assert math.isnan(histogram_max(HistogramData((1.0,), (0, 0), 0.0)))


@pytest.mark.parametrize("q", [-1, 101, math.nan])
def test_percentile_refuses_other_q(q):
    with pytest.raises(ValueError, match="expected 0 to 100"):
        histogram_percentile(HistogramData((1.0,), (1, 0), 1.0), q)


@given(st.lists(st.floats(-5, 9), min_size=1, max_size=40))
def test_no_value_is_above_the_max(values):
    assert max(values) <= histogram_max(histogram_of(values))


@given(st.lists(st.integers(-4, 15), max_size=30), st.lists(st.integers(-4, 15), max_size=30))
def test_since_is_what_came_between(early, late):
    gained = histogram_since(histogram_of(early + late), histogram_of(early))
    assert gained.counts == histogram_of(late).counts
    assert gained.sum == sum(late)


def test_since_takes_all_where_histograms_do_not_compare():
    now = HistogramData((1.0,), (2, 0), 1.0)
    for before in (None, HistogramData((2.0,), (1, 0), 1.0), HistogramData((1.0,), (3, 0), 1.0)):
        assert histogram_since(now, before) == now
